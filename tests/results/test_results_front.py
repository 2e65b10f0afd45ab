import math
from itertools import product

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_attn.results import front, hypervolume, knee
from nas_attn.settings import MEASURES
from nas_attn.space import InputError

small = st.integers(min_value=0, max_value=6)
"""Few values, so that ties and equal rows are common."""

TWO: dict = {"accuracy": "max", "flops": "min"}
THREE: dict = {**TWO, "latency_ms": "min"}


def frame(points, names):
    return pd.DataFrame(points, columns=list(names), index=[f"k{number}" for number in range(len(points))], dtype=float)


def beats(one, other, signs):
    """By definition: at least as good everywhere, and better somewhere."""
    pairs = [(sign * a, sign * b) for a, b, sign in zip(one, other, signs, strict=True)]
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def brute_force(points, signs):
    return {f"k{i}" for i, point in enumerate(points) if not any(beats(other, point, signs) for other in points)}


@given(st.lists(st.tuples(small, small), max_size=12))
def test_a_front_of_two_objectives_is_what_brute_force_finds(points):
    assert set(front(frame(points, TWO), list(TWO)).index) == brute_force(points, [1, -1])


@given(st.lists(st.tuples(small, small, small), max_size=12))
def test_a_front_of_three_objectives_is_what_brute_force_finds(points):
    assert set(front(frame(points, THREE), list(THREE)).index) == brute_force(points, [1, -1, -1])


@given(st.lists(small, min_size=1, max_size=8))
def test_the_front_of_one_objective_is_its_best_rows(values):
    found = front(frame([(value,) for value in values], ["accuracy"]), ["accuracy"])
    assert list(found["accuracy"]) == [max(values)] * values.count(max(values))


@given(st.lists(st.tuples(small, small), min_size=1, max_size=12))
def test_a_front_begins_with_the_best_in_the_first_objective(points):
    accuracies = list(front(frame(points, TWO), list(TWO))["accuracy"])
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[0] == max(accuracy for accuracy, _ in points)


def test_equal_rows_all_stay():
    points = [(0.9, 10), (0.9, 10), (0.8, 20)]
    assert list(front(frame(points, TWO), list(TWO)).index) == ["k0", "k1"]


def test_only_complete_rows_with_finite_objectives_are_compared():
    points = [(0.99, 1), (0.9, 10), (math.nan, 1), (0.95, math.inf)]
    states = frame(points, TWO).assign(state=["failed", "complete", "complete", "complete"])
    assert list(front(states, list(TWO)).index) == ["k1"]


def test_an_empty_table_has_an_empty_front_with_the_same_columns():
    empty = frame([(0.9, 10)], TWO).iloc[:0].assign(note=[])
    assert list(front(empty, list(TWO)).columns) == ["accuracy", "flops", "note"]
    assert front(empty, list(TWO)).empty
    assert hypervolume(empty, list(TWO)) == 0.0
    with pytest.raises(InputError, match="the front of accuracy, flops is empty"):
        knee(empty, list(TWO))


def test_a_column_of_the_users_own_takes_its_direction_from_the_mapping():
    wine = pd.DataFrame({"points": [90, 95, 95], "price": [10, 30, 20]}, index=["a", "b", "c"])
    assert list(front(wine, {"points": "max", "price": "min"}).index) == ["c", "a"]
    assert list(front(wine, {"points": "max", "price": "max"}).index) == ["b"]
    with pytest.raises(InputError, match=r"'price': whether more or less is better is not known.*\{'price': 'max'\}"):
        front(wine, ["price"])
    with pytest.raises(InputError, match="price: found 'least'; allowed: max, min"):
        front(wine, {"price": "least"})


def test_times_that_are_not_known_by_name_are_minimised():
    times = pd.DataFrame({"decode_ms": [2.0, 1.0], "idle_seconds": [3.0, 3.0]}, index=["slow", "fast"])
    assert list(front(times, ["decode_ms", "idle_seconds"]).index) == ["fast"]


def test_more_accuracy_is_better_and_less_of_losses_counts_and_times():
    less = ("loss", "train_loss", "params", "macs", "flops", "latency_ms")
    assert MEASURES["accuracy"].better == "max"
    assert {MEASURES[name].better for name in less} == {"min"}


def test_an_unknown_a_wordy_and_a_missing_objective_are_told():
    made = frame([(0.9, 10)], TWO).assign(note="fine")
    with pytest.raises(InputError, match="'accuracey': the table has no such column; did you mean 'accuracy'"):
        front(made, {"accuracey": "max"})
    with pytest.raises(InputError, match="'note': the column holds no numbers; allowed: accuracy, flops"):
        front(made, {"note": "max"})
    with pytest.raises(InputError, match="found none"):
        front(made, [])
    with pytest.raises(InputError, match=r"found the text 'accuracy'.*\['accuracy'\]"):
        front(made, "accuracy")


