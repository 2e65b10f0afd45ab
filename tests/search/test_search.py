from dataclasses import replace

import optuna
import pytest
from fakes import FakeEvaluator, begun, search, space, study_file
from optuna.trial import TrialState

from nas_attn.results import front, table
from nas_attn.search.samplers import SAMPLERS
from nas_attn.space import InputError, parse
from nas_attn.study import StudyFolder, Unwritten, find_study, read_rows


def test_baselines_come_first_and_each_network_is_trained_once(tmp_path):
    evaluator = FakeEvaluator()
    search(tmp_path, evaluator).run(10)
    assert evaluator.trained[:3] == [
        "none",
        "stage1-3.block0.branch=se(reduction=4)",
        "stage1-3.block0.branch=gate",
    ]
    assert len(evaluator.trained) == len(set(evaluator.trained)) == 10
    roles = [row.role for row in read_rows(find_study(tmp_path, None, "final")).values()]
    assert roles == ["baseline"] * 3 + ["search"] * 7


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_exhausts_a_small_space_and_says_so(tmp_path, sampler):
    evaluator, small = FakeEvaluator(), space(stages=2)
    file = study_file(search={"sampler": sampler})
    said = search(tmp_path, evaluator, file=file, over=small).run(1000)
    assert said == "the space is exhausted: all 16 networks are trained or over budget"
    assert sorted(evaluator.trained) == sorted(map(str, small.architectures()))


def test_a_known_network_is_answered_from_its_row_and_not_counted(tmp_path):
    evaluator = FakeEvaluator()
    search(tmp_path, evaluator, over=space(stages=2)).run(1000)
    study = find_study(tmp_path, None, "final")
    values = {}
    for trial in study.get_trials(states=(TrialState.COMPLETE,)):
        values.setdefault(trial.user_attrs["architecture"], set()).add(tuple(trial.values))
    assert len(study.trials) > len(evaluator.trained) == len(values)
    assert all(len(different) == 1 for different in values.values())


def test_over_budget_is_pruned_with_a_constraint_and_neither_timed_nor_trained(tmp_path):
    evaluator = FakeEvaluator()
    file = study_file(budget={"max_flops": 10_250})  # at most one placement
    said = search(tmp_path, evaluator, file=file, over=space(stages=2)).run(100)
    assert said == "the space is exhausted: all 16 networks are trained or over budget"
    assert len(evaluator.trained) == 1 + 2 * 3
    assert set(evaluator.timed) == set(evaluator.trained)
    study = find_study(tmp_path, None, "final")
    for trial in study.trials:
        over = len(parse(trial.user_attrs["architecture"]).placements) > 1
        assert trial.state == (TrialState.PRUNED if over else TrialState.COMPLETE)
        assert (trial.constraints["flops"] > 0) == over
    reasons = {row.reason for row in read_rows(study).values() if row.state == "over_budget"}
    assert reasons == {"flops 10,400 > 10,250"}


def test_a_latency_budget_stops_a_network_after_timing_and_before_training(tmp_path):
    evaluator = FakeEvaluator()
    search(tmp_path, evaluator, file=study_file(budget={"max_latency_ms": 1.15}), over=space(stages=2)).run(100)
    assert len(evaluator.timed) == 16
    assert len(evaluator.trained) == 1 + 2 * 3


def test_a_budget_that_nothing_meets_is_refused(tmp_path):
    for budget, reason in (
        ({"max_flops": 9_999}, "flops 10,000 > 9,999"),
        ({"max_latency_ms": 0.5}, "latency_ms 1 > 0.5"),
    ):
        evaluator = FakeEvaluator()
        with pytest.raises(InputError, match="nothing meets it") as error:
            search(tmp_path, evaluator, file=study_file(budget=budget)).run(5)
        assert reason in str(error.value)
        assert not evaluator.trained


def test_a_raised_budget_lets_in_what_was_over_it(tmp_path):
    small = space(stages=2)
    search(tmp_path, FakeEvaluator(), file=study_file(budget={"max_params": 1000}), over=small).run(100)
    evaluator = FakeEvaluator()
    search(tmp_path, evaluator, file=study_file(budget={"max_params": 1100}), over=small).run(100)
    assert len(evaluator.trained) == 2 * 3
    assert {row.state for row in read_rows(find_study(tmp_path, None, "final")).values()} == {"complete", "over_budget"}


