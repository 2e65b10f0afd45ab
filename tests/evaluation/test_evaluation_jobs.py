"""Networks that are trained in processes of their own."""

import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from processes import FORKS, fork_workers

from nas_attn.data import images, load_data
from nas_attn.evaluation import TrainingProtocol, Workers, weights_file
from nas_attn.results import evaluation
from nas_attn.settings import Backbone, Digits, Recipe
from nas_attn.space import InputError, parse
from nas_attn.tasks import ImageTask

NAN = float("nan")


@pytest.fixture
def protocol(tmp_path):
    data = load_data(Digits(), tmp_path)
    return TrainingProtocol(
        backbone=Backbone(name="resnet8"),
        task=ImageTask(data),
        recipe=Recipe(epochs=1, batch_size=256),
        start="scratch",
    )


def row(spelling, seed):
    architecture = parse(spelling)
    return evaluation(key=architecture.key, architecture=spelling, params=1, macs=1, flops=1, seed=seed)


ROWS = [row("none", 0), row("stage2.block0.branch=se(reduction=4)", 1), row("none", 1)]


class Fake:
    """As much of a protocol as processes need."""

    limit_minutes = None

    def forget(self, row):
        """Nothing is kept of it."""


class Stubborn(Fake):
    """Ends the process that it is trained in, as often as it is made to."""

    def __init__(self, folder, deaths):
        self.folder, self.deaths = folder, deaths

    def train(self, row, on_epoch):
        died = len(list(self.folder.iterdir()))
        if died < self.deaths:
            (self.folder / str(died)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(row, state="complete")


class Unloadable(Fake):
    """What cannot be taken over by another process, as a class of a script without a main guard."""

    def __reduce__(self):
        return os._exit, (1,)


class Told(Fake):
    """Tells which device a process sees, and how many share it."""

    def train(self, row, on_epoch):
        return replace(row, reason=f"{os.environ['CUDA_VISIBLE_DEVICES']} of {images._sharing}")


class Faulty(Fake):
    def train(self, row, on_epoch):
        raise InputError("the disk: is full")


def found(row):
    return row["accuracy"], row["loss"], row["train_loss"]


def test_rows_are_those_of_one_job(protocol, forked_workers):
    alone = [protocol.train(one) for one in ROWS]
    with Workers(protocol, 2) as workers:
        together = [future.result() for future in [workers.train(one) for one in ROWS]]
    assert [one.state for one in together] == ["complete"] * 3
    assert list(map(found, together)) == list(map(found, alone))


def test_each_process_sees_one_gpu_and_knows_how_many_share_it(monkeypatch, forked_workers):
    monkeypatch.setattr("nas_attn.evaluation.jobs._devices", lambda jobs: ["0", "1", "0"])
    with Workers(Told(), 3) as workers:
        said = [worker.train(ROWS[0]).reason for worker in workers._all]
    assert said == ["0 of 2", "1 of 1", "0 of 2"]


def test_weights_are_kept_by_the_processes(protocol, tmp_path, forked_workers):
    with Workers(replace(protocol, keeps=tmp_path / "weights"), 1) as workers:
        workers.train(ROWS[1]).result()
    assert weights_file(tmp_path / "weights", ROWS[1].key, 1).is_file()


@pytest.mark.parametrize(("deaths", "state"), [(1, "complete"), (2, "failed")])
def test_a_network_is_tried_again_when_its_process_dies_once(tmp_path, deaths, state, forked_workers):
    with Workers(Stubborn(tmp_path, deaths), 1) as workers:
        trained = workers.train(ROWS[0]).result()
        assert trained.state == state
        assert ("2 processes died while they trained it, the last by SIGKILL" in trained.reason) == (state == "failed")
        assert workers.train(ROWS[1]).result().state == "complete"


def test_what_is_reported_to_a_user_crosses_the_processes(forked_workers):
    with Workers(Faulty(), 1) as workers, pytest.raises(InputError, match="the disk: is full"):
        workers.train(ROWS[0]).result()


def test_a_process_that_ends_before_it_is_ready_ends_the_search_and_is_no_fault_of_the_network(forked_workers):
    with Workers(Unloadable(), 2) as workers:
        futures = [workers.train(row) for row in ROWS]
        for future in futures:
            with pytest.raises(InputError, match=r"before it was ready, by exit code 1.*if __name__ == \"__main__\":"):
                future.result()


def test_processes_end_with_their_context(protocol, forked_workers):
    with Workers(protocol, 2) as workers:
        pending = workers.train(ROWS[0])
        assert len(multiprocessing.active_children()) == 2
    assert multiprocessing.active_children() == []
    assert pending.done()


def test_processes_end_with_the_one_that_began_them(tmp_path):
    """Killed at once, so that it says no goodbye."""
    children = tmp_path / "children"
    began = FORKS.Process(target=_begin_and_wait, args=(children,))
    began.start()
    while not (children.is_file() and len(children.read_text().split()) == 2):
        began.join(0.05)
    numbers = [int(number) for number in children.read_text().split()]
    began.kill()
    began.join()
    patience = time.monotonic() + 60
    while any(map(_lives, numbers)) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not any(map(_lives, numbers))


def _begin_and_wait(children: Path):
    fork_workers(pytest.MonkeyPatch())
    with Workers(Faulty(), 2):
        numbers = [str(child.pid) for child in multiprocessing.active_children()]
        children.write_text(" ".join(numbers))
        time.sleep(600)


def _lives(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
