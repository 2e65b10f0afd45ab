"""A search beside others, which are played by reservations that change as it looks at them."""

from dataclasses import replace

from fakes import FakeEvaluator, search, space, study_file

from nas_attn.search.trials import begun as begun_trial
from nas_attn.study import Unshared, Unwritten


def test_what_another_process_gives_up_comes_before_what_is_new(tmp_path):
    """A network that another one had begun, of which it has written nothing."""

    class Leaving(Unshared):
        trainings = ("final {} 0",)

        def elsewhere(self):
            return [one.format(stopped.key) for one in self.trainings]

    over, leaving = space(), Leaving()
    stopped = [*over.architectures()][11]
    evaluator = FakeEvaluator()
    searching = replace(search(tmp_path, evaluator, over=over), reservations=leaving)
    with begun_trial(searching.study, over, leaving.number + 1, stopped):
        pass

    def leaves(row, trained):
        if trained == 5:
            leaving.trainings = ()

    assert replace(searching, on_row=leaves).run(8) == "8 of 8 networks are trained"
    assert evaluator.trained[5] == str(stopped)


def test_a_search_does_not_end_while_another_is_between_two_trainings(tmp_path):
    """It ended where all rows of the other had been read just before it looked for the last time."""
    over = space()
    ours, theirs, last = [*over.architectures()][3:6]

    def trained_elsewhere(given, seeds):
        search(
            tmp_path, FakeEvaluator(), file=study_file(chain=[{"proxy": "final", "seeds": seeds}]), given=[given]
        ).run()

    class Other(Unshared):
        looks = 0

        def elsewhere(self):
            self.looks += 1
            if self.looks == 1:
                return [f"final {theirs.key} 0"]
            if self.looks > 2:
                return []
            trained_elsewhere(theirs, 2)
            trained_elsewhere(last, 1)
            return [f"final {last.key} 0"]  # it is finished, but was reserved when all reservations were read

    evaluator = FakeEvaluator()
    file = study_file(chain=[{"proxy": "final", "seeds": 2}])
    searching = search(tmp_path, evaluator, file=file, given=[theirs, ours, last])
    assert replace(searching, reservations=Other()).run() == "3 of 3 networks are trained"
    assert evaluator.trained == [str(ours), str(ours), str(last)]


def test_a_row_that_another_process_has_just_written_down_is_not_called_damaged(tmp_path, caplog):
    (tmp_path / "final-h40bedbf9c-seed0.json").symlink_to(tmp_path / "gone")  # listed, and not there
    assert Unwritten(tmp_path).rows() == []
    assert caplog.text == ""
