"""What `nas-attn space` and `nas-attn sites` show."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from placing import installed
from small_study import SPACE, STUDY

from nas_attn import cli
from nas_attn.assembly import load_space
from nas_attn.evaluation import open_ledger
from nas_attn.settings import measure
from nas_attn.space import parse

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def shown(monkeypatch, capsys):
    """What a command prints."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nas-attn", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert not stopped.value.code, capsys.readouterr().err
        return capsys.readouterr().out

    return run


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(SPACE)
    return path


@pytest.fixture
def totals(file):
    """The price of every network, one counted after the other."""
    said, space = load_space(file)
    ledger = open_ledger(said.backbone, said.image, said.classes)
    costs = [ledger.price(architecture) for architecture in space.architectures()]
    return pd.DataFrame([(cost.params, cost.macs, cost.flops) for cost in costs], columns=["params", "macs", "flops"])


def test_space_counts_its_networks_and_names_the_cheapest_and_the_most_expensive(shown, file, totals):
    _, space = load_space(file)
    text = shown("space", file)
    assert f"resnet8, {len(space.slots)} slots (one a {load_space(file)[0].per}), {len(totals)} networks" in text
    most_expensive = str(list(space.architectures())[totals["flops"].idxmax()])
    assert "fewest FLOPs: none\n" in text
    assert f"most FLOPs: {most_expensive}\n" in text


