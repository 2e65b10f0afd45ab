import random
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import optuna
import pytest
from fakes import FakeEvaluator, search, space, study_file
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution
from optuna.trial import create_trial

from nas_attn import KnownCostSampler
from nas_attn.space import InputError

CHOICES = {f"l{n}": ["0", "1", "2"] for n in range(5)}
FREE = {**CHOICES, "l5": ["0", "1"]}


def depth(params):
    return sum(map(int, params.values()))


def asking(study, choices):
    trial = study.ask()
    return trial, {name: trial.suggest_categorical(name, values) for name, values in choices.items()}


def proposals(study, choices, trials, value):
    """What was proposed, in order; `value` is the values of each."""
    proposed = []
    for _ in range(trials):
        trial, params = asking(study, choices)
        study.tell(trial, value(params))
        proposed.append(tuple(params.values()))
    return proposed


def made(sampler, *directions):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(directions=directions, sampler=sampler)


def hypervolume(points):
    """Of (value, cost) above value 0 and below cost 11."""
    volume, best = 0.0, 0.0
    for cost, value in sorted((cost, -value) for value, cost in points):
        volume += max(-value - best, 0) * (11 - cost)
        best = max(best, -value)
    return volume


@pytest.mark.parametrize("signs", list(product((1, -1), repeat=2)))
def test_whatever_the_directions_it_finds_more_of_the_front_than_random_search(signs):
    rng = random.Random(0)
    effect = {(name, answer): rng.random() * (answer != "0") for name in CHOICES for answer in "012"}

    def value(params):
        return sum(effect[item] for item in params.items())

    def objective(params):
        return signs[0] * value(params), signs[1] * depth(params)

    names = ["maximize" if signs[0] == 1 else "minimize", "minimize" if signs[1] == 1 else "maximize"]
    sampler = KnownCostSampler(CHOICES, {1: lambda params: signs[1] * depth(params)}, seed=1)
    proposed = proposals(made(sampler, *names), CHOICES, 30, objective)
    every = [dict(zip(CHOICES, answers, strict=True)) for answers in product("012", repeat=5)]
    reached = [(value(dict(zip(CHOICES, p, strict=True))), depth(dict(zip(CHOICES, p, strict=True)))) for p in proposed]
    shares = [hypervolume(reached)] + [
        hypervolume([(value(params), depth(params)) for params in rng.sample(every, 30)]) for _ in range(20)
    ]
    assert shares[0] == max(shares)
    assert shares[0] > 0.97 * hypervolume([(value(params), depth(params)) for params in every])


def test_every_candidate_comes_once_before_any_comes_twice():
    small = {"a": [1, 2], "b": ["x", "y", None], "c": [0.5, True]}
    study = made(KnownCostSampler(small, {}, seed=0), "maximize")
    proposed = proposals(study, small, 15, lambda params: len(str(params)))
    assert len(set(proposed[:12])) == 12 == len(set(proposed))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(3, 8))
def test_what_does_not_fit_is_never_proposed(seed, limit):
    sampler = KnownCostSampler(CHOICES, {1: depth}, fits=lambda params: depth(params) <= limit, seed=seed)
    study = made(sampler, "maximize", "minimize")
    proposed = proposals(study, CHOICES, 14, lambda params: (depth(params) ** 0.5, depth(params)))
    assert max(sum(map(int, answers)) for answers in proposed) <= limit
    assert len(set(proposed)) == 14


def test_what_was_pruned_is_not_proposed_again_and_what_failed_comes_last():
    small = {"a": ["0", "1", "2"], "b": ["0", "1", "2", "3"]}
    study = made(KnownCostSampler(small, {1: depth}, seed=0), "maximize", "minimize")
    proposed = []
    for number in range(12):
        trial, params = asking(study, small)
        proposed.append(params)
        if number in (1, 10):
            study.tell(trial, state=optuna.trial.TrialState.PRUNED if number == 1 else optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, (number, depth(params)))
    assert len({tuple(params.values()) for params in proposed}) == 12
    assert asking(study, small)[1] == proposed[10]


def test_workers_at_once_get_different_candidates():
    study = made(KnownCostSampler(CHOICES, {1: depth}, seed=0), "maximize", "minimize")
    proposals(study, CHOICES, 12, lambda params: (depth(params) ** 0.5, depth(params)))
    with ThreadPoolExecutor(4) as workers:
        proposed = [*workers.map(lambda _: tuple(asking(study, CHOICES)[1].values()), range(12))]
    assert len(set(proposed)) == 12


def test_samplers_of_several_processes_see_what_the_others_have_chosen():
    studies = [made(KnownCostSampler(CHOICES, {1: depth}, seed=0), "maximize", "minimize")]
    proposals(studies[0], CHOICES, 12, lambda params: (depth(params) ** 0.5, depth(params)))
    storage, name = studies[0]._storage, studies[0].study_name
    other = KnownCostSampler(CHOICES, {1: depth}, seed=0)
    studies.append(optuna.load_study(study_name=name, storage=storage, sampler=other))
    first, second = studies[0].ask(), studies[1].ask()
    proposed = [[t.suggest_categorical(name, CHOICES[name]) for name in CHOICES] for t in (second, first)]
    assert proposed[0] != proposed[1]


def test_the_same_seed_proposes_the_same():
    def proposed(seed):
        study = made(KnownCostSampler(FREE, {1: depth}, seed=seed), "maximize", "minimize")
        return proposals(study, FREE, 13, lambda params: (depth(params) ** 0.5, depth(params)))

    assert proposed(3) == proposed(3)
    assert proposed(3) != proposed(4)


