"""The sampler in studies as people write them for Optuna: questions that are not put, trials that end early."""

import copy
import math
import multiprocessing
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import optuna
import pytest
from fakes import space
from optuna.samplers import PartialFixedSampler, TPESampler
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from nas_attn import KnownCostSampler, load_table
from nas_attn.space import InputError

SWITCH = {"use": ["no", "yes"], "k": [3, 5, 7]}
GRID = {"a": ["0", "1", "2", "3"], "b": ["0", "1", "2"], "c": ["0", "1"]}
STORAGES = {
    "memory": lambda folder: InMemoryStorage(),
    "sqlite": lambda folder: RDBStorage(f"sqlite:///{folder}/study.db"),
    "journal": lambda folder: JournalStorage(JournalFileBackend(f"{folder}/journal.log")),
}


def made(sampler, *directions, storage=None):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(directions=directions or ["maximize"], sampler=sampler, storage=storage)


def switched(trial):
    """`k` is a question only where it is used."""
    if trial.suggest_categorical("use", SWITCH["use"]) == "no":
        return 0.5
    return {3: 0.1, 5: 0.9, 7: 0.2}[trial.suggest_categorical("k", SWITCH["k"])]


def answers_to_all(trial):
    return {name: trial.suggest_categorical(name, values) for name, values in GRID.items()}


def total(trial):
    return float(sum(map(int, answers_to_all(trial).values())))


def params(study):
    return [tuple(sorted(trial.params.items())) for trial in study.trials]


def value(answers):
    return sum(map(int, answers.values()))


@pytest.mark.parametrize("kept", STORAGES)
def test_a_question_that_comes_only_after_some_answers_does_not_stop_the_search(tmp_path, kept):
    study = made(KnownCostSampler(SWITCH, {}, seed=0), storage=STORAGES[kept](tmp_path))
    study.optimize(switched, n_trials=30)
    assert len({*params(study)[:4]}) == 4
    assert study.best_value == 0.9


def test_a_question_of_one_choice_that_nobody_asks_does_not_stop_the_search():
    choices = {**GRID, "never": ["x"]}
    study = made(KnownCostSampler(choices, {}, seed=0))
    study.optimize(total, n_trials=24)
    assert len({*params(study)}) == 24


def test_trials_that_are_pruned_before_all_is_answered_are_not_begun_again():
    def objective(trial):
        if trial.suggest_categorical("a", GRID["a"]) in ("1", "2"):
            raise optuna.TrialPruned
        return total(trial)

    study = made(KnownCostSampler(GRID, {}, seed=0))
    study.optimize(objective, n_trials=14)
    pruned = [trial.params["a"] for trial in study.trials if trial.state.name == "PRUNED"]
    assert sorted(pruned) == ["1", "2"]
    assert len({*params(study)}) == 14  # two pruned, and all twelve that are not


def test_trials_that_fail_before_all_is_answered_are_not_proposed_for_ever():
    def objective(trial):
        trial.suggest_categorical("a", GRID["a"])
        raise RuntimeError

    study = made(KnownCostSampler(GRID, {}, seed=0))
    study.optimize(objective, n_trials=24, catch=RuntimeError)
    assert {trial.params["a"] for trial in study.trials[:4]} == {*GRID["a"]}
    assert len({tuple(trial.system_attrs["nas_attn:chosen"]) for trial in study.trials}) == 24


def test_pruning_at_random_takes_away_nothing_for_good():
    drawing = random.Random(0)

    def objective(trial):
        trial.suggest_categorical("a", GRID["a"])
        if drawing.random() < 0.5:
            raise optuna.TrialPruned
        return total(trial)

    study = made(KnownCostSampler(GRID, {}, seed=0))
    study.optimize(objective, n_trials=40)
    assert {trial.params["a"] for trial in study.trials if trial.state.name == "COMPLETE"} == {*GRID["a"]}
    assert len({tuple(trial.system_attrs["nas_attn:chosen"]) for trial in study.trials}) == 24


def test_what_fails_every_time_is_tried_twice_and_no_more():
    def objective(trial):
        if answers_to_all(trial) == {"a": "3", "b": "2", "c": "1"}:
            raise RuntimeError
        return total(trial)

    study = made(KnownCostSampler(GRID, {}, seed=0))
    study.optimize(objective, n_trials=40, catch=RuntimeError)
    assert [trial.state.name for trial in study.trials].count("FAIL") == 2
    assert len({*params(study)}) == 24


