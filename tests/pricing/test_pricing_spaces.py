"""What the networks of a space cost, compared with lists of every one of them."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_attn.pricing import COUNTED, SpacePrices, filled
from nas_attn.pricing import totals as spaces
from nas_attn.pricing.distribution import Share
from nas_attn.pricing.pictures import bars, space_chart
from nas_attn.results.pictures import write_picture
from nas_attn.space import InputError, Kind, SearchSpace, Site, Slot

COSTS = st.tuples(*(st.integers(0, 40) for _ in COUNTED))
SLOTS = st.lists(st.lists(COSTS, min_size=0, max_size=4), min_size=1, max_size=4)


def space_prices(slots, plain=(100, 200, 400)):
    """Nothing may stand in every slot, for nothing."""
    return SpacePrices(np.array(plain), tuple(np.array([(0, 0, 0), *slot], dtype=np.int64) for slot in slots))


def every_total(prices):
    """(networks, measures), added up in plain Python."""
    networks = product(*(added.tolist() for added in prices.added))
    return [tuple(map(sum, zip(prices.plain.tolist(), *network, strict=True))) for network in networks]


@pytest.fixture
def wide():
    """Forty slots of three fillings: 3 ** 40 networks, more than 64 bits can count."""
    return space_prices([[(1, 10, 30), (2, 10, 50)]] * 40)


@given(SLOTS)
@settings(deadline=None)
def test_the_total_of_every_network_is_its_sum(slots):
    prices = space_prices(slots)
    totals = prices.totals(prices.listed())
    assert list(zip(*(totals[measure].tolist() for measure in COUNTED), strict=True)) == every_total(prices)
    assert prices.networks == len(every_total(prices))


@given(SLOTS, st.sampled_from(range(3)), st.integers(90, 700))
@settings(deadline=None)
def test_a_distribution_counts_every_network_once(slots, column, limit):
    prices = space_prices(slots)
    values = sorted(total[column] for total in every_total(prices))
    measure = COUNTED[column]
    known = prices.distribution(measure)
    assert (known.lowest, known.highest, known.sampled) == (values[0], values[-1], False)
    assert prices.within({measure: limit}) == Share(sum(value <= limit for value in values), len(values))
    for share in (0.25, 0.5, 0.75, 1.0):
        assert known.quantile(share) == values[math.ceil(share * len(values)) - 1]


@given(SLOTS, st.integers(1, 12))
@settings(deadline=None)
def test_the_parts_of_a_histogram_are_of_one_width_and_hold_every_network(slots, bins):
    prices = space_prices(slots)
    values = [total[2] for total in every_total(prices)]
    parts = prices.distribution("flops").histogram(bins)
    assert len(parts) <= bins
    assert len({end - start for start, end, _ in parts}) == 1
    assert all(end == start for (_, end, _), (start, _, _) in pairwise(parts))
    for start, end, share in parts:
        assert share == pytest.approx(sum(start <= value < end for value in values) / len(values), abs=1e-12)


@given(SLOTS)
@settings(deadline=None)
def test_the_cheapest_and_the_most_expensive_network_are_in_the_space(slots):
    prices = space_prices(slots)
    for column, measure in enumerate(COUNTED):
        ends = np.array([prices.extreme(measure, highest=highest) for highest in (False, True)])
        values = [total[column] for total in every_total(prices)]
        assert prices.totals(ends)[measure].tolist() == [min(values), max(values)]


@given(SLOTS, *(st.integers(top // 2, 2 * top) for top in (100, 200, 400)))
@settings(deadline=None)
def test_a_network_is_within_all_limits_or_not_counted(slots, params, macs, flops):
    prices, limits = space_prices(slots), (params, macs, flops)
    totals = every_total(prices)
    expected = sum(all(value <= limit for value, limit in zip(total, limits, strict=True)) for total in totals)
    found = prices.within(dict(zip(COUNTED, limits, strict=True)))
    assert (found.share, found.sampled) == (expected / len(totals), False)


def test_more_networks_than_64_bits_can_count_are_sampled_and_say_so(wide, monkeypatch):
    """Compared with the binomial distribution of how many slots are filled."""
    monkeypatch.setattr(spaces, "_SAMPLE", 20_000)
    assert wide.networks == 3**40
    known = wide.distribution("macs")
    assert (known.lowest, known.highest, known.sampled) == (200, 600, True)
    filled_slots = [math.comb(40, number) * 2**number / 3**40 for number in range(41)]
    for number in (22, 25, 27, 30):
        found, expected = wide.within({"macs": 200 + 10 * number}), sum(filled_slots[: number + 1])
        assert (found.sampled, found.of) == (True, 20_000)
        assert found.error == pytest.approx(math.sqrt(found.share * (1 - found.share) / 20_000))
        assert abs(found.share - expected) < 5 * found.error


def test_limits_that_none_or_all_keep_within_are_exact_in_any_space(wide):
    assert wide.within({"params": 99, "flops": 1000}) == Share(0, 3**40)
    assert wide.within({"params": 140 + 40, "macs": 600}) == Share(3**40, 3**40)
    assert wide.within({"params": 99}).error == wide.within({"params": 180}).error == 0


def test_several_limits_on_a_large_space_are_sampled(wide, monkeypatch):
    monkeypatch.setattr(spaces, "_SAMPLE", 20_000)
    found = wide.within({"params": 140, "macs": 460})
    assert (found.sampled, found.of) == (True, 20_000)
    rng = np.random.default_rng(5)
    answers = rng.integers(0, 3, (20_000, 40))
    expected = ((100 + answers.sum(1) <= 140) & (200 + 10 * (answers > 0).sum(1) <= 460)).mean()
    assert abs(found.share - expected) < 5 * math.sqrt(2) * found.error


def test_networks_that_are_drawn_differ_and_are_the_same_again():
    prices = space_prices([[(1, 1, 1)] * 3] * 3)
    drawn = prices.drawn(60, 3)
    assert len({*map(tuple, drawn.tolist())}) == 60
    assert np.array_equal(drawn, prices.drawn(60, 3))
    assert not np.array_equal(drawn, prices.drawn(60, 4))
    assert {*map(tuple, prices.drawn(64, 0).tolist())} == {*map(tuple, prices.listed().tolist())}
    with pytest.raises(ValueError, match="found 65; there are 64 networks"):
        prices.drawn(65, 0)


def test_every_network_is_as_likely_to_be_drawn_as_any_other():
    prices = space_prices([[(1, 1, 1)] * 2, [(1, 1, 1)]])
    first = [tuple(prices.drawn(2, seed)[1].tolist()) for seed in range(1200)]
    counts = [first.count(network) for network in product(range(3), range(2))]
    assert all(abs(count - 200) < 5 * math.sqrt(200) for count in counts)


def test_filling_numbers_are_those_of_the_slots():
    sites = [Site(f"stage{n}.block0.branch", f"stage{n}", f"stage{n}.block0", "branch", 16) for n in (1, 2)]
    kinds = (Kind("se", (("reduction", (4, 8)),)), Kind("gate"))
    space = SearchSpace(tuple(Slot(site.stage, (site,), kinds) for site in sites))
    listed = space_prices([[(1, 1, 1)] * 3] * 2).listed()
    assert filled(space, listed) == list(space.architectures())
    assert [str(found) for found in filled(space, np.array([[2, 3]]))] == [
        "stage1.block0.branch=se(reduction=8) stage2.block0.branch=gate"
    ]


def test_a_line_of_bars_shows_what_is_there():
    assert bars([0.0, 1.0, 1e-9, 0.5]) == " █▁▄"


def test_a_chart_has_a_panel_a_measure_with_the_plain_backbone_and_the_median():
    prices = space_prices([[(10, 20, 40)], [(1000, 2000, 4000)]])
    known = {measure: prices.distribution(measure) for measure in COUNTED}
    drawn = space_chart(prices, known, "Networks", "of a test").to_dict()
    assert drawn["title"]["text"] == "Networks"
    assert [panel["layer"][0]["encoding"]["x"]["title"] for panel in drawn["concat"]] == ["Parameters", "MACs", "FLOPs"]
    marks = {mark["text"]: mark["value"] for values in drawn["datasets"].values() for mark in values if "text" in mark}
    plain, median = (100, 200, 400), (110, 220, 440)
    assert marks == {
        **{f"plain backbone: {value}": value for value in plain},
        **{f"median: {value}": value for value in median},
    }


@pytest.mark.parametrize(("ending", "begin"), [("png", b"\x89PNG"), ("svg", b"<svg"), ("html", b"<!DOCTYPE html>")])
def test_a_picture_is_what_its_name_ends_in(tmp_path, ending, begin):
    prices = space_prices([[(10, 20, 40)]])
    known = {measure: prices.distribution(measure) for measure in COUNTED}
    path = tmp_path / f"space.{ending}"
    write_picture(space_chart(prices, known, "Networks", "of a test"), path)
    content = path.read_bytes()
    assert content.lstrip().startswith(begin)
    assert b'src="http' not in content
    assert list(tmp_path.iterdir()) == [path]


def test_another_ending_is_refused(tmp_path):
    prices = space_prices([[]])
    known = {measure: prices.distribution(measure) for measure in COUNTED}
    with pytest.raises(InputError, match=r"found the ending '\.jpg'; .*allowed: \.png, \.svg, \.html"):
        write_picture(space_chart(prices, known, "One network", "of a test"), tmp_path / "space.jpg")
