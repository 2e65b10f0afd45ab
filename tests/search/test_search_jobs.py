from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier

import pytest
from fakes import FakeEvaluator, begun, search, space, study_file
from optuna.trial import TrialState

from nas_attn.search.samplers import SAMPLERS
from nas_attn.space import InputError
from nas_attn.study import read_rows


class Pool(FakeEvaluator):
    """Trains in threads, and finishes none before as many are in training as it takes."""

    def __init__(self, jobs, together=1):
        super().__init__()
        self.jobs, self.pool, self.together = jobs, ThreadPoolExecutor(jobs), Barrier(together, timeout=30)

    def train(self, row):
        self.trained.append((row.architecture, row.seed))
        return self.pool.submit(self._meet, row)

    def _meet(self, row):
        self.together.wait()
        return self.result(row)


class Scripted(FakeEvaluator):
    """Its trainings end as the script says: with a result, an exception, or not at all."""

    jobs = 3

    def __init__(self, *script):
        super().__init__()
        self.script = [*script]

    def train(self, row):
        self.trained.append((row.architecture, row.seed))
        future, end = Future(), self.script.pop(0)
        if isinstance(end, BaseException):
            future.set_exception(end)
        elif end == "done":
            future.set_result(self.result(row))
        return future


def seeded(seeds):
    return study_file(chain=[{"proxy": "final", "seeds": seeds}])


def rows(folder):
    return read_rows(begun(folder))


@pytest.mark.parametrize(("jobs", "seeds"), [(3, 1), (2, 2), (4, 2)])
def test_as_many_train_at_once_as_there_are_jobs_and_no_more(tmp_path, jobs, seeds):
    evaluator = Pool(jobs, together=jobs)
    assert search(tmp_path, evaluator, file=seeded(seeds)).run(12) == "12 of 12 networks are trained"
    assert len(evaluator.trained) == len(set(evaluator.trained)) == 12 * seeds
    assert len(rows(tmp_path)) == 12 * seeds


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_is_in_training_is_not_trained_twice(tmp_path, sampler):
    evaluator, small = Pool(5), space(stages=2)
    file = study_file(search={"sampler": sampler})
    said = search(tmp_path, evaluator, file=file, over=small).run(1000)
    assert said == "the space is exhausted: all 16 networks are trained or over budget"
    assert len(evaluator.trained) == len(set(evaluator.trained)) == 16
    assert {trial.state for trial in begun(tmp_path, over=small).trials} == {TrialState.COMPLETE}


def test_a_proposal_of_what_is_in_training_gets_what_comes_out(tmp_path):
    evaluator, tiny = Pool(4, together=4), space(stages=1)
    search(tmp_path, evaluator, over=tiny).run(1000)
    search(tmp_path, Pool(1), over=tiny).run(1000)
    values = {}
    for trial in begun(tmp_path, over=tiny).trials:
        values.setdefault(trial.user_attrs["architecture"], set()).add(tuple(trial.values))
    assert len(values) == 4
    assert all(len(different) == 1 for different in values.values())


def test_several_jobs_find_what_one_finds(tmp_path):
    given = [*space(stages=2).architectures()]
    found = []
    for jobs in (1, 4):
        folder = tmp_path / str(jobs)
        folder.mkdir()
        search(folder, Pool(jobs), file=seeded(2), over=space(stages=2), given=given).run()
        found.append({key: repr(row) for key, row in read_rows(begun(folder, over=space(stages=2))).items()})
    assert found[0] == found[1]
    assert len(found[0]) == 32


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), InputError("no such file"), OSError("broken pipe")])
def test_an_exception_comes_through_once_all_that_is_finished_is_written(tmp_path, raised):
    first = Scripted(raised, "done", "never")
    reported = []
    with pytest.raises(type(raised)):
        search(tmp_path, first, on_row=lambda row, done: reported.append(row.architecture)).run(6)
    assert reported == [first.trained[1][0]]
    trials = begun(tmp_path).trials
    assert [trial.state for trial in trials] == [TrialState.FAIL, TrialState.COMPLETE, TrialState.FAIL]
    assert [trial.user_attrs["architecture"] for trial in trials] == [name for name, _ in first.trained]
    second = Pool(3)
    assert search(tmp_path, second).run(6) == "6 of 6 networks are trained"
    assert [name for name, _ in second.trained[:2]] == [first.trained[0][0], first.trained[2][0]]
    assert len(second.trained) == 5


def test_a_seed_that_was_finished_before_an_exception_is_kept(tmp_path):
    first = Scripted("done", "never", OSError("broken pipe"))
    with pytest.raises(OSError, match="broken pipe"):
        search(tmp_path, first, file=seeded(3)).run(1)
    assert [seed for _, seed in rows(tmp_path)] == [0]
    second = Pool(2)
    search(tmp_path, second, file=seeded(3)).run(1)
    assert second.trained == [("none", 1), ("none", 2)]


def test_what_is_given_is_trained_and_nothing_else(tmp_path):
    given = [*space().architectures()][5:12]
    evaluator = FakeEvaluator()
    assert search(tmp_path, evaluator, given=[*given, given[0]]).run() == "7 of 7 networks are trained"
    assert evaluator.trained == [str(architecture) for architecture in given]
    assert search(tmp_path, evaluator, given=given[:3]).run() == "3 of 3 networks are trained"
    assert len(evaluator.trained) == 7


def test_what_is_given_and_over_budget_is_said(tmp_path):
    file = study_file(budget={"max_params": 1200})
    given = [*space().architectures()][-1:] + [*space().architectures()][:2]
    said = search(tmp_path, FakeEvaluator(), file=file, given=given).run()
    assert said == "2 of 3 networks are trained; the others are over budget"


def test_a_proposal_that_a_killed_process_left_waiting_does_not_come_in_place_of_what_is_given(tmp_path):
    over = space()
    given = [*over.architectures()][1:4]
    begun(tmp_path).enqueue_trial(over.answers([*over.architectures()][20]))
    evaluator = FakeEvaluator()
    search(tmp_path, evaluator, given=given).run()
    assert evaluator.trained == [str(architecture) for architecture in given]
