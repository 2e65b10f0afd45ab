"""Two networks, and what two studies say of the same networks, compared seed by seed."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest
from made_up import evaluation
from scipy import stats

from nas_attn.results import across_seeds, pareto_front, table
from nas_attn.settings import MEASURES
from nas_attn.space import InputError
from nas_attn.verdict import pair
from nas_attn.verdict.pair import compare_networks, compare_studies, paired

SE, PLAIN = "stage1.block0.branch=se", "none"


def rows_of(spelling, accuracies, **costs):
    return [
        replace(evaluation(spelling, accuracy=value, loss=1 - value, state="complete", **costs), seed=seed)
        for seed, value in accuracies.items()
    ]


@dataclass
class File:
    leading = MEASURES["accuracy"]


class Folder:
    """What is read of a study's folder."""

    def __init__(self, path, *rows):
        self.path, self.file, self._rows = Path(path), File(), [one for some in rows for one in some]

    def pick(self, key):
        return next(row for row in across_seeds(self._rows) if key in (row.key, row.architecture))

    def seed_rows(self, _):
        return self._rows

    full_rows = lambda self: self._rows  # noqa: E731

    def front(self):
        return pareto_front(table(across_seeds(self._rows)), ["accuracy", "flops"])

    def study(self):
        return None


PLAIN_ROWS = rows_of(PLAIN, {0: 0.80, 1: 0.85, 2: 0.78}, flops=100)
SE_ROWS = rows_of(SE, {0: 0.83, 1: 0.84, 2: 0.85, 3: 0.99}, flops=110)


def test_a_difference_is_paired_over_the_seeds_that_both_have():
    found = compare_networks(Folder("a", PLAIN_ROWS, SE_ROWS), [PLAIN, SE])
    one, other = PLAIN_ROWS[0].key, SE_ROWS[0].key
    low, high = stats.ttest_rel([0.83, 0.84, 0.85], [0.80, 0.85, 0.78]).confidence_interval(0.95)
    line = found.loc["accuracy"]
    assert list(found.columns) == [one, other, "difference", "low", "high", "seeds"]
    assert (line["difference"], line["low"], line["high"], line["seeds"]) == pytest.approx((0.03, low, high, 3))
    assert (line[one], line[other]) == pytest.approx((0.81, 0.8775))
    assert found.loc["loss", "difference"] == pytest.approx(-0.03)
    costs = found.loc["flops"]
    assert (costs["difference"], costs["seeds"]) == (10, 0)
    assert math.isnan(costs["low"])
    with pytest.raises(InputError, match=r"compare: found .* twice; allowed: two networks"):
        compare_networks(Folder("a", PLAIN_ROWS), [PLAIN, PLAIN])


def test_one_seed_in_common_knows_no_interval_and_none_no_difference_by_seed():
    found = paired({0: 0.5, 1: 0.6}, {1: 0.4, 2: 0.1})
    assert found.value == pytest.approx(0.2)
    assert math.isnan(found.low)
    assert paired({0: 1.0}, {1: 1.0}) is None


@pytest.fixture
def questions(monkeypatch):
    """What two studies ask, in turn."""
    asked = []
    monkeypatch.setattr(pair, "read_question", lambda _: asked.pop(0))
    return asked


def test_two_studies_are_compared_in_the_networks_that_both_have(questions):
    questions += [{"recipe.epochs": 1}, {"recipe.epochs": 2}]
    shifted = [row.but(accuracy=row["accuracy"] + 0.01 * (row.seed + 1)) for row in PLAIN_ROWS]
    other = rows_of("stage2.block0.branch=se", {0: 0.5}, flops=120)
    found = compare_studies([Folder("a", PLAIN_ROWS, SE_ROWS), Folder("b", shifted, other)])
    assert list(found.index) == [PLAIN_ROWS[0].key]
    line = found.iloc[0]
    low, high = stats.ttest_1samp([0.01, 0.02, 0.03], 0).confidence_interval(0.95)
    assert (line["difference"], line["low"], line["high"]) == pytest.approx((0.02, low, high))
    assert (line["architecture"], line["front_first"], line["front_second"]) == ("none", True, True)
    assert isinstance(found, pd.DataFrame)


def test_studies_of_two_spaces_and_networks_that_one_has_not_are_refused(questions):
    a, b = Folder("a", PLAIN_ROWS, SE_ROWS), Folder("b", PLAIN_ROWS)
    questions += [{"backbone.name": "resnet8"}, {"backbone.name": "resnet20"}]
    with pytest.raises(InputError, match=r"b: is of another space than a: backbone\.name: was resnet8, is resnet20"):
        compare_studies([a, b])
    questions += [{}, {}]
    with pytest.raises(InputError, match=f"b: has not trained '{SE_ROWS[0].key}' as the winner will be; allowed: "):
        compare_studies([a, b], [SE_ROWS[0].key])
    questions += [{}, {}]
    with pytest.raises(InputError, match="b: has trained no network as the winner will be that a has"):
        compare_studies([Folder("a", SE_ROWS), b])
