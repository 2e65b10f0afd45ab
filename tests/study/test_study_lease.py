"""Studies that share a storage: each has its own rows; and the leases of the processes that work on one."""

import os
import shutil

import optuna
import processes
import pytest
from fakes import FACTS, FakeEvaluator, begun, search, space, study_file
from filelock import FileLock
from holding import hold
from optuna.trial import TrialState, create_trial

from nas_attn.search import Search, screen
from nas_attn.space import InputError
from nas_attn.study import (
    StudyFolder,
    TakenOver,
    Unshared,
    begin_study,
    find_study,
    lease,
    read_rows,
    shared,
    write_question,
)

STUDY = 'space = "space.toml"\n[search]\nstorage = "{url}"\n'


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/shared.db"


@pytest.fixture
def folder(tmp_path, url):
    return make(tmp_path / "here" / "digits", url)


@pytest.fixture
def elsewhere(tmp_path):
    """The same study, mounted by another machine."""
    return tmp_path / "there" / "digits"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(lease, "STALE_AFTER_S", 2.0)
    monkeypatch.setattr(lease, "RENEWED_EVERY_S", 1.0)


def make(folder, url):
    folder.mkdir(parents=True)
    (folder / "study.toml").write_text(STUDY.format(url=url))
    return folder


def searched(folder, url, trials, evaluator=None):
    file = study_file(search={"storage": url, "sampler": "random"})
    with shared(folder, url) as reservations:
        study = find_study(folder, url, "final") or begin_study(folder, url, file.objectives, "final")
        write_question(study, {"objectives": file.objectives, "seed": file.seed}, space(), FACTS)
        evaluator = evaluator or FakeEvaluator()
        Search(study, space(), file, file.steps[-1], evaluator, lambda *_: None, reservations=reservations).run(trials)


def begun_by_two(folder, elsewhere, url):
    with shared(folder, url):
        pass
    shutil.copytree(folder, elsewhere)


class Holder:
    """A process on another machine that holds a study."""

    def __init__(self, *arguments):
        self.line, there = processes.FORKS.Pipe()
        self.process = processes.FORKS.Process(target=hold, args=(there, *arguments))
        self.process.start()
        there.close()

    def __enter__(self):
        assert self.line.recv() == "locked"
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()
        self.line.close()

    def answer(self):
        self.line.send("?")
        return self.line.recv()


def test_another_folder_of_the_same_name_has_rows_of_its_own(folder, elsewhere, url):
    searched(folder, url, 3)
    make(elsewhere, url)
    with pytest.raises(InputError, match="nothing was searched there yet"):
        StudyFolder.open(elsewhere).rows()
    searched(elsewhere, url, 2)
    assert len(StudyFolder.open(folder).rows()) == 3
    assert len(StudyFolder.open(elsewhere).rows()) == 2


def test_a_folder_that_is_renamed_or_moved_goes_on(folder, tmp_path, url):
    searched(folder, url, 3)
    for moved in (tmp_path / "here" / "numerals", tmp_path / "archive" / "digits"):
        moved.parent.mkdir(exist_ok=True)
        folder = folder.rename(moved)
        assert len(StudyFolder.open(folder).rows()) == 3
    evaluator = FakeEvaluator()
    searched(folder, url, 5, evaluator)
    assert len(evaluator.trained) == 2


def test_a_new_folder_under_the_old_name_of_a_renamed_one_begins_anew(folder, tmp_path, url):
    searched(folder, url, 3)
    folder.rename(tmp_path / "here" / "numerals")
    make(folder, url)
    searched(folder, url, 1)
    assert len(StudyFolder.open(folder).rows()) == 1
    assert len(StudyFolder.open(tmp_path / "here" / "numerals").rows()) == 3