@pytest.mark.parametrize("column", ["device", "host", "threads", "batch", "dtype", "layout", "runtime"])
def test_latencies_that_were_measured_in_different_ways_share_no_front(column):
    column = f"latency_{column}"
    made = frame([(0.9, 2.0), (0.8, 1.0)], ["accuracy", "latency_ms"]).assign(**{column: ["one", "two"]})
    with pytest.raises(InputError, match=rf"{column} is 'one' \(1 rows\), 'two' \(1 rows\); keep one .*== 'one'"):
        front(made, ["accuracy", "latency_ms"])
    assert len(front(made, ["accuracy"])) == 1
    assert len(front(made[made[column] == "one"], ["accuracy", "latency_ms"])) == 1


def test_a_row_that_is_not_compared_may_have_another_device():
    made = frame([(0.9, 2.0), (math.nan, 1.0)], ["accuracy", "latency_ms"]).assign(latency_device=["one", "two"])
    assert list(front(made, ["accuracy", "latency_ms"]).index) == ["k0"]


def test_the_knee_is_the_row_nearest_to_the_best_of_everything():
    # scaled over the front: (0, 1), (0.2, 0.3), (1, 0); distances 1, 0.36, 1
    made = frame([(1.0, 110), (0.9, 40), (0.5, 10), (0.4, 500)], TWO)
    assert knee(made, list(TWO)) == "k1"


def test_the_distance_of_the_knee_is_euclidean():
    # scaled, without the ends: (0.02, 0.56) has the least sum, (0.45, 0.45) the least maximum, (0.1, 0.5) is nearest
    made = frame([(1.0, 110), (0.99, 66), (0.95, 60), (0.775, 55), (0.5, 10)], TWO)
    assert knee(made, list(TWO)) == "k2"


def test_an_objective_that_is_the_same_everywhere_does_not_move_the_knee():
    made = frame([(1.0, 110, 5), (0.9, 40, 5), (0.5, 10, 5)], THREE)
    assert knee(made, list(THREE)) == "k1"


def test_the_knee_of_one_objective_is_its_best_row():
    assert knee(frame([(0.5,), (0.7,), (0.6,)], ["accuracy"]), ["accuracy"]) == "k1"


def area(points, reference):
    """Sum of rectangles: for each cost in order, what is gained in accuracy over all the cheaper rows."""
    found, reached = 0.0, reference[0]
    for accuracy, flops in sorted(points, key=lambda point: (point[1], -point[0])):
        if flops < reference[1] and accuracy > reached:
            found += (accuracy - reached) * (reference[1] - flops)
            reached = accuracy
    return found


@given(st.lists(st.tuples(small, small), min_size=1, max_size=12), st.tuples(small, small))
def test_the_hypervolume_of_two_objectives_is_a_sum_of_rectangles(points, reference):
    found = hypervolume(frame(points, TWO), list(TWO), dict(zip(TWO, reference, strict=True)))
    assert found == pytest.approx(area(points, reference))


@given(st.lists(st.tuples(small, small), min_size=1, max_size=12))
def test_without_a_reference_the_worst_values_are_taken(points):
    worst = min(accuracy for accuracy, _ in points), max(flops for _, flops in points)
    assert hypervolume(frame(points, TWO), list(TWO)) == pytest.approx(area(points, worst))


@given(st.lists(st.tuples(small, small, small), min_size=1, max_size=8))
def test_the_hypervolume_of_three_objectives_is_a_count_of_cells(points):
    """On whole numbers the volume is the number of unit cells that some row dominates."""
    cells = sum(
        any(a > x and f <= y and t <= z for a, f, t in points) for x, y, z in product(range(6), range(7), range(7))
    )
    found = hypervolume(frame(points, THREE), list(THREE), {"accuracy": 0, "flops": 7, "latency_ms": 7})
    assert found == pytest.approx(cells)


def test_a_reference_that_lacks_an_objective_is_told():
    with pytest.raises(InputError, match="has no value for flops; found accuracy"):
        hypervolume(frame([(0.9, 10)], TWO), list(TWO), {"accuracy": 0.5})


def test_the_order_and_the_type_of_the_columns_do_not_matter():
    made = frame([(0.9, 10), (0.8, 5), (0.7, 20)], TWO).astype({"flops": "Int64"})
    turned = made[["flops", "accuracy"]].astype({"accuracy": np.float32})
    assert list(front(made, list(TWO)).index) == list(front(turned, list(TWO)).index) == ["k0", "k1"]


@pytest.mark.parametrize("spelt", [str, str.lower, str.capitalize])
def test_a_table_of_optunas_trials_has_a_front(spelt):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=optuna.samplers.RandomSampler(0))

    def objective(trial):
        if trial.number % 3 == 2:
            raise optuna.TrialPruned
        return trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)

    study.optimize(objective, n_trials=12)
    table = study.trials_dataframe().rename(columns={"values_0": "accuracy", "values_1": "flops"})
    table["state"] = table["state"].map(spelt)
    assert set(front(table, TWO)["number"]) == {trial.number for trial in study.best_trials}


def test_a_state_that_nobody_knows_is_refused_with_those_that_are():
    table = frame([(0.5, 1.0)], TWO).assign(state="finished")
    with pytest.raises(InputError, match=r"state: found 'finished'; allowed: priced, complete"):
        front(table, TWO)
