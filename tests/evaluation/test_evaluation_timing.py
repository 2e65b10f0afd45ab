import random
from collections import Counter
from dataclasses import replace

import pytest
import torch

from nas_attn.assembly import load_space
from nas_attn.cost import LatencyReading, Readings, Unrunnable
from nas_attn.evaluation import Timing, open_ledger, predictor
from nas_attn.evaluation.timing import design, host, parts_of
from nas_attn.settings import Backbone, LatencyTarget
from nas_attn.space import Architecture, InputError, Kind, SearchSpace, Site, Slot, parse

SE = parse("stage2.block0.branch=se(reduction=4)")


class Bench:
    """Stands in for `measure_latency`: a millisecond for 100,000 parameters; remembers what it timed."""

    def __init__(self):
        self.timed = []

    def __call__(self, network, image, target, device, reference=None):
        parameters = sum(parameter.numel() for parameter in network.parameters())
        self.timed.append((parameters, reference))
        latency_ms = parameters / 1e5
        return LatencyReading(latency_ms, 0.99 * latency_ms, 1.01 * latency_ms, 0.1, 300, "a processor")


@pytest.fixture
def bench(monkeypatch):
    bench = Bench()
    monkeypatch.setattr("nas_attn.evaluation.timing.measure_latency", bench)
    return bench


@pytest.fixture
def timing(tmp_path):
    readings = Readings(tmp_path / "latency.jsonl")
    return Timing(Backbone(name="resnet8"), (1, 8, 8), 10, LatencyTarget(device="cpu"), torch.device("cpu"), readings)


def space(per_slot=3, stages=2):
    kinds = (Kind("se", (("reduction", tuple(2**n for n in range(1, per_slot))),)), Kind("gate"))
    names = [f"stage{number}" for number in range(1, stages + 1)]
    return SearchSpace(
        tuple(Slot(n, (Site(f"{n}.block0.branch", n, f"{n}.block0", "branch", 16),), kinds) for n in names)
    )


def test_a_network_is_timed_beside_the_plain_one_whose_first_reading_is_the_unit(timing, bench):
    reading = timing.measure(SE)
    (_, none), (_, reference) = bench.timed
    assert none is None
    assert reference.median_ms == timing.known(Architecture()).median_ms
    assert reading == timing.known(SE)


def test_another_network_is_timed_beside_the_plain_one_that_it_is_compared_with(timing, bench):
    unit = timing.measure(Architecture())
    wide = Backbone(name="resnet8", arguments={"width": 20})
    replace(timing, backbone=wide, beside=timing).measure(Architecture())
    (_, none), (_, reference) = bench.timed
    assert none is None
    assert reference.median_ms == unit.median_ms


def test_what_was_timed_is_not_timed_again(timing, bench):
    first = timing.measure(SE)
    again = replace(timing, readings=Readings(timing.readings.path))  # as another process would
    assert again.measure(SE) == first
    assert len(bench.timed) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"image": (1, 9, 9)},
        {"classes": 9},
        {"backbone": Backbone(name="resnet20")},
        {"target": LatencyTarget(device="cpu", batch=8)},
        {"target": LatencyTarget(device="cpu", dtype="bfloat16")},
        {"target": LatencyTarget(device="cpu", channels_last=True)},
        {"target": LatencyTarget(device="cpu", runtime="compile")},
    ],
)
def test_another_question_is_timed_anew(timing, bench, changed):
    timing.measure(Architecture())
    assert replace(timing, **changed).known(Architecture()) is None


def test_the_name_of_a_target_is_no_part_of_the_question(timing, bench):
    timing.measure(Architecture())
    assert replace(timing, target=LatencyTarget(device="cpu", name="desk", source="predicted")).known(Architecture())


def test_what_another_host_has_timed_is_never_used(timing, bench, monkeypatch):
    timing.measure(SE)
    here = host(timing.device)
    monkeypatch.setattr("platform.node", lambda: "another")
    assert host(timing.device) != here
    assert timing.known(SE) is None
    timing.measure(SE)
    assert len(bench.timed) == 4, "the other host's plain backbone is no unit here"


def test_where_not_even_the_plain_backbone_runs_the_search_ends(timing, monkeypatch):
    def refuse(*_args):
        raise Unrunnable("latency: the network cannot run as configured")

    monkeypatch.setattr("nas_attn.evaluation.timing.measure_latency", refuse)
    with pytest.raises(InputError, match="cannot run as configured") as error:
        timing.measure(SE)
    assert not isinstance(error.value, Unrunnable)


def test_a_design_is_as_large_as_it_may_be_and_begins_with_the_baselines():
    large = space(per_slot=5, stages=4)
    chosen = design(large, 60, random.Random(0))
    assert chosen[:3] == list(large.baselines())
    assert len(chosen) == len(set(chosen)) <= 60
    assert len(chosen) >= 55


def test_nothing_and_each_kind_are_timed_about_equally_often_in_a_slot():
    large = space(per_slot=5, stages=4)
    chosen = design(large, 60, random.Random(0))[3:]
    for slot in large.slots:
        answers = [large.answers(architecture) for architecture in chosen]
        kinds = Counter(str(said[slot.name]) for said in answers)
        assert set(kinds) == {"none", *(kind.name for kind in slot.kinds)}
        assert max(kinds.values()) <= 1.5 * min(kinds.values())
        for kind in slot.kinds:
            choices = Counter(
                str(said.get(f"{slot.name}.{kind.name}.reduction")) for said in answers if said[slot.name] == kind.name
            )
            assert len(choices) == kind.size
            assert max(choices.values()) - min(choices.values()) <= 4


def test_a_small_space_is_timed_whole():
    assert set(design(space(), 60, random.Random(0))) == set(space().architectures())


def test_parts_add_up_to_what_the_ledger_counts(make_study):
    said, small = load_space(make_study() / "space.toml")
    price = open_ledger(said.backbone, said.image, 10).price
    parts = parts_of(small, price)
    plain = price(Architecture())
    for architecture in (small.sample(random.Random(seed)) for seed in range(3)):
        cost, added = price(architecture), parts(architecture)
        assert sum(part.macs for part in added) == cost.macs - plain.macs
        assert sum(2 * part.macs + part.elements for part in added) == cost.flops - plain.flops
        assert sum(part.modules for part in added) == len(architecture.placements)


def test_timings_predict_the_others_and_are_reported_one_by_one(timing, bench, monkeypatch):
    monkeypatch.setattr("nas_attn.evaluation.timing.TIMINGS", 7)
    reported, small = [], space(per_slot=2)
    model = predictor(timing, small, lambda done, total: reported.append((done, total)))
    assert len(bench.timed) <= 7 < small.size
    assert reported == [(number, len(bench.timed)) for number in range(1, len(bench.timed) + 1)]
    for architecture in small.architectures():
        assert model.of(architecture).latency_ms == pytest.approx(timing.measure(architecture).median_ms, rel=0.05)