@pytest.mark.parametrize(
    "use", [lambda copy, url: StudyFolder.open(copy).rows(), lambda copy, url: searched(copy, url, 4)]
)
def test_a_copy_of_a_folder_does_not_take_its_rows(folder, tmp_path, url, use):
    searched(folder, url, 3)
    copy = shutil.copytree(folder, tmp_path / "variation")
    with pytest.raises(InputError, match=r"^/.*variation: is a copy of .*here/digits.*remove .*variation/study.id"):
        use(copy, url)
    (copy / "study.id").unlink()
    searched(copy, url, 1)
    assert (len(StudyFolder.open(folder).rows()), len(StudyFolder.open(copy).rows())) == (3, 1)


def test_one_folder_that_is_reached_by_two_paths_is_no_copy(folder, tmp_path, url):
    searched(folder, url, 3)
    (tmp_path / "link").symlink_to(folder)
    searched(tmp_path / "link", url, 4)
    assert len(StudyFolder.open(folder).rows()) == 4


@pytest.mark.parametrize("kept", ["weights/63118925e1-seed0.safetensors", "trained/base-0123456789ab.safetensors"])
def test_a_study_of_version_0_1_0_that_was_trained_here_goes_on(folder, url, kept):
    optuna.create_study(study_name="digits.final", storage=url, directions=["maximize", "minimize"])
    (folder / kept).parent.mkdir()
    (folder / kept).touch()
    assert find_study(folder, url, "final").study_name == "digits.final"


def test_a_study_of_version_0_1_0_that_may_be_of_another_folder_is_not_taken(folder, url):
    optuna.create_study(study_name="digits.final", storage=url, directions=["maximize", "minimize"])
    for use in (lambda: StudyFolder.open(folder).rows(), lambda: searched(folder, url, 1)):
        with pytest.raises(
            InputError, match=r"^/.*digits: the storage .* before studies .* write digits into .*study.id"
        ):
            use()
    (folder / "study.id").write_text("digits\n")
    assert find_study(folder, url, "final").study_name == "digits.final"
    (folder / "study.id").write_text("mine\n")
    searched(folder, url, 1)
    assert "mine.final" in optuna.get_all_study_names(url)


@pytest.mark.parametrize("text", ["", "\n", "one\ntwo\n"])
def test_a_damaged_name_of_a_study_is_reported(folder, url, text):
    searched(folder, url, 1)
    (folder / "study.id").write_text(text)
    with pytest.raises(InputError, match=r"study\.id: found .*allowed: one line"):
        StudyFolder.open(folder).rows()


def test_another_folder_joins_only_where_all_weights_lie_in_one_place(folder, elsewhere, url):
    searched(folder, url, 1)
    shutil.copytree(folder, elsewhere)
    with Holder(elsewhere, url, "renews") as holder:
        expected = rf"a process on .* \(process {holder.process.pid}, in .*there/digits, since 20.*artifacts"
        with pytest.raises(InputError, match=expected), shared(folder, url):
            pass
        with shared(folder, url, artifacts="s3://place") as reservations:
            assert reservations.rank == 1
        assert holder.answer() == "still locked"


def test_a_killed_search_on_another_machine_is_taken_over_when_it_gives_no_sign_of_life(folder, elsewhere, url):
    begun_by_two(folder, elsewhere, url)
    with (
        Holder(elsewhere, url, "renews", "final 0 0") as holder,
        shared(folder, url, artifacts="there") as reservations,
    ):
        assert not reservations.take("final 0 0")
        holder.process.kill()
        holder.process.join()
        with reservations.alone_with("final 0 0"):
            assert reservations.living() == {reservations.number}


def test_a_search_that_slept_while_another_took_over_writes_nothing_more(folder, elsewhere, url):
    begun_by_two(folder, elsewhere, url)
    with (
        Holder(elsewhere, url, "sleeps", "final 0 0") as holder,
        shared(folder, url, artifacts="there") as reservations,
    ):
        with reservations.alone_with("final 0 0"):
            pass
        assert "another process has taken over the work of this one" in holder.answer()