def test_failed_training_is_a_row_with_its_reason_and_is_not_tried_again(tmp_path):
    evaluator = FakeEvaluator(fails=("gate",))
    search(tmp_path, evaluator, over=space(stages=2)).run(1000)
    rows = read_rows(find_study(tmp_path, None, "final"))
    failed = [row for row in rows.values() if "gate" in row.architecture]
    assert {row.state for row in failed} == {"failed"}
    assert {row.reason for row in failed} == {"the loss is not finite"}
    assert len(evaluator.trained) == len(set(evaluator.trained)) == 16
    failed_trials = [t for t in find_study(tmp_path, None, "final").trials if "gate" in t.user_attrs["architecture"]]
    assert {t.state for t in failed_trials} == {TrialState.PRUNED}
    assert all(t.constraints["failed"] > 0 for t in failed_trials)


@pytest.mark.parametrize("after", [0, 1, 4, 7])
def test_an_interrupted_search_ends_its_trial_and_goes_on_with_it(tmp_path, after):
    first = FakeEvaluator(stops_at=after)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, first).run(10)
    states = [trial.state for trial in find_study(tmp_path, None, "final").trials]
    assert TrialState.RUNNING not in states
    assert states.count(TrialState.FAIL) == 1
    second = FakeEvaluator()
    search(tmp_path, second).run(10)
    interrupted = find_study(tmp_path, None, "final").trials[after].user_attrs["architecture"]
    assert interrupted in second.trained
    assert len({*first.trained, *second.trained}) == len(first.trained) + len(second.trained) == 10


def test_what_a_killed_process_left_running_is_mended(tmp_path):
    search(tmp_path, FakeEvaluator()).run(4)
    study = find_study(tmp_path, None, "final")
    plain = study.ask()
    plain.suggest_categorical("stage1", ("none", "se", "gate"))
    evaluator = FakeEvaluator()
    search(tmp_path, evaluator).run(5)
    states = [trial.state for trial in find_study(tmp_path, None, "final").trials]
    assert states[4] == TrialState.FAIL
    assert TrialState.RUNNING not in states
    assert len(evaluator.trained) == 1


def test_a_row_that_was_written_before_the_kill_is_not_lost(tmp_path, monkeypatch):
    def killed(*_args, **_kwargs):
        raise MemoryError

    search(tmp_path, FakeEvaluator()).run(3)
    going_on = search(tmp_path, FakeEvaluator())
    with monkeypatch.context() as patched:
        patched.setattr(optuna.Study, "tell", killed)
        with pytest.raises(MemoryError):
            going_on.run(4)
    assert find_study(tmp_path, None, "final").trials[-1].state == TrialState.RUNNING
    evaluator = FakeEvaluator()
    search(tmp_path, evaluator).run(4)
    assert not evaluator.trained
    assert len(read_rows(find_study(tmp_path, None, "final"))) == 4


def test_a_resumed_search_does_not_repeat_its_proposals(tmp_path):
    for trials in range(4, 12):
        search(tmp_path, FakeEvaluator()).run(trials)
    assert len(find_study(tmp_path, None, "final").trials) < 15


def test_the_same_seed_gives_the_same_search(tmp_path):
    orders = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        evaluator = FakeEvaluator()
        search(tmp_path / name, evaluator, file=study_file(search={"sampler": "tpe"}, seed=3)).run(20)
        orders.append(evaluator.trained)
    assert orders[0] == orders[1]


def test_rows_are_reported_with_the_number_trained(tmp_path):
    reported = []
    search(tmp_path, FakeEvaluator(), on_row=lambda row, trained: reported.append((row.architecture, trained))).run(5)
    assert [trained for _, trained in reported] == [1, 2, 3, 4, 5]
    assert reported[0][0] == "none"


def test_a_lowered_budget_takes_networks_off_the_front_and_back_again(tmp_path):
    search(tmp_path, FakeEvaluator()).run(12)
    tight = StudyFolder(tmp_path, study_file(budget={"max_params": 1000}))
    assert list(tight.front().best["architecture"]) == ["none"]
    assert (tight.table()["state"] == "over_budget").sum() == 11
    assert (StudyFolder(tmp_path, study_file()).table()["state"] == "complete").sum() == 12


