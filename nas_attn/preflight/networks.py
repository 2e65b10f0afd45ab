"""Checks of a study's networks: the plain backbone, and every kind at every slot in as few networks as can be."""

import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load
from torch import Tensor, nn

from nas_attn.backbones import is_foreign, plan
from nas_attn.chain import Chain
from nas_attn.data import ImageData, LoaderPart, batches_in_order
from nas_attn.evaluation import Costs, TrainingProtocol, covering, culprits, read_weights, write_weights
from nas_attn.export.standalone.weights import packed
from nas_attn.pricing import filled
from nas_attn.results import spell_cell
from nas_attn.settings import FINAL
from nas_attn.space import Architecture, InputError, Placement, reported
from nas_attn.study import over_budget
from nas_attn.tasks import FunctionTask, ImageTask
from nas_attn.training import Normalise, TrainingFailed, expected_shape, faults_reported, is_expected, score_tensors

from .findings import Finding

_PLAIN = Architecture()
_UNSEEN = "two images pass through it, forth and back; its training is the task's, and is not tried"
_DROPPED = "let the train loader leave it out: drop_last=True"


def priced(chain: Chain, failing: set[Placement]) -> Iterator[Finding]:
    """Whether every choice at every site has a price, without which the space has none; what has none is `failing`."""
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    placements = {one for slot in chain.space.slots for filling in slot.fillings() for one in filling}
    for placement in sorted(placements, key=str):
        try:
            chain.ledger.price(Architecture((placement,)))
        except InputError as error:
            failing.add(placement)
            reason = str(error).removeprefix(f"{placement.site}={placement.attention}: ")
            reasons[placement.attention.kind, reason].append(placement.site)
    for (kind, reason), sites in reasons.items():
        where = f"{kind} at {sites[0]}{_and_more(sites)}"
        yield Finding("prices", "fault", f"{where}: {reason}", "or leave it out there, by slots or position")
    if not failing:
        prices = chain.ledger.space_prices(chain.space)
        ends = np.array([prices.extreme("flops", highest=highest) for highest in (False, True)])
        least, most = (spell_cell("flops", {"flops": flops}) for flops in prices.totals(ends)["flops"].tolist())
        yield Finding("prices", "ok", f"each of {prices.networks:,} networks has one, {least} to {most} FLOPs")


def plain(chain: Chain, single: bool) -> Iterator[Finding]:
    """Whether the plain backbone learns from a first batch, in every form that a step gives it, and can be judged."""
    seed, losses = chain.folder.file.seed, []
    for step, protocol in _forms(chain).items():
        with reported(f"in the step {step!r}", TrainingFailed), faults_reported():
            network = protocol.build(_PLAIN, seed)
            losses.append(protocol.try_out(network, seed))
            if isinstance(protocol.task, ImageTask):
                _check_scores(network, protocol.task.data, protocol.recipe.batch_size)
    known = [loss for loss in losses if loss is not None]
    if not all(map(math.isfinite, known)):
        cure = "train with a smaller learning_rate, or mend the images"
        yield Finding("plain backbone", "warning", f"the loss of its first batch is {known[-1]}", cure)
    learns = f"it learns from a first batch, with a loss of {known[-1]:.3g}" if known else _UNSEEN
    yield Finding("plain backbone", "ok", learns)
    yield from _peculiarities(chain, network)
    if single:
        yield from _single(protocol, seed)


