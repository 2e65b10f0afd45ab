import math

import numpy as np
import pytest
from made_up import evaluation
from scipy.stats import spearmanr

from nas_attn.results import agreement, measured_later, table


def test_the_rank_correlation_is_that_of_scipy():
    rng = np.random.default_rng(0)
    measured = rng.integers(1, 9, 30) / 2
    predicted = measured + rng.normal(0, 1, 30)
    assert agreement(predicted, measured).rank == pytest.approx(spearmanr(predicted, measured).statistic)


def test_close_is_within_a_tenth_of_what_was_measured():
    told = agreement([1.09, 0.91, 1.11, 0.89], [1.0] * 4)
    assert (told.networks, told.within) == (4, 0.5)
    assert math.isnan(told.rank), "networks of one latency have no order"


def test_nothing_measured_later_is_said_to_be_nothing():
    assert str(agreement([], [])) == "none"


def test_only_rows_that_were_predicted_first_and_measured_then_count():
    rows = [
        evaluation("none", latency_ms=1.0),
        evaluation("a=se", latency_ms=1.0, latency_source="predicted"),
        evaluation("b=se", latency_ms=1.0, latency_predicted_ms=1.05),
        evaluation("c=se", latency_ms=2.0, latency_predicted_ms=1.5),
    ]
    told = measured_later(table(rows))
    assert (told.networks, told.within, told.rank) == pytest.approx((2, 0.5, 1.0))
