"""Seconds that the steps of a chain take on this machine, from short trainings of the baselines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from nas_attn.chain import Chain
from nas_attn.evaluation import Pace, batches_of, training_pace
from nas_attn.settings import Step
from nas_attn.space import Architecture

_LIMIT_S = 10.0  # of timing, for each form in which networks are trained
_WARM_UP_S = 0.2  # of a latency, of each of the two networks that take turns
_TURNS = 2  # networks that are timed in turn
_PREDICTED_FROM = 60  # networks


@dataclass(frozen=True)
class Durations:
    """Seconds of the parts of a search; a form of training is timed once."""

    chain: Chain
    known: dict[tuple[object, ...], Pace | None] = field(default_factory=dict)

    def pace(self, step: Step) -> Pace | None:
        """Of networks as a step trains them; None where a user's own code does."""
        form = (step.width, step.resolution, step.batch_size)
        if form not in self.known:
            protocol, seed = self.chain.untrained_protocol(step), self.chain.folder.file.seed
            self.known[form] = training_pace(protocol, self._baselines(step), seed, _LIMIT_S)
        return self.known[form]

    def training_s(self, step: Step) -> float:
        """Of one training of a step; NaN where it is not known."""
        known, recipe = self.pace(step), step.recipe(self.chain.folder.file.recipe)
        batches = batches_of(self.chain.untrained_protocol(step))
        return math.nan if known is None or batches is None else known.seconds(recipe.epochs, batches)

    def shared_s(self, step: Step) -> float:
        """Of what is trained once for all networks of a step: the base, or supernets with their screening."""
        known, file = self.pace(step), self.chain.folder.file
        batches = batches_of(self.chain.untrained_protocol(step))
        if known is None or batches is None:
            return math.nan
        if step.proxy == "inherit" and step.weights == "base":
            return self.chain.bases(step) * known.seconds(file.base_recipe.epochs, batches)
        if step.proxy != "supernet":
            return 0.0
        part = self.chain.data.validation
        seen = 1 + step.calibration / max(1, len(part))
        trained = known.seconds(step.recipe(file.base_recipe).epochs, batches * (3 if step.sandwich else 1))
        return step.seeds * (trained + (step.networks or 0) * seen * known.validation_s)

    def latencies_s(self, networks: int) -> float:
        """Of timing so many networks, each in turn with the plain backbone, whose latency is measured for it."""
        target, timing = self.chain.folder.file.latency, self.chain.timing
        plain_s = timing.measure(Architecture()).median_ms / 1000
        timed = min(networks, _PREDICTED_FROM) if target.source == "predicted" else networks
        return timed * _TURNS * (_WARM_UP_S + target.calls * plain_s)

    def _baselines(self, step: Step) -> Sequence[Architecture]:
        """Plain, and each kind everywhere: their mean is that of networks whose kinds are drawn, if times add up."""
        listed = self.chain.space.baselines()
        return listed if step.width == 1 else listed[:1]
