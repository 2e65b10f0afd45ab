from dataclasses import replace

import numpy as np
import pytest

from nas_attn.cost import Part, fit_latency

KINDS = {"light": 0.05, "heavy": 0.4}
SLOTS = (4, 2, 1)


def made_up(number, noise, seed=0, odd=0.0):
    """Networks whose latency is the sum of their parts, times a random error; `odd` makes each part differ."""
    rng = np.random.default_rng(seed)
    parts = {
        (slot, kind, width): Part(f"{slot} {kind} {width}", kind, 1, 100 * width * scale, 7 * scale)
        for slot, scale in enumerate(SLOTS)
        for kind in KINDS
        for width in (1, 2, 4)
    }
    extra = {part: rng.normal(0, odd) for part in parts.values()}
    answers = [[None, *(part for (here, *_), part in parts.items() if here == slot)] for slot in range(len(SLOTS))]
    drawn = [[offered[rng.integers(len(offered))] for offered in answers] for _ in range(number)]
    networks = [(), *(tuple(part for part in network if part) for network in drawn[1:])]
    takes = [5 + sum(KINDS[p.kind] * p.macs / 100 + 0.02 * p.elements + extra[p] for p in net) for net in networks]
    return networks, np.array(takes) * np.exp(rng.normal(0, noise, number)), np.array(takes)


def test_a_sum_of_parts_is_recovered_from_sixty_timings():
    networks, measured, truth = made_up(160, noise=0.01)
    model = fit_latency(networks[:60], measured[:60].tolist())
    found = np.array([model.of(network).latency_ms for network in networks[60:]])
    assert np.abs(found / truth[60:] - 1).max() < 0.02
    assert model.widths["error"] == pytest.approx(0.01, rel=0.5)


def test_what_is_odd_about_a_part_is_learnt_where_it_was_timed():
    networks, measured, truth = made_up(160, noise=0.01, odd=0.3)
    model = fit_latency(networks[:60], measured[:60].tolist())
    found = np.array([model.of(network).latency_ms for network in networks[60:]])
    assert np.abs(found / truth[60:] - 1).mean() < 0.02


@pytest.mark.parametrize("seed", range(3))
def test_an_interval_holds_what_would_be_measured_in_nineteen_of_twenty_cases(seed):
    networks, measured, _ = made_up(460, noise=0.03, seed=seed, odd=0.1)
    model = fit_latency(networks[:60], measured[:60].tolist())
    forecasts = [model.of(network) for network in networks[60:]]
    held = [f.low_ms <= ms <= f.high_ms for f, ms in zip(forecasts, measured[60:], strict=True)]
    assert 0.90 <= np.mean(held) <= 0.995
    assert all(f.low_ms < f.latency_ms < f.high_ms for f in forecasts)


def test_a_part_that_was_never_timed_is_less_sure():
    networks, measured, _ = made_up(60, noise=0.01, odd=0.3)
    model = fit_latency(networks, measured.tolist())
    known = next(part for network in networks for part in network)
    strange = Part("never seen", known.kind, known.modules, known.macs, known.elements)
    sure, unsure = model.of((known,)), model.of((strange,))
    assert unsure.high_ms - unsure.low_ms > 1.5 * (sure.high_ms - sure.low_ms)


def test_what_is_left_out_is_what_a_model_of_the_others_predicts():
    networks, measured, _ = made_up(30, noise=0.05)
    model = fit_latency(networks, measured.tolist())
    for number in (0, 7, 29):
        others = [index for index in range(30) if index != number]
        without = replace(
            model,
            timed=tuple(networks[index] for index in others),
            latencies_ms=tuple(measured[index] for index in others),
        )
        assert model.left_out_ms[number] == pytest.approx(without.of(networks[number]).latency_ms)


def test_a_space_without_attention_has_one_latency():
    forecast = fit_latency([()], [2.0]).of(())
    assert forecast.latency_ms == pytest.approx(2.0, rel=0.02)
