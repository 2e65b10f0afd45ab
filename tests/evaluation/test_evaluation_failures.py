"""One candidate never ends a study: whatever it does is its row, and a file says where it happened."""

import importlib
import pickle
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_protocol import STUDY, keeping, row
from small_study import CHAIN

import nas_attn
from nas_attn.assembly import build, identity_started, load_space
from nas_attn.evaluation import Workers
from nas_attn.evaluation.supernet import build_supernet
from nas_attn.space import InputError

SE = "stage1.block0.branch=se(reduction=4)"
FAILURES = {
    "Exits": "SystemExit: 1",
    "ReadsAFile": "FileNotFoundError: .*frequencies-of-another-computer.pt",
    "StopsAnIteration": "StopIteration",
    "Asserts": "AssertionError",
    "WarnsInEarnest": "DeprecationWarning: deprecated",
    "OfTheirOwn": "OddError",
    "NoException": "OddLeaving: away",
    "OnTheWayBack": "ArithmeticError: no gradient",
    "AtTheEnd": "RuntimeError: sizes differ",
    "OnlyJudged": "NotImplementedError: no evaluation mode",
    "BuiltOnCpuOnly": "stage1.block0.branch: .*found 16; at least 128",
    "ReadsWhenBuilt": "stage1.block0.branch: .*: FileNotFoundError: .*frequencies-of-another-computer.npy",
    "KeepsWhatNoFileHolds": "ValueError: .*spectrum: found torch.complex128",
    "TwoTensors": "(TypeError|AttributeError): .*tuple",
    "OtherShape": "RuntimeError: .*size of tensor",
}


@pytest.fixture(autouse=True)
def _networks_of_users(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "case_networks")


@pytest.fixture
def protocol(tmp_path):
    return replace(keeping(tmp_path), failures=tmp_path / "failures")


@pytest.mark.parametrize(("name", "reason"), FAILURES.items(), ids=FAILURES)
def test_whatever_an_attention_does_is_its_row_and_a_file_keeps_where(protocol, name, reason):
    found = protocol.train(row(f"stage1.block0.branch=misbehaving:{name}"))
    assert found.state == "failed"
    told, _, file = found.reason.rpartition("; see ")
    assert re.match(reason, told), told
    assert file == f"failures/{found.key}-seed0.txt"
    kept = (protocol.failures / f"{found.key}-seed0.txt").read_text()
    assert kept.startswith(f"stage1.block0.branch=misbehaving:{name}\nstep final, seed 0")
    assert "line" in kept
    assert "misbehaving.py" in kept or name in ("TwoTensors", "OtherShape", "KeepsWhatNoFileHolds")