def test_space_says_how_many_ways_build_the_same_networks(shown, tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(SPACE.replace("[4, 8]", "[4, 16]\ndivisor = [1, 8]"))  # 16 channels: 4, 1, and 8 in two ways
    _, space = load_space(path)
    assert space.size < space.spellings
    assert f"{space.size:,} networks that differ, of {space.spellings:,} ways to choose" in shown("space", path)


def test_space_shows_the_share_within_a_budget(shown, file, totals):
    limit = int(totals["flops"].quantile(0.4))
    within = (totals["flops"] <= limit).sum()
    told = f"At most {limit:,} FLOPs: {within / len(totals):.2%} of the networks ({within} of {len(totals)})"
    assert told in shown("space", file, "--max-flops", limit)
    params = int(totals["params"].median())
    both = ((totals["flops"] <= limit) & (totals["params"] <= params)).sum()
    assert f"({both} of {len(totals)})" in shown("space", file, "--max-flops", limit, "--max-params", params)


def test_space_writes_its_picture_and_every_network(shown, file, tmp_path, totals):
    text = shown("space", file, "--picture", tmp_path / "space.png", "--csv", tmp_path / "space.csv")
    assert (tmp_path / "space.png").read_bytes().startswith(b"\x89PNG")
    table = pd.read_csv(tmp_path / "space.csv", index_col="key", keep_default_na=False)
    assert table[["params", "macs", "flops"]].to_numpy().tolist() == totals.to_numpy().tolist()
    assert f"({len(totals)} of {len(totals)} networks)" in text


def test_space_says_where_an_attention_cannot_take_the_map_and_offers_it_elsewhere(shown, tmp_path):
    path = tmp_path / "space.toml"
    path.write_text('backbone = "resnet8"\nimage = [3, 4, 4]\n[kinds.simam]\nposition = "branch"\n')
    lines = shown("space", str(path)).splitlines()
    assert [line.split() for line in lines if line.startswith("simam(")] == [["simam(position=branch)", "stage1-2"]]
    assert any(line.startswith("simam is left out at stage3: features: found a map of 1 x 1") for line in lines)


def test_space_names_an_attention_that_can_take_no_map(monkeypatch, capsys, tmp_path):
    path = tmp_path / "space.toml"
    path.write_text('backbone = "resnet8"\nimage = [3, 4, 4]\nslots = ["stage3"]\n[kinds.simam]\nposition = "branch"\n')
    monkeypatch.setattr(sys, "argv", ["nas-attn", "space", str(path)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert re.search(r"4: kinds\.simam: cannot stand at stage3: .* 1 x 1", told)


def test_sites_lists_the_places_of_a_built_in_network(shown):
    lines = shown("sites", "resnet8", "--image", "3x32x32", "--classes", "10").splitlines()
    ledger = open_ledger("resnet8", (3, 32, 32), 10)
    assert lines[0] == f"resnet8: {len(ledger.sites)} places in 3 blocks of 3 stages"
    assert "75.29 k parameters" in lines[1]
    listed = {line.split()[0]: line for line in lines[2:] if line.startswith("stage")}
    assert list(listed) == list(ledger.sites)
    assert re.fullmatch(r"stage2\.block0\.pre +16 +32 x 32 +16 x 32 x 32", listed["stage2.block0.pre"])
    assert re.fullmatch(r"stage3\.block0\.branch +64 +8 x 8 +64 x 8 x 8", listed["stage3.block0.branch"])


def test_sites_draws_a_network_with_what_stands_in_it(shown, tmp_path):
    of = ("sites", "resnet8", "--image", "3x32x32", "--classes", "10")
    spelt, ledger = "stage2.block0.branch=se(reduction=4)", open_ledger("resnet8", (3, 32, 32), 10)
    more = 100 * (ledger.price(parse(spelt)).flops / ledger.plain.flops - 1)
    lines = shown(*of, "--draw", "--architecture", spelt).splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "place size attention adds",
        "input 3 x 32 x 32",
        "stage1.block0 16 x 32 x 32",
        f"stage2.block0.branch 32 x 16 x 16 se(reduction=4) +{more:.2f} % FLOPs",
        "stage3.block0 64 x 8 x 8",
        "output 10",
    ]
    assert shown(*of, "--picture", tmp_path / "net.svg") == f"Written: {tmp_path / 'net.svg'}\n"
    assert (tmp_path / "net.svg").read_text().startswith("<svg ")


def test_sites_takes_the_network_of_a_space_file(shown, file):
    said, _ = load_space(file)
    assert f"{' x '.join(map(str, said.image))} and {said.classes} classes" in shown("sites", file)


def test_sites_tells_which_attention_comes_before_an_activation(shown, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "backbones")
    text = shown("sites", "foreign_nets:Flat", "--image", "3x32x32", "--classes", "10")
    assert "\nAfter one: attention comes before an activation that no module gives\n" in text
    assert "no module gives" not in shown("sites", "foreign_nets:basic", "--image", "3x32x32", "--classes", "10")


@pytest.mark.skipif(not installed("timm"), reason="timm is not installed")
def test_sites_tells_the_modules_and_the_attention_that_somebody_elses_network_has(shown):
    text = shown("sites", "timm:seresnet50", "--image", "3x64x64")
    assert "28.09 M parameters" in text  # as the SENet paper's Table 2 has it, to 0.1 M
    assert re.search(r"It has attention of its own, 16 modules \(.*\): kept", text)
    assert re.search(r"stage4\.block2\.block +2048 +2 x 2 .* \S+", text)


def test_sites_refuses_an_image_that_is_none(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["nas-attn", "sites", "resnet8", "--image", "32x32"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "--image: found '32x32'; allowed: channels, height and width" in capsys.readouterr().err


def _priced_for(text):
    return re.search(r"What they cost, for one image of (.+) and (\d+) classes", text).groups()


def test_what_a_space_file_leaves_out_is_said_and_options_fill_it(shown, tmp_path):
    path = tmp_path / "bare.toml"
    path.write_text(re.sub(r"(?m)^(image|classes) = .*\n", "", SPACE))
    bare = shown("space", path)
    assert "names no image: 3x32x32 is assumed" in bare
    assert "names no classes: 10 is assumed" in bare
    given = shown("space", path, "--image", "3x64x48", "--classes", "7")
    assert "assumed" not in given
    assert _priced_for(given) == ("3 x 64 x 48", "7")
    said, _ = load_space(path)
    plain = open_ledger(said.backbone, (3, 64, 48), 7).plain
    assert all(measure(name).spell(getattr(plain, name)) in given for name in ("params", "macs", "flops"))
    assert plain.macs > open_ledger(said.backbone, (3, 32, 32), 10).plain.macs


def test_a_study_prices_its_own_images_and_contradictions_are_refused(shown, tmp_path, monkeypatch, capsys):
    (tmp_path / "space.toml").write_text(SPACE)
    (tmp_path / "study.toml").write_text(STUDY)
    for study in (tmp_path, tmp_path / "study.toml"):
        found = shown("space", study)
        assert _priced_for(found) == ("1 x 8 x 8", "10")
        assert "those of the study" in found
    assert "for an image of 1 x 8 x 8 and 10 classes" in shown("sites", tmp_path)
    monkeypatch.setattr(sys, "argv", ["nas-attn", "space", str(tmp_path), "--classes", "7"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code
    assert "--classes: found 7; the study" in capsys.readouterr().err


def test_what_trains_nothing_does_not_wait_for_what_trains():
    """Lightning, and what torch loads to fill or compute on `meta`, take longer to load than torch itself."""
    code = (
        "import sys\n"
        "from nas_attn.cli import main\n"
        "for arguments in (['sites', 'resnet20'], ['space', 'search_spaces/digits.toml']):\n"
        "    sys.argv = ['nas-attn', *arguments]\n"
        "    try:\n        main()\n    except SystemExit as stop:\n        assert stop.code == 0\n"
        "slow = {'pytorch_lightning', 'torch._dynamo', 'torchvision', 'torchmetrics', 'optuna'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {slow}' if slow else 0)"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert "729 networks" in process.stdout


def test_kinds_places_and_spaces_are_objects_where_json_is_wanted(shown, tmp_path):
    kinds = json.loads(shown("kinds", "--json"))["kinds"]
    assert {"se", "cbam"} < {one["kind"] for one in kinds}
    assert next(one for one in kinds if one["kind"] == "se")["options"][0][:2] == ["reduction", 16]
    (tmp_path / "space.toml").write_text(SPACE)
    found = json.loads(shown("sites", tmp_path / "space.toml", "--json"))
    ledger = open_ledger(*_subject(tmp_path / "space.toml"))
    assert [one["site"] for one in found["sites"]] == [*ledger.sites]
    assert found["plain"] == {"params": ledger.plain.params, "macs": ledger.plain.macs, "flops": ledger.plain.flops}
    space = json.loads(shown("space", tmp_path / "space.toml", "--json", "--max-flops", ledger.plain.flops))
    assert space["networks"] == load_space(tmp_path / "space.toml")[1].size
    assert space["within"] == {"limits": {"flops": ledger.plain.flops}, "share": 1 / space["networks"]}
    assert space["baselines"][0] == {"architecture": "none", **found["plain"]}
    assert space["slots"][0]["kinds"][0]["options"]["reduction"] == [4, 8]


def _subject(path):
    said, _ = load_space(path)
    return said.backbone, said.image, said.classes
