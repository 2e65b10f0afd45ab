"""What a study concludes, once its most promising network is compared with the plain backbone and with other widths.

Nothing is trained but in one test: elsewhere a network does the better, the more non-local blocks it has.
"""

import random
import shutil
from functools import partial

import pandas as pd
import pytest
from small_study import STUDY, reproducible
from thoroughness import thorough
from torch import nn

import nas_attn
from nas_attn import cli
from nas_attn.attention import ATTENTIONS
from nas_attn.chain import Watch
from nas_attn.cost import LatencyReading
from nas_attn.evaluation import open_ledger
from nas_attn.report.write import report_study
from nas_attn.settings import Backbone
from nas_attn.space import InputError, parse
from nas_attn.study import StudyFolder
from nas_attn.training import Score

SPACE = """
backbone = "resnet8"
image = [1, 8, 8]

[kinds.non_local]
position = "block"

[kinds.se]
"""
COUNTED = 'objectives = ["accuracy", "flops"]\n' + STUDY.replace("trials = 3", "trials = 4")
NON_LOCAL = ATTENTIONS["non_local"]


def cost(width):
    """What the bare network of this many channels costs, by the ledger."""
    return open_ledger(Backbone(name="resnet8", arguments={"width": width}), (1, 8, 8), 10).plain


def trained(network, data, recipe, seed, on_epoch=None, points=5, kinds=(NON_LOCAL,), **_):
    """Stands in for training: so many points for each attention of these kinds, and noise of half a point."""
    size = sum(parameter.numel() for parameter in network.parameters())
    blocks = sum(isinstance(module, kinds) for module in network.modules())
    on_epoch(1, 1)
    accuracy = 0.6 + 0.01 * points * blocks + random.Random(f"{size} {seed}").gauss(0, 0.005)
    return Score({"accuracy": accuracy, "loss": 1 - accuracy}, 1 - accuracy, 1.0)


def timed(network, image, target, device, reference=None):
    """Stands in for timing: a millisecond for 100,000 parameters, and a tenth of one for each non-local block."""
    blocks = sum(isinstance(module, NON_LOCAL) for module in network.modules())
    latency_ms = sum(parameter.numel() for parameter in network.parameters()) / 1e5 + 0.1 * blocks
    return LatencyReading(latency_ms, 0.99 * latency_ms, 1.01 * latency_ms, 0.1, 300, "a processor")


@pytest.fixture(scope="module", autouse=True)
def quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas_attn.tasks.of_images.train", trained)
        patch.setattr("nas_attn.evaluation.timing.measure_latency", timed)
        yield patch


def write(folder, study=COUNTED, space=SPACE):
    folder.mkdir(exist_ok=True)
    (folder / "study.toml").write_text(study)
    (folder / "space.toml").write_text(space)
    return folder


@pytest.fixture(scope="module")
def searched(tmp_path_factory, quick):
    """A study that has looked at four networks with one seed; no test may change it."""
    folder = write(tmp_path_factory.mktemp("searched"))
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


def by_key(rows):
    found = {}
    for row in rows:
        found.setdefault(row.key, {})[row.seed] = row
    return found


def rows_of(folder):
    """All rows, those of rivals last."""
    return [*StudyFolder.open(folder).all_rows(), *StudyFolder.open(folder).width_matched()]


def around(price, cost):
    """The widths just below and just above a price, without the plain backbone's 16."""
    above = next(width for width in range(17, 33) if cost(width) >= price)
    return {width for width in (above - 1, above) if width > 16}


def widths_of(folder):
    return {round(16 * float(row.key.removeprefix("width="))) for row in StudyFolder.open(folder).width_matched()}


def leader_of(folder, found):
    return next(row for row in StudyFolder.open(folder).all_rows() if row.key == found.conclusion.leader)


def test_attention_that_helps_is_said_to_pay(judged):
    folder, found = judged
    assert leader_of(folder, found).architecture == "stage1-3.block0.block=non_local"
    assert found.conclusion.pays
    assert found.sentences[0].startswith("Attention pays here: ")
    assert any("a width-matched baseline with its FLOPs" in sentence for sentence in found.sentences)
    assert any("against itself without one of its parts" in sentence for sentence in found.sentences)


def test_the_rivals_are_the_widths_just_below_and_just_above_the_price(judged):
    folder, found = judged
    rivals = by_key(StudyFolder.open(folder).width_matched())
    widths = around(leader_of(folder, found)["flops"], lambda width: cost(width).flops)
    assert len(widths) == 2
    assert set(rivals) == {f"width={width / 16:g}" for width in widths}
    for width in widths:
        row = rivals[f"width={width / 16:g}"][0]
        assert (row["params"], row["macs"], row["flops"]) == (cost(width).params, cost(width).macs, cost(width).flops)


def test_rivals_have_the_seeds_of_the_network_and_of_the_bare_one(judged):
    folder, found = judged
    rows = by_key(StudyFolder.open(folder).all_rows())
    for key in (parse("none").key, found.conclusion.leader):
        assert set(rows[key]) == {0, 1, 2}
    for seeds in by_key(StudyFolder.open(folder).width_matched()).values():
        assert set(seeds) == {0, 1, 2}
        known = {(row.role, row.step, row.state, row.architecture) for row in seeds.values()}
        assert known == {("width-matched", "final", "complete", "none")}