def test_conditional_questions_come_through_a_search_space():
    over = space(stages=2)
    study = made(KnownCostSampler(over, {1: lambda answers: len(answers)}, seed=0), "maximize", "minimize")
    architectures = []
    for number in range(over.size):
        trial = study.ask()
        architectures.append(
            over.decide(lambda question, values, trial=trial: trial.suggest_categorical(question, values))
        )
        study.tell(trial, (number % 5, len(trial.params)))
    assert {*architectures} == {*over.architectures()}


def test_a_space_too_large_to_list_is_climbed():
    large = {f"l{n}": ["0", "1", "2"] for n in range(14)}

    def objective(params):
        return sum(answer == "2" for answer in params.values()), sum(answer == "1" for answer in params.values())

    sampler = KnownCostSampler(large, {1: lambda params: objective(params)[1]}, seed=0)
    proposed = proposals(made(sampler, "maximize", "minimize"), large, 35, objective)
    assert max(answers.count("2") for answers in proposed) >= 13


def test_several_costs_may_be_known_and_other_objectives_are_predicted():
    costs = {1: depth, 3: lambda params: sum(answer == "2" for answer in params.values())}
    study = made(KnownCostSampler(CHOICES, costs, seed=0), "maximize", "minimize", "minimize", "minimize")
    proposed = proposals(study, CHOICES, 16, lambda p: (depth(p) ** 0.5, depth(p), 3.0 * depth(p) + 1, costs[3](p)))
    assert len(set(proposed)) == 16


def test_a_foreign_parameter_is_drawn():
    study = made(KnownCostSampler(CHOICES, {1: depth}, seed=0), "maximize", "minimize")

    def objective(trial):
        params = {name: trial.suggest_categorical(name, values) for name, values in CHOICES.items()}
        return trial.suggest_float("rate", 0.1, 0.2) + depth(params), depth(params)

    study.optimize(objective, n_trials=12)
    assert all(0.1 <= trial.params["rate"] <= 0.2 for trial in study.trials)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({}, {}), "choices: found {}; allowed: a SearchSpace, or answers by question"),
        (({"a": "xy"}, {}), "choices: a: found 'xy'; allowed: a list of one answer or more"),
        (({"a": ["x", "x"]}, {}), r"choices: a: found \['x', 'x'\]; each answer may stand there once"),
        ((CHOICES, {"1": depth}), "known_costs: found '1'; allowed: an objective's index, from 0"),
        ((CHOICES, {1: 3.0}), "known_costs: 1: found 3.0; allowed: a function from answers to a number"),
    ],
)
def test_wrong_choices_and_costs_are_refused_at_once(arguments, message):
    with pytest.raises(InputError, match=message):
        KnownCostSampler(*arguments)


@pytest.mark.parametrize(
    ("known", "others", "message"),
    [
        ({2: depth}, {}, "known_costs: found objective 2; .*allowed: 0, 1"),
        ({0: depth, 1: depth}, {}, "known_costs: names all 2 objectives; one has to be left to learn"),
        ({1: depth}, {"leading": 1}, "leading: found objective 1, which known_costs names"),
        ({1: depth}, {"reference": {5: 0.0}}, "reference: found objective 5; .*allowed: 0, 1"),
        ({1: lambda params: "much"}, {}, "known_costs: found 'much' for .*; allowed: a finite number"),
        ({1: depth}, {"fits": lambda params: False}, "fits: none of 243 candidates was found to fit"),
    ],
)
def test_what_does_not_go_with_the_study_is_refused_when_it_proposes(known, others, message):
    study = made(KnownCostSampler(CHOICES, known, **others), "maximize", "minimize")
    with pytest.raises(InputError, match=message):
        asking(study, CHOICES)


def test_a_study_over_a_budget_trains_all_that_fits_and_never_asks_the_price_of_more(tmp_path):
    evaluator = FakeEvaluator()
    file = study_file(search={"sampler": "known_cost"}, budget={"max_flops": 10_450})  # at most two placements
    search(tmp_path, evaluator, file=file, over=space(stages=3)).run(3 + 20)
    fits = [str(a) for a in space(stages=3).architectures() if len(a.placements) <= 2]
    assert len(evaluator.trained) == len({*evaluator.trained} & {*fits}) == 23
    assert {*evaluator.counted} - {*fits} <= {str(a) for a in space(stages=3).baselines()}


def test_thousands_of_rows_are_learnt_from():
    choices = {f"l{place}": [*map(str, range(10))] for place in range(4)}
    distributions = {name: CategoricalDistribution(values) for name, values in choices.items()}

    def distance(params):
        return sum(abs(int(value) - 7) for value in params.values())

    study, drawing = made(KnownCostSampler(choices, {}, seed=0), "minimize"), random.Random(0)
    drawn = [{name: drawing.choice(values) for name, values in choices.items()} for _ in range(5000)]
    known = [params for params in drawn if distance(params) > 2]
    for params in known:
        value = distance(params) + drawing.gauss(0, 1)
        study.add_trial(create_trial(params=params, distributions=distributions, value=value))
    proposed = proposals(study, choices, 4, distance)
    assert not {*proposed} & {tuple(params.values()) for params in known}
    assert max(distance(dict(zip(choices, answers, strict=True))) for answers in proposed) <= 2
