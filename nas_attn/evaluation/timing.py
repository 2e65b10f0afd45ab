"""Latencies of architectures, measured once a host, or predicted."""

import hashlib
import logging
import platform
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from itertools import cycle
from typing import Any

import torch
from torch import nn

from nas_attn.assembly import build
from nas_attn.cost import (
    Cost,
    Forecast,
    LatencyReading,
    Part,
    Prediction,
    Readings,
    Reference,
    Unrunnable,
    alone_on_this_host,
    device_name,
    fit_latency,
    measure_latency,
    prepare,
)
from nas_attn.settings import Backbone, LatencyTarget
from nas_attn.space import Architecture, InputError, Placement, SearchSpace, Slot, former_key
from nas_attn.training import TrainingFailed, faults_reported, networks_own

from .ledger import open_ledger

_LOG = logging.getLogger(__name__)

TIMINGS = 60
"""Most networks that are timed before the others are predicted."""

OnTimed = Callable[[int, int], None]
"""Called with the networks timed so far, and in all."""


@dataclass(frozen=True)
class Timing:
    """Latency measurement of a backbone's architectures on one target, each timed once on this host."""

    backbone: Backbone
    image: tuple[int, int, int]
    classes: int
    target: LatencyTarget
    device: torch.device
    readings: Readings
    beside: "Timing | None" = None
    """Whose plain backbone every network is timed in turn with; without it, its own."""

    def known(self, architecture: Architecture) -> LatencyReading | None:
        """The latency, if it was measured on this host before."""
        return self.readings.get(self._question(architecture))

    def measure(self, architecture: Architecture) -> LatencyReading:
        """The latency of the untrained network, in turn with a plain backbone, whose first reading sets the unit.

        Raises `InputError` where even the plain backbone cannot run on the target, and as `measure_latency` does.
        """
        with alone_on_this_host():
            reading = self.known(architecture)
            if reading is None:
                reference = self._reference() if architecture.placements or self.beside else None
                reading = self._timed(architecture, reference)
                self.readings.put(self._question(architecture), reading)
            return reading

    def _timed(self, architecture: Architecture, reference: Reference | None) -> LatencyReading:
        return measure_latency(self._build(architecture), self.image, self.target, self.device, reference)

    def _reference(self) -> Reference:
        if self.beside is not None:
            return self.beside._reference()
        try:
            return Reference(self._plain_pass, self.measure(Architecture()).median_ms)
        except Unrunnable as error:
            raise InputError(str(error)) from None

    @cached_property
    def _plain_pass(self) -> Callable[[], object]:
        return prepare(self._build(Architecture()), self.image, self.target, self.device)

    def _build(self, architecture: Architecture) -> nn.Module:
        with networks_own():
            return build(architecture, self.backbone.untrained, in_channels=self.image[0], classes=self.classes)

    def _question(self, architecture: Architecture) -> dict[str, Any]:
        """All that a latency depends on.

        The version of nas-attn is no part. A release that changes how fast networks are, or how they are timed, has to
        put a number of its own here.
        """
        packages = ("torch", *(("onnxruntime",) if self.target.runtime == "onnxruntime" else ()))
        return {
            "architecture": former_key(architecture.key),
            "backbone": self.backbone.untrained.identity(),
            "image": self.image,
            "classes": self.classes,
            "target": self.target.model_dump(exclude={"name", "source", "device"}),
            "device": str(self.device),
            "host": host(self.device),
            "versions": {package: version(package) for package in packages},
        }


PartsOf = Callable[[Architecture], tuple[Part, ...]]


def parts_of(space: SearchSpace, price: Callable[[Architecture], Cost]) -> PartsOf:
    """Function that splits an architecture of a space into the parts that it adds to the plain backbone, by slot."""
    plain = price(Architecture())

    @cache
    def part(placements: tuple[Placement, ...]) -> Part:
        alone = Architecture(placements)
        cost = price(alone)
        macs, flops = cost.macs - plain.macs, cost.flops - plain.flops
        return Part(str(alone), placements[0].attention.kind, len(placements), macs, flops - 2 * macs)

    def parts(architecture: Architecture) -> tuple[Part, ...]:
        here = (_standing(slot, architecture) for slot in space.slots)
        return tuple(part(placements) for placements in here if placements)

    return parts


@dataclass(frozen=True)
class Predictor:
    """Latency predictor of a space's architectures, fitted to a few that were timed."""

    parts: PartsOf
    prediction: Prediction

    def of(self, architecture: Architecture) -> Forecast:
        """The latency of an architecture, with its 95 % interval."""
        return self.prediction.of(self.parts(architecture))


def predictor(timing: Timing, space: SearchSpace, on_timed: OnTimed = lambda _done, _total: None) -> Predictor:
    """Predictor of a space's latencies, after at most 60 architectures are timed.

    One that cannot run is passed over, which the log says. Raises `InputError` as `Timing.measure` does.
    """
    parts = parts_of(space, open_ledger(timing.backbone, timing.image, timing.classes).price)
    chosen = design(space, TIMINGS, random.Random(0))
    timed: dict[Architecture, float] = {}
    for done, architecture in enumerate(chosen, start=1):
        try:
            with faults_reported():
                timed[architecture] = timing.measure(architecture).median_ms
        except (Unrunnable, TrainingFailed) as failure:
            if not architecture.placements:
                raise InputError(f"the plain backbone cannot be timed: {failure}") from failure
            _LOG.warning("%s: no latency is learnt from it: %s", architecture, failure)
        on_timed(done, len(chosen))
    return Predictor(parts, fit_latency([*map(parts, timed)], [*timed.values()]))


def design(space: SearchSpace, number: int, rng: random.Random) -> list[Architecture]:
    """At most `number` architectures to learn from: all of a space, or the baselines and then a random design.

    In it every kind comes about equally often in a slot, as it does in networks that are drawn at random.
    """
    if space.size <= number:
        return list(dict.fromkeys(space.architectures()))
    chosen = dict.fromkeys(space.baselines()[:number])
    while len(chosen) < number:
        columns = [_balanced(slot, number - len(chosen), rng) for slot in space.slots]
        drawn = (Architecture(tuple(p for filling in row for p in filling)) for row in zip(*columns, strict=True))
        chosen.update(dict.fromkeys(drawn))
    return list(chosen)


def host(device: torch.device) -> str:
    """Ten hexadecimal digits that identify this machine with its device, without its name."""
    return hashlib.sha256(f"{platform.node()} {device_name(device)}".encode()).hexdigest()[:10]


def _balanced(slot: Slot, number: int, rng: random.Random) -> list[tuple[Placement, ...]]:
    """Fillings of a slot in random order: none and each kind equally often, and so each choice of a kind."""
    fillings: list[list[tuple[Placement, ...]]] = [[()]]
    fillings += ([slot.fill(kind, choice) for choice in kind.choices()] for kind in slot.kinds)
    endless = [cycle(rng.sample(group, len(group))) for group in rng.sample(fillings, len(fillings))]
    return rng.sample([next(endless[count % len(endless)]) for count in range(number)], number)


def _standing(slot: Slot, architecture: Architecture) -> tuple[Placement, ...]:
    sites = {site.name for site in slot.sites}
    return tuple(placement for placement in architecture.placements if placement.site in sites)
