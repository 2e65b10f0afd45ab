from concurrent.futures import ThreadPoolExecutor

import fakes
import numpy as np
import pytest
from fakes import begun, search, study_file
from made_up import evaluation

from nas_attn.search.extra_seeds import Race
from nas_attn.search.progress import Known
from nas_attn.settings import Budget
from nas_attn.space import Architecture
from nas_attn.statistics import membership
from nas_attn.study import StudyFolder, read_rows

PLAIN = Architecture().key


class Noisy(fakes.Noisy):
    """It remembers the trainings, and may train several networks at once."""

    def __init__(self, noise, stops_at=None, jobs=1):
        super().__init__(noise, stops_at=stops_at)
        self.jobs, self.pool, self.pairs = jobs, ThreadPoolExecutor(jobs), []

    def train(self, row):
        self.pairs.append((row.key, row.seed))
        if self.jobs > 1:
            return self.pool.submit(self.result, row)
        return super().train(row)


def raced(trainings, seeds=2):
    step = {"proxy": "final", "seeds": seeds, "extra_trainings": trainings}
    return study_file(chain=[step], objectives=["accuracy", "flops"])


def made(folder):
    folder.mkdir(exist_ok=True)
    return folder


def rows(folder, file):
    return [*read_rows(begun(folder, file)).values()]


@pytest.mark.parametrize("jobs", [1, 4])
def test_so_many_trainings_go_to_undecided_networks(tmp_path, jobs):
    file, evaluator = raced(6), Noisy(0.1, jobs=jobs)
    said = search(tmp_path, evaluator, file=file).run(10)
    assert said.startswith("10 of 10 networks are trained; 6 of 6 more trainings were spent: ")
    assert len(evaluator.pairs) == len(set(evaluator.pairs)) == 26
    first, extra = evaluator.pairs[:20], evaluator.pairs[20:]
    assert {seed for _, seed in first} == {0, 1}
    known = membership([row for row in rows(tmp_path, file) if row.seed < 2], file.objectives)
    out = {row.key for n, row in enumerate(known.networks) if known.standing(n) == "out"}
    assert out
    assert extra[0][0] not in out


def test_the_plain_backbone_has_every_seed_that_another_has(tmp_path):
    file, evaluator = raced(8), Noisy(0.1)
    search(tmp_path, evaluator, file=file).run(8)
    assert any(key != PLAIN for key, seed in evaluator.pairs if seed > 1)
    for number, (key, seed) in enumerate(evaluator.pairs[16:], start=16):
        assert key == PLAIN or (PLAIN, seed) in evaluator.pairs[:number]


def test_nothing_more_is_spent_on_a_front_that_is_decided(tmp_path):
    file, evaluator = raced(50), Noisy(5e-4)
    said = search(tmp_path, evaluator, file=file).run(8)
    assert said.endswith(
        "0 of 50 more trainings were spent: the front is decided, with 2 on it and no network undecided"
    )
    assert len(evaluator.pairs) == 16


def test_with_one_seed_each_the_plain_backbone_and_the_front_come_first(tmp_path):
    file, evaluator = raced(2, seeds=1), Noisy(0.01)
    search(tmp_path, evaluator, file=file).run(8)
    best = set(StudyFolder(tmp_path, file).front().best.index)
    assert evaluator.pairs[8] == (PLAIN, 1)
    assert evaluator.pairs[9][0] in best - {PLAIN} or evaluator.pairs[9] == (PLAIN, 2)


def test_a_race_that_is_stopped_goes_on_and_trains_nothing_twice(tmp_path):
    file = raced(6)
    whole = Noisy(0.1)
    search(made(tmp_path / "whole"), whole, file=file).run(6)
    stopped = Noisy(0.1, stops_at=15)
    with pytest.raises(KeyboardInterrupt):
        search(made(tmp_path / "parts"), stopped, file=file).run(6)
    resumed = Noisy(0.1)
    said = search(made(tmp_path / "parts"), resumed, file=file).run(6)
    assert "6 of 6 more trainings were spent" in said
    finished = stopped.pairs[:-1]
    assert finished + resumed.pairs == whole.pairs
    again = Noisy(0.1)
    search(made(tmp_path / "parts"), again, file=file).run(6)
    assert again.pairs == []


def trained(number, seed, mean):
    """A training of a network that costs the more, the higher its number is; noise has a standard deviation of 0.01."""
    spelling = f"stage{number}.b=se" if number else "none"
    noise = np.random.default_rng([number, seed]).standard_normal() + np.random.default_rng(seed).standard_normal()
    row = evaluation(spelling, flops=1000 + number, seed=seed, state="complete")
    return row.but(accuracy=mean + 0.01 * noise)


def known_of(means, seeds):
    known = Known(Budget(), range(min(seeds)))
    known.add(trained(n, seed, mean) for n, mean in enumerate(means) for seed in range(seeds[n]))
    return known


def key_of(number):
    return trained(number, 0, 0.5).key


def test_a_seed_goes_to_the_network_that_an_undecided_one_is_compared_with():
    known = known_of([0.85, 0.93, 0.935, 0.88, 0.88], [30, 2, 30, 2, 2])
    race = Race(known, ["accuracy", "flops"], 100)
    found = membership(race._rows, race.objectives)
    standings = {row.key: found.standing(number) for number, row in enumerate(found.networks)}
    assert [standings[key_of(number)] for number in range(5)] == ["in", "in", "undecided", "out", "out"]
    assert race.next([]) == race.next([]) == (key_of(1), 2)


def test_networks_that_decide_nothing_get_no_seed_however_many_are_trained_at_once():
    means, seeds = [0.85, 0.93, 0.935, *[0.88] * 9], [30, 2, 30, *[2] * 9]
    race = Race(known_of(means, seeds), ["accuracy", "flops"], 100)
    running = {}
    while chosen := race.next(running):
        running[chosen[0]] = chosen[1]
    assert running[key_of(1)] == 2
    assert not running.keys() & {key_of(number) for number in range(3, 12)}


def test_a_race_decides_the_front_with_less_than_half_of_equal_seeds_and_says_so():
    means = [0.84, 0.80, 0.92, 0.908, 0.80, 0.80, 0.80, 0.80]
    seeds, undecided = 2, True
    while undecided:
        seeds += 2
        rows = [row for of in known_of(means, [seeds] * 8).rows.values() for row in of.values()]
        found = membership(rows, ["accuracy", "flops"])
        undecided = any(found.standing(number) == "undecided" for number in range(8))
    race = Race(known_of(means, [2] * 8), ["accuracy", "flops"], 500)
    assert race.summary() == "; 0 of 500 more trainings were spent: 2 on the front, 1 undecided"
    numbers = {key_of(number): number for number in range(8)}
    while chosen := race.next([]):
        race.known.add([trained(numbers[chosen[0]], chosen[1], means[numbers[chosen[0]]])])
    assert 0 < race.spent < (8 * seeds - 16) / 2
    found = membership(race._rows, race.objectives)
    assert [found.standing(number) for number in range(8)] == ["in", "out", "in", *["out"] * 5]
    more = f"{race.spent} of 500 more trainings were spent"
    assert race.summary() == f"; {more}: the front is decided, with 2 on it and no network undecided"
