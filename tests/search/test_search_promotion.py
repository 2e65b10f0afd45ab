import math
from itertools import product

import numpy as np
import pytest
from fakes import FakeEvaluator, space, study_file
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_attn.search import promoted
from nas_attn.space import Architecture
from nas_attn.statistics import posterior

SOME = [*space().architectures()]
FILE = study_file(objectives=("accuracy", "params", "latency_ms"))


def row(number, loss, params, **fields):
    """The row of the architecture of this number; number 0 is the plain backbone."""
    counted = FakeEvaluator().count(SOME[number])
    known = {"state": "complete", "latency_ms": 1.0, "accuracy": 0.5, "train_loss": 0.5}
    return counted.but(**{**known, "loss": loss, "params": params, **fields})


def numbers(rows, networks, score="loss", file=FILE):
    return [SOME.index(architecture) for architecture in promoted(rows, file, networks, score)]


def layers(points):
    """The numbers of the points, layer by layer, by comparing each with each."""
    left, found = set(range(len(points))), []
    while left:
        free = {
            one
            for one in left
            if not any((points[other] <= points[one]).all() and (points[other] < points[one]).any() for other in left)
        }
        found.append(free)
        left -= free
    return found


def area(points, corner):
    """The area between points and a corner, counted cell by cell of the grid that they span."""
    xs, ys = (sorted({corner[axis], *(point[axis] for point in points)}) for axis in (0, 1))
    return sum(
        (xs[x + 1] - xs[x]) * (ys[y + 1] - ys[y])
        for x, y in product(range(len(xs) - 1), range(len(ys) - 1))
        if any(point[0] <= xs[x] and point[1] <= ys[y] for point in points)
    )


def test_the_plain_backbone_goes_on_whatever_its_score():
    rows = [row(number, loss=0.1 * number, params=number) for number in range(1, 6)]
    assert 0 not in numbers(rows, 3)
    for plain in (row(0, 9.0, 999), row(0, math.nan, 999, state="failed")):
        assert numbers([*rows, plain], 3) == [0, 1, 2]
    assert promoted([row(0, 9.0, 9)], FILE, 4, "loss") == [Architecture()]
    assert promoted([], FILE, 4, "loss") == []


def test_what_failed_or_is_over_budget_stays_behind():
    rows = [
        row(1, 0.1, 10, state="failed"),
        row(2, 0.2, 2000),
        row(3, math.nan, 10),
        row(4, 0.9, 900),
        row(5, 0.5, 10, seed=0),
        row(5, 0.5, 10, seed=1, state="failed"),
    ]
    assert numbers(rows, 6, file=study_file(budget={"max_params": 1000})) == [4]


def test_seeds_count_by_their_mean():
    rows = [row(1, 0.1, 5, seed=0), row(1, 0.9, 5, seed=1), row(2, 0.4, 5, seed=0), row(2, 0.4, 5, seed=1)]
    assert numbers(rows, 1) == [2]


@pytest.mark.parametrize(("score", "first"), [("loss", 1), ("accuracy", 2), ("train_loss", 3)])
def test_any_score_ranks_in_its_own_direction(score, first):
    rows = [
        row(1, 0.1, 5, accuracy=0.1, train_loss=0.9),
        row(2, 0.5, 5, accuracy=0.9, train_loss=0.5),
        row(3, 0.9, 5, accuracy=0.5, train_loss=0.1),
    ]
    assert numbers(rows, 1, score) == [first]


def test_a_cost_that_is_not_known_of_all_is_left_out():
    rows = [row(1, 0.1, 5, latency_ms=9.0), row(2, 0.2, 6, latency_ms=1.0), row(3, 0.3, 4, latency_ms=5.0)]
    assert numbers(rows, 3) == [1, 2, 3]
    assert numbers([*rows[:2], rows[2].but(latency_ms=math.nan)], 3) == [1, 3, 2]