def test_a_storage_that_was_away_shows_no_dead_process(folder, elsewhere, url, monkeypatch):
    begun_by_two(folder, elsewhere, url)
    with Holder(elsewhere, url, "sleeps") as holder, shared(folder, url, artifacts="there") as reservations:
        assert len(reservations.living()) == 2
        now = lease.time.monotonic
        monkeypatch.setattr(lease.time, "monotonic", lambda: now() + 3600)
        assert len(reservations.living()) == 2  # nothing was seen for an hour, a sign of life neither
        assert holder.answer() == "still locked"


def test_a_search_that_is_killed_here_goes_on_at_once(folder, url, monkeypatch):
    monkeypatch.setattr(lease, "STALE_AFTER_S", 3600)
    script = f"""
        from nas_attn.study import shared; import os, pathlib
        with shared(pathlib.Path({str(folder)!r}), {url!r}) as reservations:
            reservations.take("final none 0")
            os._exit(9)
    """
    processes.program(script)
    with shared(folder, url) as reservations:
        assert reservations.take("final none 0")
    assert [*(folder / ".workers").iterdir()] == []


def test_the_lock_of_a_killed_search_is_removed_although_another_machine_has_ended_its_lease(folder, url):
    script = f"""
        from nas_attn.study import shared; import os, pathlib
        with shared(pathlib.Path({str(folder)!r}), {url!r}) as reservations:
            reservations.lease.study.tell(reservations.number, state=__import__('optuna').trial.TrialState.FAIL)
            os._exit(9)
    """
    processes.program(script)
    assert len([*(folder / ".workers").iterdir()]) == 1
    with shared(folder, url):
        assert len([*(folder / ".workers").iterdir()]) == 1
    assert [*(folder / ".workers").iterdir()] == []


def test_the_lock_of_a_search_that_was_killed_before_it_had_a_lease_is_removed_when_it_is_old(folder, url):
    with shared(folder, url):
        (mine,) = (folder / ".workers").iterdir()
    names = [f"{lease.machine()}-0123.lock", f"{lease.machine()}-4567.lock", "another-0123.lock"]
    assert mine.name.startswith(lease.machine())
    old, new, of_another = (mine.with_name(name) for name in names)
    for path in (old, of_another):
        path.touch()
        os.utime(path, (0, 0))
    new.touch()
    with FileLock(held := mine.with_name(f"{lease.machine()}-89ab.lock")):
        os.utime(held, (0, 0))
        with shared(folder, url):
            left = {path.name for path in held.parent.iterdir()}
    assert left > {new.name, of_another.name, held.name}
    assert old.name not in left


def test_nothing_is_written_once_the_work_is_taken_over(tmp_path):
    class Lost(Unshared):
        def check(self):
            raise InputError("it is another's")

    searching = search(tmp_path, FakeEvaluator())
    searching.reservations = Lost()
    with pytest.raises(InputError, match="another's"):
        searching.run(2)
    study = begun(tmp_path)
    with pytest.raises(InputError, match="another's"):
        screen(study, study_file().steps[0], 0, space().baselines(), FakeEvaluator().count, reservations=Lost())
    assert read_rows(study) == {}


def test_a_finished_search_leaves_nothing_claimed(folder, url):
    searched(folder, url, 2)
    for kind, number in (("lease", 1), ("reservations", 2)):
        (left,) = [name for name in optuna.get_all_study_names(url) if name.endswith(f"search-{kind}")]
        states = [trial.state for trial in optuna.load_study(study_name=left, storage=url).trials]
        assert states == number * [optuna.trial.TrialState.FAIL]


def test_a_lease_that_ends_while_something_is_reserved_is_said_so(folder, url):
    with shared(folder, url) as reservations:
        others = {"item": "final b 0", "worker": 999, "token": "1"}
        reservations.study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs=others))
        check, leases = reservations.lease.check, reservations.lease.study

        def checked():
            check()
            leases.tell(reservations.number, state=TrialState.FAIL, skip_if_finished=True)  # as another process would

        reservations.lease.check = checked
        with pytest.raises(TakenOver, match="what was finished before is kept"):
            reservations.take("final a 0")
