import math
import sqlite3
from dataclasses import replace

import optuna
import pytest
from fakes import FACTS, FakeEvaluator, search, space, study_file

from nas_attn.drawing import Outline, Place
from nas_attn.report import write as reporting
from nas_attn.results import Agreement, known_columns
from nas_attn.space import Architecture, InputError
from nas_attn.study import (
    StudyFolder,
    begin_study,
    find_study,
    read_facts,
    read_outline,
    read_prediction,
    read_rows,
    read_slots,
    storage_faults,
    storage_url,
    write_outline,
    write_prediction,
    write_question,
)

QUESTION = {"objectives": ("accuracy", "flops"), "recipe": {"epochs": 10, "learning_rate": 0.1}}


@pytest.fixture
def study(tmp_path):
    return begin_study(tmp_path, None, ("accuracy", "flops"), "final")


def test_the_same_question_is_no_change(study, tmp_path):
    write_question(study, QUESTION, space(), FACTS)
    write_question(find_study(tmp_path, None, "final"), QUESTION, space(), FACTS)
    assert read_facts(find_study(tmp_path, None, "final")) == FACTS
    assert read_slots(study)["stage2"] == ["stage2.block0.branch"]


def test_what_networks_look_like_is_kept_once_and_an_earlier_study_has_the_names_of_its_sites(study, tmp_path):
    write_question(study, QUESTION, space(), FACTS)
    assert [(one.site, one.shape) for one in read_outline(study).places][1] == ("stage2.block0.branch", ())
    places = (Place("stage1.block0.branch", "stage1", "stage1.block0", "branch", (16, 8, 8)),)
    outline = Outline(
        "resnet8", (1, 8, 8), 10, places, (1, 2, 3), {"stage1.block0.branch": {"se(reduction=4)": (4, 5, 6)}}
    )
    write_outline(study, lambda: outline)
    write_outline(study, pytest.fail)
    assert read_outline(find_study(tmp_path, None, "final")) == outline


@pytest.mark.parametrize(
    ("question", "over", "facts", "message"),
    [
        ({**QUESTION, "recipe": {"epochs": 20, "learning_rate": 0.1}}, space(), FACTS, "recipe.epochs: was 10, is 20"),
        ({**QUESTION, "objectives": ("accuracy", "loss")}, space(), FACTS, "objectives: was ['accuracy', 'flops'], is"),
        ({**QUESTION, "seed": 1}, space(), FACTS, "seed: was absent, is 1"),
        (QUESTION, space(ratios=(4, 16)), FACTS, "space.stage1.se.reduction: was [4, 8], is [4, 16]"),
        (QUESTION, space(stages=2), FACTS, "space.stage3.gate.position: was ['branch'], is absent"),
        (QUESTION, space(), replace(FACTS, class_names=("a", "b")), "images.class_names: was ['zero', 'one'], is"),
        (QUESTION, space(), replace(FACTS, mean=(0.51,)), "images.mean: was [0.5], is [0.51]"),
    ],
)
def test_another_question_is_refused_with_what_has_changed(study, question, over, facts, message):
    write_question(study, QUESTION, space(), FACTS)
    with pytest.raises(InputError) as error:
        write_question(study, question, over, facts)
    assert message in str(error.value)


def test_rounding_in_the_last_digits_is_no_change(study):
    write_question(study, QUESTION, space(), FACTS)
    write_question(study, QUESTION, space(), replace(FACTS, mean=(0.5 + 1e-9,)))


def test_a_row_comes_back_as_it_was_written(tmp_path):
    evaluator = FakeEvaluator()
    search(tmp_path, evaluator).run(1)
    row = read_rows(find_study(tmp_path, None, "final"))[Architecture().key, 0]
    expected = evaluator.result(evaluator.time(evaluator.count(Architecture())))
    assert repr(known_columns(row)) == repr(known_columns(replace(expected, role="baseline")))
    assert math.isnan(row["latency_predicted_ms"])


def test_a_study_outlives_a_new_name_of_its_folder(tmp_path):
    (tmp_path / "before").mkdir()
    search(tmp_path / "before", FakeEvaluator()).run(2)
    (tmp_path / "before").rename(tmp_path / "after")
    assert len(read_rows(find_study(tmp_path / "after", None, "final"))) == 2


