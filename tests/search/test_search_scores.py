"""A sampler that is told what an earlier step found of each network."""

from dataclasses import replace

import optuna
import pytest
from fakes import FakeEvaluator, begun, space, study_file

from nas_attn import KnownCostSampler
from nas_attn.sampler import EVALUATIONS
from nas_attn.sampler.candidates import Candidates
from nas_attn.sampler.history import History
from nas_attn.search import Lead, Search, lead, promoted
from nas_attn.space import Architecture, parse
from nas_attn.study import read_rows

NETWORKS = [*space().architectures()]
FILE = study_file(chain=["supernet", {"proxy": "final", "chosen_by": "sampler"}], search={"sampler": "known_cost"})


def truth(architecture):
    """What is worth most is neither cheap nor dear, and nothing but a score tells it."""
    return 0.5 + int(architecture.key, 16) % 1000 / 2500


def trained(folder, led, networks):
    evaluator = FakeEvaluator()
    folder.mkdir(exist_ok=True)
    study = begun(folder, FILE)
    Search(study, space(), FILE, FILE.steps[-1], evaluator, lambda *_: None, lead=led).run(networks)
    return study, [parse(text) for text in evaluator.trained]


def test_only_what_was_scored_is_proposed_and_what_leads_comes_first(tmp_path):
    some = NETWORKS[::3]
    _, found = trained(tmp_path, Lead(some[2:4], dict.fromkeys(some, 1.0)), len(some))
    assert found[:2] == some[2:4]
    assert sorted(map(str, found)) == sorted(map(str, some))


def test_a_score_that_tells_the_truth_leads_to_the_best(tmp_path):
    best = sorted(NETWORKS, key=truth)[-4:]
    _, led = trained(tmp_path / "led", Lead([], {one: -truth(one) for one in NETWORKS}), 18)
    _, alone = trained(tmp_path / "alone", Lead([], dict.fromkeys(NETWORKS, 1.0)), 18)
    assert len({*led} & {*best}) == 4 > len({*alone} & {*best})


def test_where_nothing_has_a_score_any_network_may_be_proposed(tmp_path):
    _, found = trained(tmp_path, Lead([Architecture()], {}), 4)
    assert found[0] == Architecture()
    assert len({*found}) == 4


def test_a_score_is_the_mean_over_seeds_of_what_neither_failed_nor_is_over_budget():
    evaluator = FakeEvaluator()
    rows = [
        evaluator.result(replace(evaluator.count(one), seed=seed)).but(loss=float(number + seed))
        for number, one in enumerate(NETWORKS[:4])
        for seed in (0, 2)
    ]
    rows[-1] = replace(rows[-1], state="failed")
    dear = study_file(budget={"max_flops": 10_200})
    assert lead(rows, FILE, 3, "loss").scores == dict(zip(NETWORKS[:3], (1.0, 2.0, 3.0), strict=True))
    assert all(len(one.placements) <= 1 for one in lead(rows, dear, 3, "loss").scores)


@pytest.mark.parametrize(("networks", "promotes"), [(5, 5), (20, 8), (25, 9)])
def test_a_third_of_what_a_sampler_chooses_is_promoted_and_no_less_than_it_learns_from(networks, promotes):
    evaluator = FakeEvaluator()
    rows = [evaluator.result(evaluator.count(one)) for one in NETWORKS]
    assert [*lead(rows, FILE, networks, "accuracy").first] == promoted(rows, FILE, promotes, "accuracy")


def test_each_seed_is_one_evaluation_however_often_a_network_was_asked_for(tmp_path):
    small, file = space(stages=2), study_file(chain=[{"proxy": "final", "seeds": 3}])
    study = begun(tmp_path, file, small)
    Search(study, small, file, file.steps[-1], FakeEvaluator(), lambda *_: None).run(1000)
    assert len(study.trials) > small.size
    asking = study.ask()
    history = History.of(study, study.trials[asking.number], Candidates(small))
    rows = read_rows(study)
    assert {len(values) for values in history.seen.values()} == {3}
    assert sorted(values for every in history.seen.values() for values, *_ in every) == sorted(
        row["accuracy"] for row in rows.values()
    )


def test_a_study_of_ones_own_counts_every_trial():
    study = optuna.create_study(directions=["maximize", "minimize"])
    sampler = KnownCostSampler({"l0": ["0", "1"]}, {1: lambda params: float(params["l0"])}, seed=0)
    study.sampler = sampler
    for value in (1.0, 2.0, 3.0):
        study.enqueue_trial({"l0": "0"})
        trial = study.ask()
        trial.suggest_categorical("l0", ["0", "1"])
        if value == 3.0:
            trial.set_user_attr(EVALUATIONS, [[1.0, 0.0], [2.0, 0.0], [6.0, 0.0]])
        study.tell(trial, [value, 0.0])
        asking = study.ask()
        seen = History.of(study, study.trials[asking.number], Candidates({"l0": ["0", "1"]})).seen
        study.tell(asking, state=optuna.trial.TrialState.FAIL)
        assert [values for values, _ in seen[(0,)]] == {1.0: [1.0], 2.0: [1.0, 2.0], 3.0: [1.0, 2.0, 6.0]}[value]