def candidates(chain: Chain, failing: set[Placement]) -> Iterator[Finding]:
    """Whether every kind learns in every slot that offers it, and the most expensive network does.

    What is known to be `failing` is left out, and what fails is added to it.
    """
    trial, known = _Trial(_as_winner(chain), chain.folder.file.seed, _points(chain)), frozenset(failing)
    tried = [without(architecture, known) for architecture in covering(chain.space)]
    for architecture in dict.fromkeys([*tried, *([] if known else [most_expensive(chain)])]):
        for part, failure in culprits(architecture, chain.space, trial):
            cure = "each network with it will be a failed row"
            if "out of memory" in str(failure):
                cure += " where half a batch is too large too; a smaller batch_size needs less memory"
            yield Finding("candidates", "warning", f"{part}: {failure}", cure)
            failing.update(part.placements)
    if not failing:
        does = "gives and takes two images" if isinstance(chain.task, FunctionTask) else "learns"
        text = f"every kind {does} in every slot that offers it, and so does the most expensive network"
        yield Finding("candidates", "ok", text)
    if trial.overwritten:
        named = ", ".join([*dict.fromkeys(trial.overwritten)][:3])
        text = f"what follows an attention writes in place on what it gives, after {named}; a copy is handed on"
        yield Finding("in place", "coped with", text)


def without(architecture: Architecture, failing: Collection[Placement]) -> Architecture:
    """The architecture without what fails."""
    return Architecture(tuple(one for one in architecture.placements if one not in failing))


def timed(chain: Chain) -> Iterator[Finding]:
    """The latency of the plain backbone, which the search does not measure again, and whether its costs are allowed."""
    costs = Costs(chain.timing, None)
    row = costs.measure(costs.count(_PLAIN))
    yield Finding("latency", "ok", f"the plain backbone takes {spell_cell('latency_ms', row)} on {row.latency.target}")
    if over := over_budget(row, chain.folder.file.budget):
        text = f"nothing meets it; even the plain backbone has {over.reason}"
        yield Finding("budget", "fault", text, "allow more, or search from a smaller backbone")


def written(chain: Chain) -> Iterator[Finding]:
    """Whether the weights of the plain backbone are the same once they were written beside the study and read."""
    protocol, seed = _as_winner(chain), chain.folder.file.seed
    with tempfile.TemporaryDirectory(prefix=".check-", dir=chain.folder.path) as folder, faults_reported():
        path, network = Path(folder) / "weights.safetensors", protocol.build(_PLAIN, seed)
        digest = write_weights(network, path)
        _compare(network, read_weights(protocol.build(_PLAIN, seed + 1), path, digest))
        size = path.stat().st_size
    yield Finding("weights", "ok", f"{size / 1e6:.3g} MB are the same once they were written and read")


def most_expensive(chain: Chain) -> Architecture:
    """The network of the space with the most MACs."""
    prices = chain.ledger.space_prices(chain.space)
    (found,) = filled(chain.space, np.array([prices.extreme("macs", highest=True)]))
    return found


@dataclass
class _Trial:
    """Attempt to train a network for one batch, and to keep its weights."""

    protocol: TrainingProtocol
    seed: int
    points: dict[str, str]
    """Of each site, the module whose output or, with a `<` before it, input its attention weighs."""

    def __post_init__(self) -> None:
        self.overwritten: list[str] = []
        """Modules after which something writes in place."""

    def __call__(self, architecture: Architecture) -> None:
        with faults_reported():
            network = self.protocol.build(architecture, self.seed)
            paths = [self.points[one.site] for one in architecture.placements if one.site in self.points]
            overwritten = _watch(self.protocol.task.network(network), paths)
            self.protocol.try_out(network, self.seed)
            again = self.protocol.build(architecture, self.seed + 1)
            again.load_state_dict(load(packed(network.cpu())))
            _compare(network, again)
            self.overwritten += overwritten()


def _compare(network: nn.Module, again: nn.Module) -> None:
    """Raise `ValueError` where weights that were written are others once they are read."""
    pairs = zip(network.state_dict().items(), again.state_dict().values(), strict=True)
    if differing := [name for (name, before), after in pairs if not torch.equal(before.cpu(), after)]:
        raise ValueError(f"{differing[0]} is another one once it was written and read")


