from dataclasses import replace

import optuna
import pytest
from fakes import FACTS, FakeEvaluator, begun, search, space, study_file

from nas_attn.results import known_columns
from nas_attn.search import Search, screen
from nas_attn.space import InputError
from nas_attn.study import StudyFolder, begin_study, find_study, write_question

CHAIN = study_file(chain=[{"proxy": "inherit", "seeds": 2, "networks": 6}, "final"])


def run(folder, step, trials, file=CHAIN):
    named = next(one for one in file.steps if one.name == step)
    evaluator = FakeEvaluator()
    Search(begun(folder, file, step=step), space(), file, named, evaluator, lambda row, trained: None).run(trials)
    return evaluator


def test_each_step_has_a_study_of_its_name_in_one_file(tmp_path):
    run(tmp_path, "inherit", None)
    run(tmp_path, "final", 3)
    names = optuna.get_all_study_names(f"sqlite:///{tmp_path}/study.db")
    assert sorted(names) == ["final", "inherit"]
    assert find_study(tmp_path, None, "supernet") is None


def test_in_a_shared_storage_a_step_is_named_after_its_folder(tmp_path):
    url = f"sqlite:///{tmp_path}/shared.db"
    (tmp_path / "one").mkdir()
    begin_study(tmp_path / "one", url, ("accuracy",), "inherit")
    name = (tmp_path / "one" / "study.id").read_text().strip()
    assert name.startswith("one-")
    assert optuna.get_all_study_names(url) == [f"{name}.inherit"]
    assert find_study(tmp_path / "one", url, "final") is None
    assert find_study(tmp_path / "one", url, "inherit") is not None


def test_what_one_step_asks_is_nothing_to_another(tmp_path):
    asked = {"objectives": ("accuracy", "flops"), "recipe": {"epochs": 10}}
    for step, epochs in (("inherit", 3), ("final", 10)):
        study = begin_study(tmp_path, None, asked["objectives"], step)
        write_question(study, {**asked, "recipe": {"epochs": epochs}}, space(), FACTS)
    with pytest.raises(InputError, match=r"study inherit: .*\n.*recipe\.epochs: was 3, is 4"):
        write_question(find_study(tmp_path, None, "inherit"), {**asked, "recipe": {"epochs": 4}}, space(), FACTS)
    write_question(find_study(tmp_path, None, "final"), asked, space(), FACTS)


def test_a_step_trains_as_many_as_it_says_and_its_rows_say_their_step(tmp_path):
    run(tmp_path, "inherit", None)
    run(tmp_path, "final", 3)
    rows = StudyFolder(tmp_path, CHAIN).all_rows()
    assert [row.step for row in rows] == ["inherit"] * 12 + ["final"] * 3
    assert len({(row.step, row.key, row.seed) for row in rows}) == 15


def test_without_a_name_the_last_begun_step_is_read(tmp_path):
    folder = StudyFolder(tmp_path, CHAIN)
    run(tmp_path, "inherit", None)
    assert set(folder.table()["step"]) == {"inherit"}
    run(tmp_path, "final", 3)
    assert set(folder.table()["step"]) == {"final"}
    assert len(folder.table("inherit")) == len(folder.rows("inherit")) == 6
    assert set(folder.front("inherit").best["step"]) == {"inherit"}
    with pytest.raises(InputError, match="the step 'audit' was not begun yet"):
        folder.rows("audit")


def test_a_network_is_picked_from_the_last_step_that_has_trained_one(tmp_path):
    run(tmp_path, "inherit", None)
    begun(tmp_path, CHAIN, step="final")
    folder = StudyFolder(tmp_path, CHAIN)
    assert folder.table().empty
    assert folder.pick("best").step == "inherit"
    run(tmp_path, "final", 3)
    assert folder.pick("best").step == "final"


def test_a_step_that_is_taken_away_or_added_leaves_the_rows_of_the_others(tmp_path):
    run(tmp_path, "inherit", None)
    run(tmp_path, "final", 3)
    alone = study_file()
    assert not run(tmp_path, "final", 3, alone).trained
    assert len(StudyFolder(tmp_path, alone).all_rows()) == 3
    assert not run(tmp_path, "inherit", 6).trained


def test_the_rows_of_an_audit_count_where_the_chain_does_not_train_in_full(tmp_path):
    file = study_file(chain=["inherit"])
    run(tmp_path, "inherit", 4, file)
    search(tmp_path, FakeEvaluator(), given=[*space().architectures()][:2]).run()
    folder = StudyFolder(tmp_path, file)
    assert [row.step for row in folder.all_rows()] == ["inherit"] * 4 + ["final"] * 2
    assert set(folder.table()["step"]) == {"inherit"}


def test_a_row_whose_latency_is_not_known_is_no_answer_to_a_question_about_it(tmp_path):
    class Untimed(FakeEvaluator):
        def time(self, row):
            return row

    file = study_file(budget={"max_latency_ms": 1.0})
    search(tmp_path, Untimed(), file=file).run(3)
    folder = StudyFolder(tmp_path, file)
    assert {trial.state for trial in folder.study().trials} == {optuna.trial.TrialState.PRUNED}
    assert list(folder.table()["state"]) == ["complete"] * 3


def scored(architectures):
    evaluator = FakeEvaluator()
    return [evaluator.result(evaluator.count(architecture)) for architecture in architectures]


def test_what_is_screened_has_a_row_of_its_step_each_and_is_not_scored_again(tmp_path):
    some = [*space().architectures()]
    study, step = begun(tmp_path, step="screening"), CHAIN.steps[0].model_copy(update={"name": "screening"})
    asked, progress = [], []

    def score(architectures):
        asked.extend(architectures)
        return scored(architectures)

    screen(study, step, 0, some[:30], score, lambda done, total: progress.append((done, total)))
    screen(study, step, 0, [*some[20:], some[0]], score)
    assert asked == some
    assert progress == [(number, 30) for number in range(31)]
    rows = StudyFolder(tmp_path, CHAIN).rows("screening")
    assert [*rows] == [architecture.key for architecture in some]
    expected = [replace(row, step="screening") for row in scored(some)]
    assert repr([*map(known_columns, rows.values())]) == repr([*map(known_columns, expected)])


@pytest.mark.parametrize("after", [0, 1, 24, 25, 26, 60])
def test_a_screening_that_is_interrupted_keeps_what_was_scored(tmp_path, after):
    some = [*space().architectures()]
    counted = []

    def score(architectures):
        for row in scored(architectures):
            if len(counted) == after:
                counted.append("interrupted")
                raise KeyboardInterrupt
            counted.append(row.key)
            yield row

    study, step = begun(tmp_path, step="inherit"), CHAIN.steps[0]
    with pytest.raises(KeyboardInterrupt):
        screen(study, step, 0, some, score)
    assert len(StudyFolder(tmp_path, CHAIN).rows("inherit") if after else {}) == after
    screen(study, step, 0, some, score)
    counted.remove("interrupted")
    assert counted == [architecture.key for architecture in some]
    assert [*StudyFolder(tmp_path, CHAIN).rows("inherit")] == counted