def test_pick_finds_the_knee_the_best_and_a_key(tmp_path):
    folder = StudyFolder(tmp_path, study_file())
    with pytest.raises(InputError, match="nothing was searched there yet"):
        folder.pick("knee")
    search(tmp_path, FakeEvaluator()).run(12)
    table = folder.table()
    assert folder.pick("best")["accuracy"] == table["accuracy"].max()
    assert folder.pick("knee").key in folder.front().best.index
    assert folder.pick(table.index[5]).architecture == table["architecture"].iloc[5]
    with pytest.raises(InputError, match="did you mean 'knee'"):
        folder.pick("kne")


def predicted_study(tmp_path):
    evaluator = FakeEvaluator(predicts=True)
    file = study_file(objectives=("accuracy", "latency_ms"))
    search(tmp_path, evaluator, file=file, over=space(stages=2)).run(12)
    return evaluator, file, find_study(tmp_path, None, "final")


def test_whoever_stands_on_the_front_is_measured_and_nobody_else(tmp_path):
    evaluator, file, study = predicted_study(tmp_path)
    rows = read_rows(study)
    best = front(table(rows.values()), file.objectives)
    assert set(best["latency_source"]) == {"measured"}
    assert {row.architecture for row in rows.values() if row["latency_source"] == "measured"} == set(evaluator.measured)
    assert 0 < len(evaluator.measured) < len(rows)


def test_a_measured_row_takes_the_place_of_the_predicted_one(tmp_path):
    evaluator, _, study = predicted_study(tmp_path)
    assert len(evaluator.trained) == len(read_rows(study)) == 12, "nothing is trained again"
    for row in read_rows(study).values():
        more = 0.5 * (row.architecture in evaluator.measured and "gate" in row.architecture)
        assert row["latency_ms"] == pytest.approx(1.0 + 0.1 * len(parse(row.architecture).placements) + more)
        assert row.state == "complete"


def test_a_measured_front_is_not_measured_again(tmp_path):
    predicted_study(tmp_path)
    again = FakeEvaluator(predicts=True)
    search(tmp_path, again, file=study_file(objectives=("accuracy", "latency_ms")), over=space(stages=2)).run(12)
    assert again.measured == again.trained == []


def test_a_measured_study_measures_nothing_twice(tmp_path):
    evaluator = FakeEvaluator()
    search(tmp_path, evaluator).run(8)
    assert evaluator.measured == []


class OfVersion010(FakeEvaluator):
    """No process of it could begin, as from a script without a main guard."""

    def result(self, row):
        reason = "2 processes died of it, the last by exit code 1; perhaps memory does not suffice"
        return replace(row, state="failed", reason=reason)


def test_what_a_script_without_a_main_guard_wrote_down_in_version_0_1_0_is_trained(tmp_path):
    before, after = OfVersion010(), FakeEvaluator()
    search(tmp_path, before).run(6)
    assert read_rows(begun(tmp_path)) == {}
    search(tmp_path, after).run(6)
    assert after.trained[:6] == before.trained[:6]
    assert {row.state for row in read_rows(begun(tmp_path)).values()} == {"complete"}


def test_what_is_finished_while_the_artifacts_are_away_is_kept_and_written_at_the_next_start(tmp_path):
    stored = []

    def away(row):
        raise InputError("artifacts s3://bucket: cannot be written to")

    def sharing(store, evaluator):
        return replace(search(tmp_path, evaluator), unwritten=Unwritten(tmp_path / "unwritten"), store=store)

    first, second = FakeEvaluator(), FakeEvaluator()
    with pytest.raises(InputError, match="cannot be written to"):
        sharing(away, first).run(3)
    assert (len(first.trained), read_rows(begun(tmp_path))) == (1, {})
    assert sharing(stored.append, second).run(3) == "3 of 3 networks are trained"
    assert not set(first.trained) & set(second.trained)
    assert [row.architecture for row in stored] == first.trained + second.trained
    assert [*(tmp_path / "unwritten").iterdir()] == []
