"""What a sampler learns of a candidate that was evaluated several times."""

import optuna
from fakes import FakeEvaluator, begun, space, study_file

from nas_attn import KnownCostSampler
from nas_attn.sampler import EVALUATIONS
from nas_attn.sampler.candidates import Candidates
from nas_attn.sampler.history import History
from nas_attn.search import Search
from nas_attn.study import read_rows


def test_each_seed_is_one_evaluation_however_often_a_network_was_proposed(tmp_path):
    small, file = space(stages=2), study_file(chain=[{"proxy": "final", "seeds": 3}])
    study = begun(tmp_path, file, small)
    Search(study, small, file, file.steps[-1], FakeEvaluator(), lambda *_: None).run(1000)
    assert len(study.trials) > small.size
    asking = study.ask()
    history = History.of(study.trials, study.trials[asking.number], Candidates(small))
    rows = read_rows(study)
    assert {len(values) for values in history.evaluated.values()} == {3}
    assert sorted(values for every in history.evaluated.values() for values, *_ in every) == sorted(
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
        seen = History.of(study.trials, study.trials[asking.number], Candidates({"l0": ["0", "1"]})).evaluated
        study.tell(asking, state=optuna.trial.TrialState.FAIL)
        assert [values for values, _ in seen[(0,)]] == {1.0: [1.0], 2.0: [1.0, 2.0], 3.0: [1.0, 2.0, 6.0]}[value]
