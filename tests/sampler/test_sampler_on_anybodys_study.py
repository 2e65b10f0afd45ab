"""The sampler on Optuna studies as people write them; Optuna's own suite for samplers is the first of them."""

import math
import multiprocessing
import pickle
import warnings

import optuna
import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase

from nas_attn import KnownCostSampler
from nas_attn.space import InputError

USE = {"use": ["no", "yes"], "k": [3, 5, 7]}
PAIRS = {"a": list(range(4)), "b": list(range(4))}


class TestOfOptuna(BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    """Every check of Optuna's, of a sampler that has to draw whatever it does not know."""

    @pytest.fixture
    def sampler(self):
        return lambda: KnownCostSampler({"of our own": ["0", "1"]}, {}, seed=0)


def study_of(choices, cost, **more):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = KnownCostSampler(choices, {1: cost}, seed=0)
    return optuna.create_study(directions=["maximize", "minimize"], sampler=sampler, **more)


def asked(study):
    return [tuple(trial.params.values()) for trial in study.get_trials(deepcopy=False)]


def of_use(trial):
    if trial.suggest_categorical("use", USE["use"]) == "no":
        return 0.0, 0.0
    k = trial.suggest_categorical("k", USE["k"])
    return float(k), float(k)


def cost_of_use(params):
    return 0 if params["use"] == "no" else params["k"]


def of_pairs(trial):
    params = [trial.suggest_categorical(name, values) for name, values in PAIRS.items()]
    return float(math.prod(params)), float(sum(params))


def cost_of_pairs(params):
    return sum(params.values())


def test_a_question_that_comes_only_after_some_answers_hides_no_trial():
    study = study_of(USE, cost_of_use)
    study.optimize(of_use, n_trials=4)
    assert set(asked(study)) == {("no",), ("yes", 3), ("yes", 5), ("yes", 7)}


@pytest.mark.parametrize("unasked", [{"one": ["x"]}, {"mode": [1], "other": [None]}])
def test_a_question_of_one_choice_need_not_be_asked(unasked):
    study = study_of({"a": list(range(6)), **unasked}, lambda params: params["a"])

    def objective(trial):
        a = trial.suggest_categorical("a", list(range(6)))
        return float(a), float(a)

    study.optimize(objective, n_trials=6)
    assert sorted(asked(study)) == [(a,) for a in range(6)]


@pytest.mark.parametrize("ends", [optuna.TrialPruned, ValueError, KeyError])
def test_a_trial_that_ends_before_all_is_asked_counts_for_what_was_proposed(ends):
    study = study_of(PAIRS, cost_of_pairs)

    def objective(trial):
        a = trial.suggest_categorical("a", PAIRS["a"])
        if a % 2:
            raise ends("made up")
        b = trial.suggest_categorical("b", PAIRS["b"])
        return float(a * b), float(a + b)

    study.optimize(objective, n_trials=10, catch=(ValueError, KeyError))
    whole = [pair for pair in asked(study) if len(pair) == 2]
    assert len(whole) == len(set(whole)) == 8
    assert sorted(pair for pair in asked(study) if len(pair) == 1) == [(1,), (3,)]


def test_the_sampler_and_its_study_can_be_pickled():
    sampler = KnownCostSampler(PAIRS, {1: cost_of_pairs}, seed=3)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    study.optimize(of_pairs, n_trials=3)
    again = pickle.loads(pickle.dumps(study))
    for one in (study, again):
        one.optimize(of_pairs, n_trials=4)
    assert asked(again) == asked(study)
    alone = optuna.create_study(directions=["maximize", "minimize"], sampler=pickle.loads(pickle.dumps(sampler)))
    alone.optimize(of_pairs, n_trials=3)


def work(url, trials):
    sampler = KnownCostSampler(PAIRS, {1: cost_of_pairs})
    optuna.load_study(study_name="shared", storage=url, sampler=sampler).optimize(of_pairs, n_trials=trials)


def test_processes_on_one_storage_propose_each_candidate_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    study = optuna.create_study(study_name="shared", storage=url, directions=["maximize", "minimize"])
    workers = [multiprocessing.get_context("fork").Process(target=work, args=(url, 8)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert sorted(asked(study)) == [(a, b) for a in range(4) for b in range(4)]


def test_a_known_cost_that_every_trial_contradicts_is_told_once():
    study = study_of(PAIRS, lambda params: -cost_of_pairs(params))
    with pytest.warns(UserWarning, match=r"known_costs: 1: says -\d+ for .*, and the trial has \d+") as told:
        study.optimize(of_pairs, n_trials=10)
    assert len(told) == 1


def test_a_known_cost_that_some_trials_bear_out_is_not_doubted():
    study = study_of(PAIRS, lambda params: cost_of_pairs(params) if params["a"] else 99)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study.optimize(of_pairs, n_trials=10)


def test_what_is_fixed_or_enqueued_in_part_is_completed_with_that_in_mind():
    study = study_of(PAIRS, cost_of_pairs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.sampler = optuna.samplers.PartialFixedSampler({"a": 2}, study.sampler)
    study.optimize(of_pairs, n_trials=4)
    assert sorted(asked(study)) == [(2, b) for b in range(4)]

    study = study_of(PAIRS, cost_of_pairs)
    for b in (1, 1, 1, 1):
        study.enqueue_trial({"b": b})
    study.optimize(of_pairs, n_trials=4)
    assert sorted(asked(study)) == [(a, 1) for a in range(4)]


@pytest.mark.parametrize("value", [math.nan, math.inf, "5", True, None])
def test_a_reference_that_is_no_number_is_refused(value):
    with pytest.raises(InputError, match=r"reference: 0: found .*; allowed: a finite number"):
        KnownCostSampler(PAIRS, {1: cost_of_pairs}, reference={0: value})
