"""What a study concludes, once its most promising network is held against the bare one and plain ones at its price."""

import shutil

import pandas as pd
import pytest
from small_study import SPACE, STUDY, told

import nas_attn
from nas_attn.chain import Watch
from nas_attn.ledger import open_ledger
from nas_attn.settings import Backbone
from nas_attn.space import parse
from nas_attn.study import StudyFolder

COUNTED = STUDY.replace('space = "space.toml"', 'space = "space.toml"\nobjectives = ["accuracy", "flops"]')


def flops(width):
    """What the bare network of this many channels costs, by the ledger."""
    return open_ledger(Backbone(name="resnet8", arguments={"width": width}), (1, 8, 8), 10).bare.flops


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A study that has trained the baselines with one seed; no test may change it."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "study.toml").write_text(COUNTED)
    (folder / "space.toml").write_text(SPACE)
    nas_attn.open_study(folder).run()
    return folder


@pytest.fixture(scope="module")
def judged(searched, tmp_path_factory):
    """The same study after its verdict, and what that said; no test may change it."""
    folder = tmp_path_factory.mktemp("judged") / "study"
    shutil.copytree(searched, folder)
    return folder, nas_attn.open_study(folder).verdict(minutes=5)


@pytest.fixture
def copied(searched, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(searched, folder)
    return folder


def rows_by_key(rows):
    found = {}
    for row in rows:
        found.setdefault(row.key, {})[row.seed] = row
    return found


def test_the_rivals_are_the_widths_just_below_and_just_above_the_price(judged):
    folder, found = judged
    rivals = rows_by_key(StudyFolder.open(folder).rivals())
    leader = next(row for row in StudyFolder.open(folder).all_rows() if row.key == found.conclusion.leader)
    above = next(width for width in range(17, 33) if flops(width) >= leader.flops)
    expected = [width for width in (above - 1, above) if width > 16]
    assert sorted(rivals) == [f"width={width / 16:g}" for width in expected]
    for width in expected:
        assert {row.flops for row in rivals[f"width={width / 16:g}"].values()} == {flops(width)}


def test_rivals_have_the_seeds_of_the_network_and_of_the_bare_one(judged):
    folder, found = judged
    rows = rows_by_key(StudyFolder.open(folder).all_rows())
    bare = next(key for key, seeds in rows.items() if seeds[0].architecture == "none")
    for key in (bare, found.conclusion.leader):
        assert set(rows[key]) == {0, 1, 2}
    for seeds in rows_by_key(StudyFolder.open(folder).rivals()).values():
        assert set(seeds) == {0, 1, 2}
        assert {(row.role, row.step, row.state, row.architecture) for row in seeds.values()} == {
            ("rival", "final", "complete", "none")
        }


def test_the_network_is_trained_without_each_of_its_placements(judged):
    folder, found = judged
    rows = rows_by_key(StudyFolder.open(folder).all_rows())
    whole = parse(rows[found.conclusion.leader][0].architecture)
    less = [
        " ".join(str(other) for other in whole.placements if other.site.split(".")[0] != stage)
        for stage in {placement.site.split(".")[0] for placement in whole.placements}
    ]
    trained = {seeds[0].architecture: set(seeds) for seeds in rows.values()}
    assert len(less) == 3
    assert [trained.get(str(parse(spelling))) for spelling in less] == [{0, 1, 2}] * 3


def test_rivals_stand_in_no_table_and_on_no_front(judged):
    study = nas_attn.open_study(judged[0])
    assert not set(study.table()["role"]) & {"rival"}
    assert not [key for key in (*study.table().index, *study.front().index) if "width" in key]
    assert not [path for path in (judged[0] / "weights").iterdir() if "width" in path.name]


def test_what_is_concluded_is_written_beside_the_study(judged):
    folder, found = judged
    table = pd.read_csv(folder / "verdict.csv", index_col="key")
    assert list(table.index) == list(found.conclusion.table.index)
    assert (table["role"] == "rival").sum() == len(rows_by_key(StudyFolder.open(folder).rivals()))
    assert (folder / "verdict.svg").read_text().startswith("<svg")
    assert found.files == (folder / "verdict.csv", folder / "verdict.svg")


def test_a_second_verdict_trains_nothing_and_says_the_same(judged, tmp_path):
    folder, found = judged
    again = tmp_path / "study"
    shutil.copytree(folder, again)
    trained = []
    watch = Watch(on_epoch=lambda row, done, epochs: trained.append(row.key))
    assert nas_attn.open_study(again).verdict(minutes=5, watch=watch).sentences == found.sentences
    assert nas_attn.open_study(again).verdict(minutes=5, train=False).sentences == found.sentences
    assert trained == []


@pytest.mark.parametrize("stop", ["a row of the space", "a rival", "within a rival"])
def test_an_interrupted_verdict_goes_on_where_it_stopped(judged, copied, stop):
    """Stopped once; then nothing is trained twice, and all rows are those of a verdict that was not stopped."""
    seen = []

    def interrupt(row, done, epochs):
        if done == epochs:
            seen.append((row.key, row.seed))
        if row.role == "rival" and stop == "within a rival" and row.seed == 2:
            raise KeyboardInterrupt

    def after(row, _):
        if (row.role == "rival") == (stop == "a rival") and stop != "within a rival" and row.seed == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nas_attn.open_study(copied).verdict(watch=Watch(on_epoch=interrupt, on_row=after))
    assert not (copied / "verdict.csv").exists()
    kept = [*StudyFolder.open(copied).all_rows(), *StudyFolder.open(copied).rivals()]
    done = {(row.key, row.seed) for row in kept}
    again = []
    watch = Watch(on_epoch=lambda row, done, epochs: again.append((row.key, row.seed)))
    nas_attn.open_study(copied).verdict(watch=watch)
    assert not done & set(again)
    for read in (StudyFolder.all_rows, StudyFolder.rivals):
        assert told(read(StudyFolder.open(copied))) == told(read(StudyFolder.open(judged[0])))


def test_two_jobs_find_what_one_finds(judged, copied):
    nas_attn.open_study(copied).verdict(jobs=2)
    assert told(StudyFolder.open(copied).rivals()) == told(StudyFolder.open(judged[0]).rivals())