def test_equal_points_go_on_by_their_keys():
    rows = [row(number, 0.5, 5) for number in range(1, 6)]
    assert [SOME[number].key for number in numbers(rows, 3)] == sorted(SOME[number].key for number in range(1, 6))[:3]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20),
    st.integers(1, 20),
    st.booleans(),
)
def test_layers_go_on_whole_and_the_last_by_what_its_networks_add(points, networks, plain):
    """Compared with layers and areas that are found by brute force."""
    first = 0 if plain else 1
    rows = [row(first + number, float(loss), params) for number, (loss, params) in enumerate(points)]
    chosen = [number - first for number in numbers(rows, networks)]
    assert len(chosen) == len(set(chosen)) == min(networks, len(rows))
    assert chosen[0] == 0 or not plain
    values = np.array(points, dtype=float)
    taken = {0} if plain else set()
    for layer in layers(values):
        if len(taken | layer) > networks:
            break
        taken |= layer
    assert taken <= set(chosen)
    if taken == set(chosen):
        return
    low, span = values[[*layer]].min(axis=0), np.ptp(values[[*layer]], axis=0)
    scaled = (values - low) / np.where(span > 0, span, 1)
    kept = [0] if plain and 0 in layer else []
    for number in chosen[len(taken) :]:
        assert number in layer
        adds = {one: area(scaled[[*kept, one]], (1.1, 1.1)) for one in layer - {*kept}}
        assert adds[number] == pytest.approx(max(adds.values()))
        kept.append(number)


def test_hundreds_of_networks_in_five_measures_are_chosen_from():
    rng = np.random.default_rng(0)
    some = [*space(stages=5).architectures()][1:801]
    directions = np.abs(rng.normal(size=(800, 4)))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rows = []
    for architecture, (loss, *costs) in zip(some, 2 - directions, strict=True):
        params, macs, flops = (int(1e6 * cost) for cost in costs)
        fields = {"params": params, "macs": macs, "flops": flops, "loss": loss, "state": "complete"}
        rows.append(FakeEvaluator().count(architecture).but(**fields))
    file = study_file(objectives=("loss", "params", "macs", "flops", "latency_ms"))
    assert len(set(promoted(rows, file, 100, "loss"))) == 100


def seeded(losses, noise):
    """Rows of networks with three seeds each, more expensive the higher their number."""
    rng = np.random.default_rng(0)
    return [
        row(number, loss=float(loss + noise * rng.standard_normal()), params=number, seed=seed)
        for number, loss in enumerate(losses, start=1)
        for seed in range(3)
    ]


def test_seeds_that_agree_promote_the_front_that_one_seed_shows():
    losses = [0.9, 0.5, 0.6, 0.45, 0.7, 0.3]
    exact = [row(number, loss, number) for number, loss in enumerate(losses, start=1)]
    assert set(numbers(seeded(losses, 1e-6), 4)) == set(numbers(exact, 4)) == {1, 2, 4, 6}


def test_with_seeds_that_disagree_the_expected_volume_decides():
    """Compared with the area counted cell by cell, over the same draws."""
    rows = seeded([0.5, 0.48, 0.5, 0.47, 0.52, 0.46, 0.9], noise=0.05)
    draws = posterior(rows, "loss").draws
    some = draws[:: len(draws) // 64][:64]
    xs, low, high = np.arange(1, 8) / 6 - 1 / 6, some.min(), some.max()
    expected = []
    for _ in range(3):
        volumes = {
            number: np.mean(
                [
                    area([((draw[n] - low) / (high - low), xs[n]) for n in (*expected, number)], (1.1, 1.1))
                    for draw in some
                ]
            )
            for number in range(7)
            if number not in expected
        }
        expected.append(max(volumes, key=volumes.get))
    assert numbers(rows, 3, file=study_file(objectives=("accuracy", "params"))) == [n + 1 for n in expected]
