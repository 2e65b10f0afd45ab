"""How good a network has to be: floors of learnt measures."""

import numpy as np
import optuna
import pytest
from fakes import FakeEvaluator, search, space, study_file

from nas_attn.search import promoted
from nas_attn.space import InputError, parse
from nas_attn.study import StudyFolder, find_study


class Evaluator(FakeEvaluator):
    """Every `se` adds 0.1 of recall, every gate takes 0.1; seeds 0 and 1 lie 0.04 below and above."""

    def result(self, row):
        kinds = [placement.attention.kind for placement in parse(row.architecture).placements]
        recall = 0.5 + 0.1 * (kinds.count("se") - kinds.count("gate")) + (0.04 if row.seed % 2 else -0.04)
        return super().result(row).but(recall_macro=recall, loss=1 - recall)


def searched(folder, **budget):
    file = study_file(budget=budget, search={"trials": 16}, chain=[{"proxy": "final", "seeds": 2}])
    evaluator = Evaluator()
    search(folder, evaluator, file=file, over=space(stages=2)).run(100)
    return StudyFolder(folder, file), evaluator


def test_what_is_worse_on_average_is_trained_and_never_on_the_front(tmp_path):
    folder, evaluator = searched(tmp_path, min_recall_macro=0.49)
    rows = folder.rows()
    below = {key for key, row in rows.items() if row["recall_macro"] < 0.49}
    assert len(rows) == len(evaluator.trained) / 2 == 16
    assert 0 < len(below) < 16
    assert {key for key, row in rows.items() if row.state == "over_budget"} == below
    assert not below & set(folder.front().best.index)
    assert {rows[key].reason for key in below} <= {"recall_macro 0.4000 < 0.4900", "recall_macro 0.3000 < 0.4900"}


def test_one_seed_below_the_floor_is_no_reason(tmp_path):
    """0.46 and 0.54 are 0.5 on average."""
    folder, _ = searched(tmp_path, min_recall_macro=0.49)
    plain = folder.rows()[parse("none").key]
    assert (plain.state, plain["recall_macro"]) == ("complete", pytest.approx(0.5))


def test_optuna_learns_how_far_a_network_is_from_the_floor(tmp_path):
    searched(tmp_path, min_recall_macro=0.49)
    study = find_study(tmp_path, None, "final")
    done = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    assert len(done) >= 16
    for trial in done:
        kinds = [one.attention.kind for one in parse(trial.user_attrs["architecture"]).placements]
        recall = 0.5 + 0.1 * (kinds.count("se") - kinds.count("gate"))
        assert trial.constraints["recall_macro"] == pytest.approx(0.49 - recall)


def test_a_ceiling_is_for_what_should_be_small(tmp_path):
    folder, _ = searched(tmp_path, max_loss=0.55)
    states = {(row["loss"] > 0.55, row.state) for row in folder.rows().values()}
    assert states == {(True, "over_budget"), (False, "complete")}


def test_what_is_below_goes_on_to_no_next_step(tmp_path):
    folder, _ = searched(tmp_path, min_recall_macro=0.49)
    chosen = promoted(folder.seed_rows("final"), folder.file, 16, "accuracy")
    fit = {row.architecture for row in folder.rows().values() if row["recall_macro"] > 0.49}
    assert {str(one) for one in chosen} == fit


def test_a_floor_that_is_raised_later_counts_without_training(tmp_path):
    folder, evaluator = searched(tmp_path, min_recall_macro=0.1)
    assert {row.state for row in folder.rows().values()} == {"complete"}
    trained = len(evaluator.trained)
    later = StudyFolder(tmp_path, study_file(budget={"min_recall_macro": 0.99}, chain=[{"proxy": "final", "seeds": 2}]))
    assert {row.state for row in later.rows().values()} == {"over_budget"}
    with pytest.raises(InputError, match="no network is trained within the budget"):
        later.pick("best")
    assert len(evaluator.trained) == trained
    assert np.isfinite([row["recall_macro"] for row in later.rows().values()]).all()


def test_a_verdict_compares_what_the_floor_leaves_with_the_plain_backbone_whatever_that_is(tmp_path):
    folder, _ = searched(tmp_path, min_recall_macro=0.55)
    rows = folder.full_rows()
    fit = {row.architecture for row in rows if row.state == "complete"}
    means = {row.architecture: row["recall_macro"] for row in folder.rows().values()}
    assert fit == {"none", *(spelling for spelling, mean in means.items() if mean > 0.55)}
    assert means["none"] < 0.55
    assert len(rows) == 2 * len(means)