def test_an_exhausted_space_repeats_what_is_good_and_no_refused_candidate():
    def objective(trial):
        answers = answers_to_all(trial)
        if answers["a"] == "3":
            raise optuna.TrialPruned
        return float(value(answers))

    study = made(KnownCostSampler(GRID, {}, seed=0))
    study.optimize(objective, n_trials=40)
    later = study.trials[24:]
    assert len({*params(study)[:24]}) == 24
    assert all(trial.state.name == "COMPLETE" for trial in later)
    assert math.fsum(trial.value for trial in later) / len(later) > 2.5  # the mean of all that are not pruned


def test_layers_that_are_not_there_are_no_questions_and_the_best_is_found():
    choices = {"layers": [1, 2, 3, 4], **{f"kind{n}": ["x", "y", "z"] for n in range(4)}}

    def objective(trial):
        layers = trial.suggest_categorical("layers", choices["layers"])
        kinds = [trial.suggest_categorical(f"kind{n}", choices["kind0"]) for n in range(layers)]
        return float(kinds.count("z") - kinds.count("y") - 0.1 * layers)

    study = made(KnownCostSampler(choices, {}, seed=0))
    study.optimize(objective, n_trials=35)
    assert len({*params(study)}) == 35
    assert study.best_value == pytest.approx(3.6)


def test_a_space_too_large_to_list_has_questions_that_are_not_put():
    choices = {f"on{n}": [False, True] for n in range(10)} | {f"k{n}": [1, 3, 5, 7] for n in range(10)}

    def objective(trial):
        on = [n for n in range(10) if trial.suggest_categorical(f"on{n}", [False, True])]
        return float(sum(trial.suggest_categorical(f"k{n}", [1, 3, 5, 7]) == 5 for n in on) - 0.3 * len(on))

    study = made(KnownCostSampler(choices, {}, seed=0))
    study.optimize(objective, n_trials=20)
    assert len({*params(study)}) == 20


def test_threads_that_work_at_once_look_at_different_candidates(tmp_path):
    study = made(KnownCostSampler(GRID, {}, seed=0), storage=STORAGES["sqlite"](tmp_path))
    study.optimize(total, n_trials=20, n_jobs=2)
    assert len({*params(study)}) == 20
    switching = made(KnownCostSampler(SWITCH, {}, seed=0))
    switching.optimize(switched, n_trials=20, n_jobs=2)
    assert switching.best_value == 0.9


def test_enqueued_trials_are_completed_with_what_is_fixed_in_mind():
    study = made(KnownCostSampler(GRID, {}, seed=0))
    for _ in range(6):
        study.enqueue_trial({"a": "2"})
    study.enqueue_trial({"a": "1", "b": "1", "c": "1"})
    study.optimize(total, n_trials=24)
    assert [trial.params["a"] for trial in study.trials[:7]] == ["2"] * 6 + ["1"]
    assert len({*params(study)}) == 24


def test_answers_that_are_enqueued_but_were_never_offered_are_no_candidate():
    study = made(KnownCostSampler(GRID, {}, seed=0))
    study.enqueue_trial({"a": "2", "foreign": 3.5})
    study.optimize(total, n_trials=24)
    assert len({*params(study)}) == 24


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("choices", [GRID, {**GRID, **{f"more{n}": ["0", "1", "2"] for n in range(9)}}])
def test_answers_that_another_sampler_fixes_are_kept_and_the_others_vary(choices):
    def objective(trial):
        return float(sum(int(trial.suggest_categorical(name, values)) for name, values in choices.items()))

    study = made(PartialFixedSampler({"b": "1"}, KnownCostSampler(choices, {}, seed=0)))
    study.optimize(objective, n_trials=8)
    assert {trial.params["b"] for trial in study.trials} == {"1"}
    assert len({*params(study)}) == 8


def test_a_study_that_another_sampler_began_is_gone_on_with(tmp_path):
    study = made(TPESampler(seed=0), storage=STORAGES["sqlite"](tmp_path))
    study.optimize(switched, n_trials=3)
    study.sampler = KnownCostSampler(SWITCH, {}, seed=0)
    before = {*params(study)}
    study.optimize(switched, n_trials=4 - len(before))
    assert len({*params(study)}) == 4
    assert study.best_value == 0.9


