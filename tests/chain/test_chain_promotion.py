"""From step to step the best go on."""

import random
from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from fakes import FACTS, FakeEvaluator, space, study_file

from nas_attn.chain import Watch, run_chain
from nas_attn.search import Search, promoted
from nas_attn.study import StudyFolder, begin_study, find_study, write_question


class Jobs:
    """Several jobs that train one network at a time for as long as each is said to take."""

    def __init__(self, jobs, takes=lambda row: 1):
        self.jobs, self.takes, self.now = jobs, takes, 0
        self.running, self.log, self.most = [], [], 0

    def begin(self, row, result):
        future = Future()
        self.running.append((self.now + self.takes(row), len(self.log), future, result))
        self.log.append((row.step, row.key, row.seed))
        self.most = max(self.most, len(self.running))
        return future

    def wait(self, futures):
        """The first of these to be done, and all that are done with it."""
        self.now = min(until for until, _, future, _ in self.running if future in futures)
        for until, _, future, result in sorted(self.running, key=lambda one: one[:2]):
            if until <= self.now:
                future.set_result(result)
        self.running = [one for one in self.running if one[0] > self.now]


class Evaluator(FakeEvaluator):
    def __init__(self, jobs):
        super().__init__()
        self.work, self.jobs = jobs, jobs.jobs

    def train(self, row):
        accuracy = 0.9 + random.Random(f"{row.step} {row.key} {row.seed}").gauss(0, 0.02)
        return self.work.begin(row, self.result(row).but(accuracy=accuracy))


class FakeChain:
    """A chain whose networks are trained by fake jobs."""

    def __init__(self, path, file, jobs):
        path.mkdir(exist_ok=True)
        self.folder, self.work, self.jobs = StudyFolder(path, file), jobs, jobs.jobs
        self.watch, self.begun = Watch(), []

    @contextmanager
    def search(self, step, chosen=None):
        file, path = self.folder.file, self.folder.path
        self.begun.append((step.name, len(self.work.log)))
        study = find_study(path, None, step.name) or begin_study(path, None, file.objectives, step.name)
        write_question(study, {"objectives": file.objectives, "seed": file.seed}, space(), FACTS)
        yield Search(study, space(), file, step, Evaluator(self.work), lambda row, trained: None, chosen)

    def run_step(self, step, chosen=None):
        with self.search(step, chosen) as search:
            return search.run()


@pytest.fixture
def jobs(monkeypatch):
    """Makes jobs whose time passes where a search waits."""

    def make(number, takes=lambda row: 1):
        made = Jobs(number, takes)

        def wait(futures, return_when):
            made.wait(futures)
            return SimpleNamespace(done={future for future in futures if future.done()})

        monkeypatch.setattr("nas_attn.search.trainings.wait", wait)
        return made

    return make


CHAIN = [
    {"proxy": "scratch", "epochs": 1, "networks": 10, "score": "accuracy"},
    {"proxy": "final", "networks": 4, "seeds": 2, "extra_trainings": 3},
]
FILE = study_file(objectives=["accuracy", "flops"], chain=CHAIN)


def slow_last(row):
    """One of the first step takes as long as many others."""
    return 20 if row.step == "scratch" and row.key.startswith(("a", "b")) else 1


def keys(folder, step):
    return {row.key for row in folder.seed_rows(step)}


@pytest.mark.parametrize("number", [1, 3])
def test_a_step_begins_with_the_best_when_the_one_before_has_ended(tmp_path, jobs, number):
    chain = FakeChain(tmp_path, FILE, jobs(number, slow_last))
    assert run_chain(chain).startswith("4 of 4 networks are trained; 3 of 3 more trainings were spent")
    log = chain.work.log
    assert chain.work.most == number
    assert chain.begun == [("scratch", 0), ("final", 10)]
    assert [step for step, _, _ in log] == ["scratch"] * 10 + ["final"] * (4 * 2 + 3)
    assert len(set(log)) == len(log)
    best = promoted(chain.folder.seed_rows("scratch"), FILE, 4, "accuracy")
    assert {one.key for one in best} == keys(chain.folder, "final")


def test_no_further_seed_is_trained_before_all_networks_have_those_of_the_step(tmp_path, jobs):
    chain = FakeChain(tmp_path, FILE, jobs(3, slow_last))
    run_chain(chain)
    seeds = [seed for step, _, seed in chain.work.log if step == "final"]
    assert max(seeds[:8]) == 1
    assert min(seeds[8:]) == 2


@pytest.mark.parametrize("after", [5, 12])
def test_what_stops_in_any_step_goes_on_and_trains_nothing_twice(tmp_path, jobs, after):
    work = jobs(3, slow_last)
    begin = work.begin

    def stopping(row, result):
        if len(work.log) == after:
            raise KeyboardInterrupt
        return begin(row, result)

    work.begin = stopping
    with pytest.raises(KeyboardInterrupt):
        run_chain(FakeChain(tmp_path, FILE, work))
    folder = StudyFolder(tmp_path, FILE)
    before = {(row.step, row.key, row.seed) for row in folder.all_rows()}
    assert before
    again = jobs(3, slow_last)
    assert run_chain(FakeChain(tmp_path, FILE, again)).startswith("4 of 4 networks are trained")
    assert not before & {*again.log}
    assert len(keys(folder, "scratch")) == 10
