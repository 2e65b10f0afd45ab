"""From step to step the best go on, and jobs that are left over begin with them early."""

import random
from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from fakes import FACTS, FakeEvaluator, space, study_file

from nas_attn.chain import run_chain
from nas_attn.search import Lead, Search, promoted
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
        self.begun = []

    @contextmanager
    def search(self, step, chosen=None):
        file, path = self.folder.file, self.folder.path
        self.begun.append((step.name, len(self.work.log)))
        study = find_study(path, None, step.name) or begin_study(path, None, file.objectives, step.name)
        write_question(study, {"objectives": file.objectives, "seed": file.seed}, space(), FACTS)
        given, led = (None, chosen) if isinstance(chosen, Lead) else (chosen, None)
        yield Search(study, space(), file, step, Evaluator(self.work), lambda row, trained: None, given, led)

    def look(self, step, chosen=None, following=None):
        with self.search(step, chosen) as search:
            return search.run(following=following)


@pytest.fixture
def jobs(monkeypatch):
    """Makes jobs whose time passes where a search waits."""

    def make(number, takes=lambda row: 1):
        made = Jobs(number, takes)

        def wait(futures, return_when):
            made.wait(futures)
            return SimpleNamespace(done={future for future in futures if future.done()})

        monkeypatch.setattr("nas_attn.search.loop.wait", wait)
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


def test_with_one_job_a_step_begins_when_the_one_before_has_ended(tmp_path, jobs):
    chain = FakeChain(tmp_path, FILE, jobs(1, slow_last))
    assert run_chain(chain).startswith("4 of 4 networks are trained; 3 of 3 more trainings were spent")
    assert chain.begun == [("scratch", 0), ("final", 10)]
    assert [step for step, _, _ in chain.work.log] == ["scratch"] * 10 + ["final"] * (4 * 2 + 3)


def test_jobs_that_are_left_over_begin_with_the_best_so_far(tmp_path, jobs):
    chain = FakeChain(tmp_path, FILE, jobs(3, slow_last))
    assert run_chain(chain).startswith("4 of 4 networks are trained; 3 of 3 more trainings were spent")
    log = chain.work.log
    steps = [step for step, _, _ in log]
    assert chain.begun == [("scratch", 0), ("final", 10)]
    assert chain.work.most == 3
    assert len(set(log)) == len(log)
    assert steps.count("scratch") == 10
    best = promoted(chain.folder.seed_rows("scratch"), FILE, 4, "accuracy")
    assert {one.key for one in best} <= keys(chain.folder, "final")
    early = len([one for one in log if one[0] == "final"]) - (4 * 2 + 3)
    assert early <= 2 * 2


def test_early_trainings_run_beside_the_last_ones_of_the_step_before(tmp_path, jobs):
    work = jobs(3, lambda row: 20 if row.step == "scratch" else 1)
    ended = []
    begin = work.begin

    def watched(row, result):
        ended.append((row.step, len([one for one in work.running if one[3].step == "scratch"])))
        return begin(row, result)

    work.begin = watched
    run_chain(FakeChain(tmp_path, FILE, work))
    assert ("final", 1) in ended
    assert ("final", 3) not in ended


def test_no_seed_is_raced_for_while_the_step_before_still_runs(tmp_path, jobs):
    work = jobs(3, slow_last)
    raced = []
    begin = work.begin
    work.begin = lambda row, result: (
        raced.append(any(one[3].step == "scratch" for one in work.running)) if row.seed > 1 else None,
        begin(row, result),
    )[1]
    run_chain(FakeChain(tmp_path, FILE, work))
    assert raced
    assert not any(raced)


def test_what_stops_while_two_steps_run_goes_on_and_trains_nothing_twice(tmp_path, jobs):
    work = jobs(3, slow_last)
    begin, first = work.begin, []

    def stopping(row, result):
        if row.step == "final" and not first:
            first.append(row.key)
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


def test_a_step_that_the_sampler_chooses_waits_for_all_scores(tmp_path, jobs):
    chain = [CHAIN[0], {**CHAIN[1], "chosen_by": "sampler"}]
    file = study_file(objectives=["accuracy", "flops"], chain=chain)
    fake = FakeChain(tmp_path, file, jobs(3, slow_last))
    run_chain(fake)
    assert fake.begun == [("scratch", 0), ("final", 10)]
    steps = [step for step, _, _ in fake.work.log]
    assert steps == sorted(steps, reverse=True)