@pytest.mark.parametrize("kept", STORAGES)
def test_answers_of_every_plain_type_are_kept_apart(tmp_path, kept):
    mixed = {"x": [None, True, 0.5, "None", 3, math.nan], "y": ["True", False]}
    study = made(KnownCostSampler(mixed, {}, seed=0), storage=STORAGES[kept](tmp_path))
    study.optimize(
        lambda trial: float(len(repr([*map(trial.suggest_categorical, mixed, mixed.values())]))), n_trials=12
    )
    assert len({repr(answers) for answers in params(study)}) == 12


def test_a_cost_that_is_known_holds_for_candidates_that_do_not_answer_everything():
    costs = {1: lambda answers: {"no": 0.0, "yes": float(answers["k"])}[answers["use"]]}
    study = made(KnownCostSampler(SWITCH, costs, seed=0), "maximize", "minimize")
    study.optimize(lambda trial: (switched(trial), float(trial.params.get("k", 0))), n_trials=4)
    assert len({*params(study)}) == 4


def depth(answers):
    return value(answers)


def proposed(study, choices):
    trial = study.ask()
    if choices is GRID:
        return answers_to_all(trial)
    return str(choices.decide(lambda question, values: trial.suggest_categorical(question, values)))


COPIES = {
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),
    "cloudpickle": lambda one: pickle.loads(pytest.importorskip("cloudpickle").dumps(one)),
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("choices", [GRID, space(stages=2)], ids=["questions", "space"])
def test_a_sampler_goes_to_another_process_and_proposes_there_what_it_would_here(copied, choices):
    sampler = KnownCostSampler(choices, {}, seed=0)
    study = made(sampler)
    if choices is GRID:
        study.optimize(total, n_trials=10)  # what it has learnt goes along
    other = COPIES[copied](study)
    assert proposed(study, choices) == proposed(other, choices)


def test_a_sampler_with_the_costs_of_a_published_table_goes_to_another_process():
    table = load_table("digits-table")
    sampler = KnownCostSampler(table.choices, table.known_costs, seed=0)
    assert pickle.loads(pickle.dumps(sampler))._known[1](dict.fromkeys(table.choices, "none")) > 0


def proposed_elsewhere(sampler):
    study = made(sampler, "maximize", "minimize")
    study.optimize(lambda trial: (total(trial), value(trial.params)), n_trials=9)
    return len({*params(study)})


def test_a_sampler_works_in_a_process_that_was_spawned():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(proposed_elsewhere, [KnownCostSampler(GRID, {1: depth}, seed=0)]) == 9


def test_two_samplers_on_one_database_propose_no_candidate_twice(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    made(None, storage=url)
    name = optuna.get_all_study_names(url)[0]

    def work(seed):
        study = optuna.load_study(study_name=name, storage=url, sampler=KnownCostSampler(GRID, {}, seed=seed))
        study.optimize(total, n_trials=10)

    with ThreadPoolExecutor(2) as workers:
        [*workers.map(work, (0, 1))]
    assert len({*params(optuna.load_study(study_name=name, storage=url))}) == 20


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"reference": {0: math.nan}}, "reference: 0: found nan; allowed: a finite number"),
        ({"reference": {0: -math.inf}}, "reference: 0: found -inf; allowed: a finite number"),
        ({"reference": {0: "0.5"}}, "reference: 0: found '0.5'; allowed: a finite number"),
        ({"reference": {"0": 0.5}}, "reference: found '0'; allowed: an objective's index"),
        ({"reference": [0.5]}, r"reference: found \[0.5\]; allowed: a finite number by objective"),
        ({"leading": "0"}, "leading: found '0'; allowed: an objective's index"),
        ({"leading": True}, "leading: found True; allowed: an objective's index"),
        ({"fits": {"a": "1"}}, "fits: found {'a': '1'}; allowed: a function"),
        ({"facts": [3]}, "facts: found 3; allowed: functions"),
    ],
)
def test_numbers_that_are_none_and_functions_that_are_none_are_refused_at_once(said, message):
    with pytest.raises(InputError, match=message):
        KnownCostSampler(GRID, {}, **said)


@pytest.mark.parametrize("names", [*product(["maximize", "minimize"], repeat=2)])
def test_the_best_of_a_space_with_switches_is_found_among_the_first(names):
    choices = {**SWITCH, **GRID}

    def objective(trial):
        return switched(trial) + 0.05 * total(trial), float(total(trial))

    signs = [1 if name == "maximize" else -1 for name in names]
    study = made(KnownCostSampler(choices, {}, seed=1), *names)
    study.optimize(lambda trial: tuple(s * v for s, v in zip(signs, objective(trial), strict=True)), n_trials=24)
    assert max(signs[0] * trial.values[0] for trial in study.trials) >= 1.1