def _watch(network: nn.Module, paths: list[str]) -> Callable[[], list[str]]:
    """A function that says, after a pass, what of that which these modules give or take was written over."""
    modules, seen = dict(network.named_modules()), dict[str, tuple[Tensor, int]]()

    def note(path: str, value: object) -> None:
        if isinstance(value, Tensor):
            seen[path] = value, value._version

    def given(path: str, _module: nn.Module, _inputs: object, output: object) -> None:
        note(path, output)

    def taken(path: str, _module: nn.Module, inputs: tuple[object, ...]) -> None:
        note(path, inputs[0])

    for path in paths:
        if path.startswith("<"):
            modules[path[1:]].register_forward_pre_hook(partial(taken, path[1:]))
        else:
            modules[path].register_forward_hook(partial(given, path))
    return lambda: [path for path, (tensor, before) in seen.items() if tensor._version > before]


def _points(chain: Chain) -> dict[str, str]:
    if not is_foreign(chain.backbone.name):
        return {}
    found = plan(chain.backbone, in_channels=chain.task.facts.in_channels, classes=chain.task.classes)
    return {place.site.name: place.point.module for place in found.places}


def _forms(chain: Chain) -> dict[str, TrainingProtocol]:
    """A protocol by the name of a step for each form in which networks are trained, that of the winner last."""
    steps = {step.name: step for step in chain.folder.file.steps if not step.whole}
    return {name: chain.untrained_protocol(step) for name, step in steps.items()} | {FINAL: _as_winner(chain)}


def _as_winner(chain: Chain) -> TrainingProtocol:
    return chain.untrained_protocol(chain.folder.file.final_step(1, 1))


def _check_scores(network: nn.Module, data: ImageData, batch_size: int) -> None:
    """Raise `TypeError` where a network in evaluation mode gives something else than the task needs."""
    device = next(network.parameters()).device
    images, _ = next(iter(batches_in_order(data.validation, batch_size)))
    with torch.inference_mode():
        found = network.eval()(Normalise(data).to(device)(images.to(device)))
    if not (scores := score_tensors(found)) or not is_expected(scores[0], data) or len(scores[0]) != len(images):
        shape = tuple(scores[0].shape) if scores else ()
        allowed = f"{expected_shape(data)}, with B = {len(images)}"
        raise TypeError(f"in evaluation mode it gives {type(found).__name__} of shape {shape}; allowed: {allowed}")


def _peculiarities(chain: Chain, network: nn.Module) -> Iterator[Finding]:
    """What is unusual of a plain backbone, and no fault."""
    names: dict[int, list[str]] = defaultdict(list)
    for name, tensor in network.state_dict(keep_vars=True).items():
        names[id(tensor)].append(name)
    if tied := [known for known in names.values() if len(known) > 1]:
        text = f"{tied[0][0]} is {tied[0][1]}{_and_more(tied)}; they count once, and are kept under each name"
        yield Finding("tied weights", "coped with", text)
    if (weight := chain.backbone.auxiliary_weight) is not None:
        text = f"in training it gives auxiliary scores, and each counts {weight:g} in the loss"
        yield Finding("auxiliary scores", "coped with", text)


def _and_more(things: Sequence[object]) -> str:
    return f" and {len(things) - 1} more" if len(things) > 1 else ""


def _single(protocol: TrainingProtocol, seed: int) -> Iterator[Finding]:
    """Whether the plain backbone learns from one image, as it has to with a user's loader."""
    if not isinstance(protocol.task, ImageTask) or not isinstance(protocol.task.data.train, LoaderPart):
        return
    text = "a batch of the train loader has one image"
    try:
        with faults_reported():
            protocol.try_out(protocol.build(_PLAIN, seed), seed, images=1)
    except TrainingFailed as failure:
        yield Finding("batches", "fault", f"{text}, and the plain backbone fails with it: {failure}", _DROPPED)
    else:
        yield Finding("batches", "coped with", f"{text}, and the plain backbone learns from it")
