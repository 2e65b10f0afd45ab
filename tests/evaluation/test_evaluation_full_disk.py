"""A disk that is really full: a line that names the file, nothing half-written, and with room the same call goes on."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from small_protocol import RECIPE, keeping, row

from nas_attn.cost import LatencyReading, Readings
from nas_attn.evaluation import PretrainedStore
from nas_attn.settings import Backbone
from nas_attn.space import InputError
from nas_attn.study import Unwritten

SE = "stage1.block0.branch=se(reduction=4)"
FULL = os.strerror(28)


@pytest.fixture
def disk(tmp_path):
    """A file system of 4 MiB of its own, whose name is that of a folder, or none where nobody may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root alone")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk, leaving=0):
    """Write until nothing is left, but for so many bytes."""
    with (disk / "others").open("wb", buffering=0) as file:
        free = os.statvfs(disk)
        file.write(bytes(max(0, free.f_bavail * free.f_frsize - leaving)))


def weights(protocol, disk):
    return lambda: protocol.train(row(SE)).state, "kept/", 40_000


def outcomes(protocol, disk):
    return lambda: protocol.train(row(SE)).state, "outcomes/", None


def checkpoint(protocol, disk):
    longer = replace(protocol, recipe=RECIPE.model_copy(update={"epochs": 2}))
    return lambda: longer.train(row(SE)).state, "running/", 40_000


def base(protocol, disk):
    store = PretrainedStore(disk / "trained", Backbone(name="resnet8"), protocol.task, {}, 0, lambda *_: None)
    return lambda: store.base(RECIPE).path.is_file() and "complete", "trained/base-", 40_000


def trace(protocol, disk):
    spelt = "stage1.block0.branch=misbehaving:Asserts"
    return lambda: {"failed": "complete"}[protocol.train(row(spelt)).state], "failures/", 0


def reading(protocol, disk):
    readings = Readings(disk / "latency.jsonl")
    readings.put({"number": 0}, LatencyReading(2.0, 1.9, 2.1, 0.3, 300, "x" * 8000))

    def put():
        readings.put({"number": 1}, LatencyReading(2.0, 1.9, 2.1, 0.3, 300, "x" * 8000))
        assert len(readings.path.read_text().splitlines()) == 2
        return "complete"

    return put, "latency.jsonl", 4096


def unwritten(protocol, disk):
    known = row(SE, state="complete", loss=1.0, accuracy=0.5)
    return lambda: Unwritten(disk / "unwritten").keep(known) or "complete", "unwritten/", 0


@pytest.mark.parametrize(
    "kind", [weights, outcomes, checkpoint, base, trace, reading, unwritten], ids=lambda kind: kind.__name__
)
def test_a_full_disk_is_a_line_that_names_the_file_and_costs_nothing_else(disk, kind, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "case_networks")
    monkeypatch.setattr("nas_attn.training.checkpoint.KEEP_EVERY_SECONDS", 0.0)
    folders = {name: disk / name for name in ("outcomes", "failures", "running")}
    protocol = replace(keeping(tmp_path), keeps=disk / "kept", **folders)
    act, name, room = kind(protocol, disk)
    if room is None:  # room for the weights and not for what is written after them
        protocol.train(row(SE))
        room = next((disk / "kept").iterdir()).stat().st_size
        for folder in ("kept", "outcomes"):
            for file in (disk / folder).iterdir():
                file.unlink()
        room += -room % 4096
    fill(disk, room)
    before = {file for file in disk.rglob("*") if file.is_file()}
    sizes = {file: file.stat().st_size for file in before}
    with pytest.raises(InputError) as told:
        act()
    assert str(told.value).startswith(f"{disk}/{name}")
    assert str(told.value).endswith(f": cannot be written: {FULL}")
    assert "\n" not in str(told.value)
    after = {file for file in disk.rglob("*") if file.is_file() and not file.name.endswith(".lock")}
    assert {file for file in after if file.name.startswith(".") or file.suffix == ".part"} == set()
    assert {file: file.stat().st_size for file in before} == sizes
    (disk / "others").unlink()
    assert act() == "complete"
