"""Rows of plain networks, which stand beside the steps of a study."""

from concurrent.futures import Future
from dataclasses import replace

import optuna
import pytest
from fakes import FakeEvaluator, begun, search, study_file
from small_study import reproducible

from nas_attn.search import train_width_matched
from nas_attn.space import Architecture, InputError
from nas_attn.study import WIDTH_MATCHED, StudyFolder, Unwritten

FILE = study_file()


def rows(seeds=3):
    row = FakeEvaluator().count(Architecture())
    return [
        replace(row, role="width-matched", key=f"width={share}", seed=seed)
        for share in (1.5, 2)
        for seed in range(seeds)
    ]


def result(row):
    return row.but(state="complete", accuracy=0.5 + row.seed / 100, loss=1.0, train_loss=0.5)


class Single:
    """Trains one at a time."""

    jobs = 1

    def __init__(self):
        self.begun = []

    def train(self, row):
        future = Future()
        self.begun.append((row.key, row.seed))
        future.set_result(result(row))
        return future


class Paired:
    """Trains two at a time: what is begun first ends when the second is begun, but for what `fails`."""

    jobs = 2

    def __init__(self, fails=None):
        self.fails, self.begun, self.most, self.waiting = fails, [], 0, []

    def train(self, row):
        future = Future()
        self.begun.append((row.key, row.seed))
        self.waiting.append((future, row))
        self.most = max(self.most, len(self.waiting))
        if len(self.waiting) == 2:
            for begun, one in self.waiting:
                if (one.key, one.seed) == self.fails:
                    begun.set_exception(KeyboardInterrupt())
                else:
                    begun.set_result(result(one))
            self.waiting = []
        return future


def test_width_matched_baselines_are_kept_apart_from_the_networks_of_the_space(tmp_path):
    search(tmp_path, FakeEvaluator(), file=FILE).run(3)
    before = StudyFolder(tmp_path, FILE).table()
    heard = []
    train_width_matched(begun(tmp_path, FILE, step=WIDTH_MATCHED), rows(), Paired(), heard.append)
    folder = StudyFolder(tmp_path, FILE)
    assert reproducible(folder.width_matched()) == reproducible(heard) == reproducible(map(result, rows()))
    assert folder.table().equals(before)
    assert {row.role for row in folder.all_rows()} == {"baseline"}
    assert len(optuna.load_study(study_name=WIDTH_MATCHED, storage=f"sqlite:///{tmp_path}/study.db").trials) == 0


def test_a_study_without_baselines_has_none(tmp_path):
    assert StudyFolder(tmp_path, FILE).width_matched() == []


def test_as_many_are_trained_at_once_as_the_evaluator_takes_on(tmp_path):
    evaluator = Paired()
    train_width_matched(begun(tmp_path, FILE, step=WIDTH_MATCHED), rows(), evaluator)
    assert evaluator.most == 2
    assert sorted(evaluator.begun) == [(row.key, row.seed) for row in rows()]


@pytest.mark.parametrize("stop", [(row.key, row.seed) for row in rows()])
def test_what_is_finished_when_a_training_is_stopped_is_written_down(tmp_path, stop):
    study, evaluator = begun(tmp_path, FILE, step=WIDTH_MATCHED), Paired(fails=stop)
    with pytest.raises(KeyboardInterrupt):
        train_width_matched(study, rows(), evaluator)
    kept = {(row.key, row.seed) for row in StudyFolder(tmp_path, FILE).width_matched()}
    assert kept == {*evaluator.begun} - {stop}
    train_width_matched(study, [row for row in rows() if (row.key, row.seed) not in kept], Single())
    assert len(StudyFolder(tmp_path, FILE).width_matched()) == len(rows())


def test_what_was_finished_and_could_not_be_written_is_not_trained_again(tmp_path):
    study, unwritten = begun(tmp_path, FILE, step=WIDTH_MATCHED), Unwritten(tmp_path / "unwritten")

    def full(_row):
        raise InputError("no space left")

    with pytest.raises(InputError, match="no space left"):
        train_width_matched(study, rows(), Single(), store=full, unwritten=unwritten)
    (kept,) = unwritten.rows()
    assert StudyFolder(tmp_path, FILE).width_matched() == []
    stored, evaluator = [], Single()
    train_width_matched(study, rows(), evaluator, store=stored.append, unwritten=unwritten)
    assert (kept.key, kept.seed) not in evaluator.begun
    assert len(evaluator.begun) == len(rows()) - 1
    found = StudyFolder(tmp_path, FILE).width_matched()
    assert reproducible(found) == reproducible(map(result, rows()))
    assert len(stored) == len(rows())
    assert unwritten.rows() == []
