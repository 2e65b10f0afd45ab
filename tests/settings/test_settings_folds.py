"""`folds` of a study file: what it goes with, and the question that a study without it keeps."""

import pytest

from nas_attn.evaluation import data_question
from nas_attn.settings import Digits, StudyFile, changes, flat, read_study_file
from nas_attn.space import InputError

DIGITS = '[data]\nkind = "digits"\n'
FOLDER = '[data]\nkind = "folder"\npath = "photos"\n'


@pytest.fixture
def faults(tmp_path):
    def of(text):
        tmp_path.joinpath("study.toml").write_text(f'space = "space.toml"\n{text}')
        with pytest.raises(InputError) as fault:
            read_study_file(tmp_path)
        return str(fault.value).replace(f"{tmp_path}/study.toml:", "")

    return of


REFUSED = {
    f"{DIGITS}folds = 1": "4: data.folds: found 1; allowed: at least 2",
    f"{DIGITS}folds = 0": "4: data.folds: found 0; allowed: at least 2",
    f"{DIGITS}folds = -3": "4: data.folds: found -3; allowed: at least 2",
    f"{DIGITS}folds = 9223372036854775807": "4: data.folds: found 9223372036854775807; allowed: at most 20",
    f"{DIGITS}folds = 2.5": "4: data.folds: found 2.5; allowed: an integer",
    f"{DIGITS}folds = '3'": "4: data.folds: found '3'; allowed: an integer",
    f"{DIGITS}folds = true": "4: data.folds: found True; allowed: an integer",
    f"{DIGITS}fold = 3": "4: data.fold: unknown name; did you mean 'folds'?",
    f"{DIGITS}folds = 3\nvalidation = 0.2": "2: data: found folds = 3 beside validation = 0.2; folds of one size",
    f"{FOLDER}folds = 3\nval_path = 'val'": "2: data: found folds = 3 beside val_path = 'val'; images that validate",
    "[data]\nkind = 'module'\nmodule = 'mine:Data'\nfolds = 3": "2: data: found folds = 3 for images that code of",
    "[task]\nmodule = 'mine:Net'\n[data]\nkind = 'task'\nfolds = 3": "data: found folds = 3 for images that code of",
    f"chain = ['supernet', {{proxy = 'inherit', weights = 'supernet'}}]\n{DIGITS}folds = 3": (
        "2: chain: found weights = 'supernet' with folds = 3: that supernet has trained on images that validate"
    ),
}


@pytest.mark.parametrize(("text", "fault"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_is_refused_with_its_line_and_cure(faults, text, fault):
    assert fault in faults(text)


def test_seeds_take_turns_from_the_study_s_first_on():
    file = StudyFile(space="s", seed=7, data=Digits(folds=3))
    assert (file.folds, [file.fold_of(seed) for seed in range(7, 14)]) == (3, [0, 1, 2, 0, 1, 2, 0])
    usual = StudyFile(space="s", seed=7)
    assert (usual.folds, {usual.fold_of(seed) for seed in range(7, 14)}) == (1, {0})


def test_a_study_without_folds_asks_what_it_always_asked():
    known = {"kind": "digits", "validation": 0.2, "test": 0.2, "split_seed": 0}
    assert data_question(StudyFile(space="s")) == known
    folded = data_question(StudyFile(space="s", data=Digits(folds=3)))
    assert folded == {**known, "folds": 3}
    stored = flat({"data": known})
    assert changes(stored, {"data": folded}) == ["data.folds: was None, is 3"]
    assert changes({"data": folded}, stored) == ["data.folds: was 3, is None"]