@pytest.mark.parametrize("name", ["Exits", "ReadsAFile", "BuiltOnCpuOnly"])
def test_what_the_plain_backbone_does_too_ends_the_search(protocol, monkeypatch, name):
    def misbehave(self, images):
        return getattr(misbehaving, name)(8).to(images.device)(images)

    misbehaving = importlib.import_module("misbehaving")
    monkeypatch.setattr("nas_attn.backbones.resnet.BasicBlock.forward", misbehave)
    for spelt in ("none", SE):
        with pytest.raises(InputError, match=r"^the plain backbone cannot be trained: .*; see failures/\w+-seed0"):
            protocol.train(row(spelt))
    assert [file.name for file in protocol.failures.iterdir()] == [f"{row().key}-seed0.txt"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize("error", [SystemExit(7), TimeoutError("an hour is over"), RuntimeError("enough")], ids=repr)
@pytest.mark.parametrize(
    "method", ["attention.se.SqueezeExcitation.forward", "data.batches.PartBatches.__iter__"], ids=["network", "images"]
)
def test_what_the_callers_handler_of_a_signal_raises_is_no_fault_of_a_network(
    protocol, monkeypatch, number, error, method
):
    def leave(*_):
        raise error

    before = signal.signal(number, leave)
    monkeypatch.setattr(f"nas_attn.{method}", lambda *_: signal.raise_signal(number))
    try:
        with pytest.raises(type(error)) as left:
            protocol.train(row(SE))
        assert left.value is error
    finally:
        signal.signal(number, before)


def test_a_search_by_steps_goes_on_with_the_others(make_study, monkeypatch, caplog):
    caplog.set_level("WARNING")
    monkeypatch.setattr("nas_attn.attention.spatial.SpatialAttention.forward", breaks_while_it_learns)
    study = nas_attn.open_study(make_study(CHAIN))
    study.run()
    first = study.folder.rows("supernet").values()
    failed = {row.architecture for row in first if row.state == "failed"}
    assert failed == {row.architecture for row in first if "spatial" in row.architecture} != set()
    assert len(failed) < len(first)
    assert all(row["loss"] > 0 for row in first if row.state == "complete")
    named = {row.reason.rpartition("; see ")[2] for row in first if row.state == "failed"}
    assert {f"failures/{file.name}" for file in (study.folder.path / "failures").iterdir()} == named
    said = [record.getMessage() for record in caplog.records if "the supernet learns without it" in record.getMessage()]
    assert sorted(line.split(".")[0] for line in said) == ["stage1", "stage2", "stage3"]
    assert {row.state for row in study.folder.rows("final").values()} == {"complete"}


def breaks_while_it_learns(self, features):
    if len(features) > 3:  # more than are counted and timed
        raise TypeError("not in earnest")
    return features * 0.5


def exits_while_it_is_timed(self, features):
    if torch.is_inference_mode_enabled() and len(features) == 1:
        sys.exit("no such device")
    return features * 0.5


def test_what_cannot_be_timed_is_a_row_that_names_its_file(make_study, monkeypatch):
    monkeypatch.setattr("nas_attn.attention.spatial.SpatialAttention.forward", exits_while_it_is_timed)
    study = nas_attn.open_study(make_study(STUDY.replace("[recipe]", "[budget]\nmax_params = 100_000\n[recipe]")))
    study.run()
    table = study.table()
    failed = table[table["architecture"].str.contains("spatial")]
    assert list(failed["state"]) == ["failed"]
    reason, _, file = failed["reason"].iloc[0].rpartition("; see ")
    assert reason == "SystemExit: no such device"
    assert "exits_while_it_is_timed" in (study.folder.path / file).read_text()
    assert list(table["state"]).count("complete") == 2


def test_what_no_process_can_be_given_ends_the_search_without_a_row(protocol):
    unsendable = replace(protocol, trainer={"callbacks": [lambda: None]})
    with pytest.raises(InputError, match=r"no process can be begun for jobs.*search with one job.*lambda"):
        Workers(unsendable, 2)


def test_what_is_inherited_from_a_supernet_reaches_a_process_that_the_network_cannot_be_sent_to(tmp_path):
    """Its shortcut is a lambda."""
    (tmp_path / "space.toml").write_text(
        'backbone = "net01:make_net"\nimage = [1, 8, 8]\n[kinds.spatial]\n[kinds.eca]\n'
    )
    spacefile, space = load_space(tmp_path / "space.toml")
    supernet = build_supernet(space, spacefile.backbone, in_channels=1, classes=10)
    with pytest.raises(AttributeError, match="lambda"):
        pickle.dumps(supernet)
    sent = pickle.loads(pickle.dumps(supernet.shared_weights()))
    for architecture in space.baselines():
        network = build(identity_started(architecture), spacefile.backbone, in_channels=1, classes=10, seed=1)
        network.load_state_dict(sent(architecture))
        supernet.choose(architecture)
        images = torch.randn(2, 1, 8, 8)
        assert torch.equal(network.eval()(images), supernet.eval()(images))


def test_a_candidate_that_fails_in_a_process_of_its_own_names_its_file(protocol, forked_workers):
    with Workers(protocol, 2) as workers:
        spelt = ("none", "stage1.block0.branch=misbehaving:Exits", "stage2.block0.branch=misbehaving:TwoTensors")
        found = [future.result() for future in [workers.train(row(one)) for one in spelt]]
    assert [one.state for one in found] == ["complete", "failed", "failed"]
    for one in found[1:]:
        assert "line" in (protocol.failures.parent / one.reason.rpartition("; see ")[2]).read_text()