def test_studies_that_share_a_storage_are_kept_apart_by_their_folders(tmp_path):
    url = f"sqlite:///{tmp_path}/shared.db"
    (tmp_path / "one").mkdir()
    begin_study(tmp_path / "one", url, ("accuracy",), "final")
    assert find_study(tmp_path / "one", url, "final") is not None
    assert find_study(tmp_path / "two", url, "final") is None


def test_a_password_is_neither_shown_nor_handed_on(tmp_path):
    url = "nosuchdatabase://me:secret@host/studies"
    with pytest.raises(InputError, match=r"me:\*\*\*@host") as error:
        find_study(tmp_path, url, "final")
    assert "secret" not in str(error.value)


def test_the_page_shows_the_study_file_without_the_password_of_its_storage(tmp_path):
    url = "postgresql://me:secret@host/studies"
    (tmp_path / "study.toml").write_text(f'space = "space.toml"\n[search]\nstorage = "{url}"\n')
    shown = reporting._settings(StudyFolder.open(tmp_path))
    assert 'space = "space.toml"' in shown
    assert "me:***@host" in shown
    assert "secret" not in shown


def test_a_relative_database_stands_in_the_study_folder(tmp_path):
    assert storage_url(tmp_path, "sqlite:///rows.db") == f"sqlite:///{tmp_path}/rows.db"
    assert storage_url(tmp_path, None) == f"sqlite:///{tmp_path}/study.db"
    assert storage_url(tmp_path, "postgresql://host/db") == "postgresql://host/db"


def test_a_file_that_is_no_database_is_reported(tmp_path):
    (tmp_path / "study.db").write_text("certainly not a database, whatever its name says")
    with pytest.raises(InputError, match="file is not a database"):
        find_study(tmp_path, None, "final")


def test_a_database_of_something_else_is_reported(tmp_path):
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("create table studies (wrong text)")
    database.close()
    with pytest.raises(InputError, match="cannot be used as an Optuna database"):
        find_study(tmp_path, None, "final")


def test_a_storage_url_that_makes_no_sense_is_reported(tmp_path):
    with pytest.raises(InputError, match="storage nonsense: cannot be used"):
        find_study(tmp_path, "nonsense", "final")


def test_a_database_that_fails_in_the_middle_is_reported(tmp_path):
    going_on = search(tmp_path, FakeEvaluator())
    (tmp_path / "study.db").write_bytes(b"overwritten " * 1000)
    with (
        pytest.raises(InputError, match="cannot be used as an Optuna database"),
        storage_faults(tmp_path, None),
    ):
        going_on.run(2)


def test_reading_does_not_begin_a_study(tmp_path):
    assert find_study(tmp_path, None, "final") is None
    assert not (tmp_path / "study.db").exists()


def test_the_search_leaves_optuna_as_loud_as_it_was(tmp_path):
    before = optuna.logging.get_verbosity()
    search(tmp_path, FakeEvaluator(), file=study_file()).run(1)
    assert optuna.logging.get_verbosity() == before


def test_how_well_latencies_are_predicted_comes_back(study, tmp_path):
    assert read_prediction(study) is None
    for agreement in (Agreement(60, 0.975, 0.99), Agreement(1, 1.0, math.nan)):
        write_prediction(study, agreement)
        assert repr(read_prediction(find_study(tmp_path, None, "final"))) == repr(agreement)


def test_a_row_that_knows_nothing_of_intervals_is_read(tmp_path):
    search(tmp_path, FakeEvaluator()).run(1)
    study = find_study(tmp_path, None, "final")
    fields = dict(study.trials[0].user_attrs["evaluation:0"])
    for name in ("ms_low", "ms_high", "source", "predicted_ms", "target", "runtime", "layout", "host"):
        del fields[f"latency_{name}"]
    trial = optuna.trial.create_trial(state=optuna.trial.TrialState.PRUNED, user_attrs={"evaluation:0": fields})
    study.add_trial(trial)
    (row,) = read_rows(study).values()
    assert (row["latency_source"], row["latency_runtime"]) == ("measured", "eager")
    assert math.isnan(row["latency_ms_low"])
