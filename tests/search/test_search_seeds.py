import statistics
from dataclasses import replace

import pytest
from fakes import FakeEvaluator, begun, search, space, study_file
from optuna.trial import TrialState

from nas_attn.study import StudyFolder, read_rows


class FailsForSeed(FakeEvaluator):
    """Gives no result for one seed."""

    def __init__(self, seed):
        super().__init__()
        self.seed = seed

    def result(self, row):
        if row.seed == self.seed:
            return replace(row, state="failed", reason="the loss is not finite")
        return super().result(row)


def seeded(seeds, **tables):
    return study_file(chain=[{"proxy": "final", "seeds": seeds}], seed=7, **tables)


def trained(folder):
    return set(read_rows(begun(folder, seeded(1))))


def test_each_network_is_trained_for_every_seed(tmp_path):
    reported = []
    evaluator = FakeEvaluator()
    said = search(tmp_path, evaluator, file=seeded(3), on_row=lambda row, done: reported.append((row.seed, done))).run(
        2
    )
    assert said == "2 of 2 networks are trained"
    assert reported == [(7, 0), (8, 0), (9, 1), (7, 1), (8, 1), (9, 2)]
    rows = StudyFolder(tmp_path, seeded(3)).all_rows()
    assert [(row.architecture, row.seed) for row in rows] == [
        (architecture, seed) for architecture in dict.fromkeys(evaluator.trained) for seed in (7, 8, 9)
    ]


def test_optuna_gets_the_mean_and_the_table_shows_it(tmp_path):
    search(tmp_path, FakeEvaluator(), file=seeded(3)).run(4)
    folder = StudyFolder(tmp_path, seeded(3))
    accuracies = {}
    for row in folder.all_rows():
        accuracies.setdefault(row.key, []).append(row["accuracy"])
    means = {key: sum(values) / 3 for key, values in accuracies.items()}
    assert [trial.values[0] for trial in folder.study().trials] == pytest.approx([*means.values()])
    table = folder.table()
    assert dict(table["accuracy"]) == pytest.approx(means)
    assert list(table["seeds"]) == [3] * 4
    for key, values in accuracies.items():
        assert table.loc[key, "accuracy_std"] == pytest.approx(statistics.stdev(values))


def test_more_seeds_train_only_what_is_missing(tmp_path):
    search(tmp_path, FakeEvaluator(), file=seeded(1)).run(5)
    before = trained(tmp_path)
    evaluator = FakeEvaluator()
    search(tmp_path, evaluator, file=seeded(3)).run(5)
    assert len(evaluator.trained) == 10
    assert trained(tmp_path) == {(key, seed) for key, _ in before for seed in (7, 8, 9)}


@pytest.mark.parametrize("after", [1, 2, 4, 5])
def test_a_row_that_an_interrupted_trial_had_written_is_not_trained_again(tmp_path, after):
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, FakeEvaluator(stops_at=after), file=seeded(3)).run(3)
    assert len(trained(tmp_path)) == after
    evaluator = FakeEvaluator()
    assert search(tmp_path, evaluator, file=seeded(3)).run(3) == "3 of 3 networks are trained"
    assert len(evaluator.trained) == 9 - after
    assert len(trained(tmp_path)) == 9


def test_a_network_that_fails_for_one_seed_fails_for_optuna_and_its_other_rows_stay(tmp_path):
    search(tmp_path, FailsForSeed(8), file=seeded(3)).run(2)
    folder = StudyFolder(tmp_path, seeded(3))
    trials = folder.study().trials
    assert {trial.state for trial in trials} == {TrialState.PRUNED}
    assert all(trial.constraints["failed"] > 0 for trial in trials)
    assert [row.state for row in folder.all_rows()] == ["complete", "failed", "complete"] * 2
    assert list(folder.table()["seeds"]) == [2, 2]
    evaluator = FakeEvaluator()
    search(tmp_path, evaluator, file=seeded(3)).run(2)
    assert not evaluator.trained


def test_a_network_that_fails_before_training_has_a_row_for_each_seed(tmp_path):
    class Untimed(FakeEvaluator):
        def time(self, row):
            return replace(row, state="failed", reason="cannot run there")

    evaluator = Untimed()
    reported = []
    search(tmp_path, evaluator, file=seeded(2), on_row=lambda row, done: reported.append(done)).run(2)
    assert reported == [1, 2]
    assert not evaluator.trained
    assert [row.seed for row in StudyFolder(tmp_path, seeded(2)).all_rows()] == [7, 8, 7, 8]


def test_more_seeds_under_a_lower_budget_take_nothing_away(tmp_path):
    small = space(stages=1)
    search(tmp_path, FakeEvaluator(), file=seeded(1), over=small).run(4)
    evaluator = FakeEvaluator()
    said = search(tmp_path, evaluator, file=seeded(2, budget={"max_params": 1000}), over=small).run(4)
    assert said == "4 of 4 networks are trained"
    assert evaluator.trained == ["none"]
    assert {row.state for row in StudyFolder(tmp_path, seeded(2)).all_rows()} == {"complete"}


def test_a_measured_front_is_measured_in_the_rows_of_every_seed(tmp_path):
    file = seeded(2, objectives=("accuracy", "latency_ms"))
    search(tmp_path, FakeEvaluator(predicts=True), file=file, over=space(stages=2)).run(12)
    folder = StudyFolder(tmp_path, file)
    best = set(folder.front().best.index)
    assert all(row["latency_source"] == "measured" for row in folder.all_rows() if row.key in best)
    assert {row["latency_source"] for row in folder.all_rows()} == {"measured", "predicted"}
