"""The picture of the README is what the rows of its study say."""

import re
from statistics import mean

import pytest
from placement_picture import NAMES, main
from reading import ROOT

import nas_attn

STUDY, PICTURE = ROOT / "studies" / "digits-table", ROOT / "docs" / "placements.svg"


def words(path):
    """Every text of a picture, with the pixels where it stands."""
    found = re.findall(r"transform=\"translate\(([\d.]+),([\d.]+)\)[^>]*>([^<]+)</text>", path.read_text())
    return [(float(x), float(y), text) for x, y, text in found]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    path = tmp_path_factory.mktemp("drawn") / "placements.svg"
    main(STUDY, path)
    return path


def test_the_picture_that_is_kept_is_drawn_from_the_rows(drawn):
    assert len(words(drawn)) > 40
    assert words(drawn) == words(PICTURE)


def test_a_place_says_what_the_plain_means_over_its_networks_say_too(drawn):
    """Every network of the space is trained alike, so that a difference of means is an estimate as well."""
    rows = nas_attn.read_csv(STUDY / "rows.csv")
    standing = [{(p.site[:6], p.attention.kind) for p in nas_attn.parse(a).placements} for a in rows["architecture"]]

    def share(stage, kind):
        having = [(stage, kind) in one if kind else stage not in dict(one) for one in standing]
        return 100 * mean(rows["accuracy"][having])

    places = words(drawn)
    stages = {text.replace(" ", ""): x for x, _, text in places if text.startswith("stage ")}
    kinds = {
        kind: y
        for kind in ("se", "bam", "non_local", "coordinate", "spatial")
        for _, y, text in places
        if text == NAMES.get(kind, kind)
    }
    assert (len(stages), len(kinds)) == (3, 5)
    for stage, x in stages.items():
        for kind, y in kinds.items():
            (said,) = [one for across, down, one in places if across == x and 0 < y - down < 20 and "points" in one]
            gained = float(said.removesuffix(" points").replace("\N{MINUS SIGN}", "-"))
            assert gained == pytest.approx(share(stage, kind) - share(stage, ""), abs=0.11), (stage, kind)