def test_the_network_is_trained_without_each_of_its_placements(judged):
    seeds = {rows[0].key: set(rows) for rows in by_key(StudyFolder.open(judged[0]).all_rows()).values()}
    for left in ((2, 3), (1, 3), (1, 2)):
        less = parse(" ".join(f"stage{stage}.block0.block=non_local" for stage in left))
        assert seeds[less.key] == {0, 1, 2}


def test_rivals_stand_in_no_table_on_no_front_and_leave_no_weights(judged):
    study = nas_attn.open_study(judged[0])
    assert set(study.table()["role"]) == {"baseline", "search"}
    assert not [key for key in study.front().index if "width" in key]
    assert not [path for path in (judged[0] / "weights").iterdir() if "width" in path.name]


def test_what_is_concluded_is_written_beside_the_study(judged):
    folder, found = judged
    table = pd.read_csv(folder / "verdict.csv", index_col="key")
    assert list(table.index) == list(found.conclusion.table.index)
    assert set(table.index[table["role"] == "width-matched"]) == set(by_key(StudyFolder.open(folder).width_matched()))
    assert (folder / "verdict.svg").read_text().startswith("<svg")
    assert [*found.files] == [folder / "verdict.csv", folder / "verdict.svg"]


def test_a_second_verdict_trains_nothing_and_says_the_same(judged):
    folder, found = judged
    heard = []
    watch = Watch(on_epoch=lambda row, done, epochs: heard.append(row.key), on_step=heard.append)
    assert nas_attn.open_study(folder).verdict(minutes=5, train=False, watch=watch).sentences == found.sentences
    assert nas_attn.open_study(folder).verdict(minutes=5, watch=watch).sentences == found.sentences
    assert not [one for one in heard if isinstance(one, str)]


@pytest.mark.parametrize("at", [8, *(pytest.param(at, marks=thorough) for at in (1, 14))])
def test_an_interrupted_verdict_goes_on_where_it_stopped(searched, judged, copied, at):
    """Stopped within a training of the leader, of itself with less, or of a rival; then all is as without a stop."""
    begun = []

    def watch(stop):
        def interrupt(row, done, epochs):
            if len(begun) == stop:
                raise KeyboardInterrupt
            begun.append((row.key, row.seed))

        return Watch(on_epoch=interrupt)

    with pytest.raises(KeyboardInterrupt):
        nas_attn.open_study(copied).verdict(watch=watch(at))
    assert not (copied / "verdict.csv").exists()
    assert nas_attn.open_study(copied).verdict(minutes=5, watch=watch(None)).sentences == judged[1].sentences
    assert len(begun) == len(set(begun)) == len(rows_of(judged[0])) - len(rows_of(searched))
    assert reproducible(rows_of(copied)) == reproducible(rows_of(judged[0]))


def test_where_latency_counts_there_is_a_rival_of_the_same_latency_too(tmp_path):
    folder = write(tmp_path / "study", COUNTED.replace('"flops"', '"latency_ms"'))
    nas_attn.open_study(folder).run()
    found = nas_attn.open_study(folder).verdict()
    leader = leader_of(folder, found)
    by_flops = around(leader["flops"], lambda width: cost(width).flops)
    by_latency = around(leader["latency_ms"], lambda width: cost(width).params / 1e5)
    assert by_flops != by_latency
    assert widths_of(folder) == by_flops | by_latency
    for row in StudyFolder.open(folder).width_matched():
        assert row["latency_ms"] == pytest.approx(cost(round(16 * float(row.key[6:]))).params / 1e5)
    assert any("a width-matched baseline with its latency" in sentence for sentence in found.sentences)


def test_a_winner_that_inherits_has_rivals_that_inherit_from_bases_of_their_own(tmp_path, monkeypatch):
    asked = []

    def noted(network, *given, checkpoint=None, **said):
        if checkpoint is not None and checkpoint.parent.name == "trained":  # what is kept for others to begin with
            asked.append((network,))
        return trained(network, *given, **said)

    monkeypatch.setattr("nas_attn.tasks.of_images.train", noted)
    folder = write(tmp_path / "study", f'final = "inherit"\n{COUNTED}')
    nas_attn.open_study(folder).run()
    nas_attn.open_study(folder).verdict()
    assert {row.state for row in StudyFolder.open(folder).width_matched()} == {"complete"}
    sizes = [sum(parameter.numel() for parameter in given[0].parameters()) for given in asked]
    assert sizes == [cost(width).params for width in (16, *sorted(widths_of(folder)))]
    assert len([*(folder / "trained").glob("base-*.safetensors")]) == len(sizes)


def plain(*, in_channels, classes):
    """Somebody's own network, whose width cannot be asked for."""
    layers = [nn.Conv2d(in_channels, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(8, classes))


def test_a_network_without_a_width_has_no_rival_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("nas_attn.tasks.of_images.train", partial(trained, kinds=(ATTENTIONS["se"],)))
    space = f'backbone = "{__name__}:plain"\nimage = [1, 8, 8]\n[kinds.se]\n'
    folder = write(tmp_path / "study", COUNTED, space)
    nas_attn.open_study(folder).run(2)
    told = nas_attn.open_study(folder).verdict(2).sentences
    assert told[-1] == f"It is compared with no width-matched baseline, as {__name__}:plain takes no `width`."
    assert StudyFolder.open(folder).width_matched() == []


def test_a_study_that_was_not_trained_in_full_is_told_what_to_do(tmp_path):
    folder = write(tmp_path / "study", 'chain = [{proxy = "scratch", data_share = 0.5}]\n' + COUNTED)
    with pytest.raises(InputError, match="no network was trained as the winner will be yet; `nas-attn search"):
        nas_attn.open_study(folder).verdict()
    nas_attn.open_study(folder).run(2)
    with pytest.raises(InputError, match="no network was trained as the winner will be yet; `nas-attn search"):
        nas_attn.open_study(folder).verdict(train=False)


def test_one_seed_says_nothing_of_noise(copied):
    with pytest.raises(InputError, match=r"with one seed, which shows nothing of noise; `nas-attn verdict .* --seeds"):
        nas_attn.open_study(copied).verdict(train=False)


def test_the_command_says_what_is_concluded_and_where_it_is_written(judged, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "study"
    shutil.copytree(judged[0], folder)
    monkeypatch.setattr("sys.argv", ["nas-attn", "verdict", str(folder), "--seeds", "4", "--minutes", "5"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    lines = capsys.readouterr().out.splitlines()
    assert any(line.endswith("step width-matched baselines: up to 2 networks with 4 seeds each") for line in lines)
    assert sum("width=" in line and "seed 3" in line for line in lines) == 2
    assert any(line.startswith("Attention pays here: ") for line in lines)
    assert lines[-2:] == [f"Written: {folder / 'verdict.csv'}", f"Written: {folder / 'verdict.svg'}"]
    rows = by_key(rows_of(folder))
    lasting = [judged[1].conclusion.leader, parse("none").key, *(key for key in rows if "width" in key)]
    assert [set(rows[key]) for key in lasting] == [{0, 1, 2, 3}] * 4


def test_a_report_tells_the_verdict_once_there_is_one(judged, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(judged[0], folder)
    report_study(folder)
    assert "Does attention pay?" in (folder / "report.html").read_text(encoding="utf-8")
    (folder / "verdict.csv").unlink()
    report_study(folder)
    assert "Does attention pay?" not in (folder / "report.html").read_text(encoding="utf-8")


def test_where_no_network_is_promising_that_is_said_and_no_rival_is_trained(tmp_path, monkeypatch):
    """The plain backbone and the one that loses least get their seeds, once: then noise is known."""
    hindering = partial(trained, points=-5, kinds=(NON_LOCAL, ATTENTIONS["se"]))
    monkeypatch.setattr("nas_attn.tasks.of_images.train", hindering)
    folder = write(tmp_path / "study")
    nas_attn.open_study(folder).run()
    found = nas_attn.open_study(folder).verdict()
    assert found.conclusion.leader is None
    assert not found.conclusion.pays
    assert found.sentences[0].startswith("No attention pays here")
    rows = by_key(StudyFolder.open(folder).all_rows())
    least = max((key for key in rows if key != parse("none").key), key=lambda key: rows[key][0]["accuracy"])
    assert {key: len(seeds) for key, seeds in rows.items()} == dict.fromkeys(rows, 1) | {parse("none").key: 3, least: 3}
    assert StudyFolder.open(folder).width_matched() == []
    assert "No network is promising" in (folder / "verdict.svg").read_text()
    again = nas_attn.open_study(folder).verdict(watch=Watch(on_epoch=lambda *_: pytest.fail("something is trained")))
    assert again.sentences == found.sentences
    report_study(folder)
    assert "No network is promising" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_claim_that_is_added_afterwards_is_compared_on_the_screen_in_python_and_on_the_page(judged, tmp_path, capsys):
    folder = tmp_path / "study"
    shutil.copytree(judged[0], folder)
    leader = nas_attn.open_study(folder).verdict(train=False).conclusion.leader
    where = str(nas_attn.open_study(folder).architecture(leader))
    claims = f"""
[[claim]]
where = "{where}"
gain = 90
error = 0.5
source = "Somebody (2018)"
"""
    with (folder / "study.toml").open("a") as file:
        file.write(claims)
    (one,) = nas_attn.open_study(folder).verdict(train=False).conclusion.claims
    gain = next(each.gain for each in judged[1].conclusion.comparison.networks if each.what == leader)
    assert (one.finding, one.measured.value) == ("refuted", pytest.approx(gain.value))
    assert (folder / "claims.svg").exists()
    cli.app(["verdict", str(folder), "--no-train"], standalone_mode=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "Of 1 printed claim 1 is refuted here" in said
    assert "Refuted, as a smaller gain is measured:" in said
    report_study(folder)
    assert "Somebody (2018)" in (folder / "report.html").read_text()
