"""Networks from outside this package: their sites are found, and attention is attached to them."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from nas_attn.settings import Backbone
from nas_attn.space import InputError

from .attachment import attach
from .discovery import Place, named_places, places
from .insertion import Insert
from .libraries import plain_network
from .meta import on_meta
from .own_attention import attention_in, strip
from .tracing import SIZES, Trace, Untraceable, first_passing, trace

T = TypeVar("T")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of a network before it is built."""

    places: tuple[Place, ...]  # its sites, with the points where their attentions are attached, in the order of asking
    own_attention: tuple[str, ...]  # paths of the modules that are a library's attention by themselves, stripped or not
    remarks: tuple[str, ...] = ()
    """Which places are not the usual ones, and what is left out, a line each."""


def plan(backbone: Backbone, *, in_channels: int, classes: int) -> Plan:
    """The sites and the own attention of a foreign network, found once.

    Raises `InputError` where the network cannot be built or traced.
    """
    return _plan(backbone.untrained.model_dump_json(), in_channels, classes)


def foreign_network(
    backbone: Backbone, *, in_channels: int, classes: int, insert: Insert, network: nn.Module | None = None
) -> nn.Module:
    """A foreign network with what `insert` answers attached to its sites: this one, or a new one."""
    found = plan(backbone, in_channels=in_channels, classes=classes).places
    if network is None:
        network, _ = _plain(backbone, in_channels, classes)
    elif backbone.attention == "strip":
        strip(network)
    answers = [(place.point, insert(place.site)) for place in found]
    attached = [(point, attention) for point, attention in answers if attention is not None]
    try:
        return attach(network, attached)
    except ValueError as error:
        raise InputError(f"{backbone.name}: {error}") from None


def _plain(backbone: Backbone, in_channels: int, classes: int) -> tuple[nn.Module, tuple[str, ...]]:
    """The network without attention of ours, and where attention of its own stands, or stood."""
    network = plain_network(backbone, in_channels=in_channels, classes=classes)
    return network, strip(network) if backbone.attention == "strip" else attention_in(network)


@cache
def _plan(spelt: str, in_channels: int, classes: int) -> Plan:
    backbone = Backbone.model_validate_json(spelt)
    with on_meta():
        network, own = _plain(backbone, in_channels, classes)
    if backbone.attention == "strip" and not own:
        raise InputError(f"{backbone.name}: attention = 'strip': the network has no attention of its own that is known")
    passed = partial(_passed, network, backbone, in_channels, classes)
    try:
        traced = passed(trace)
    except Untraceable as error:
        raise _unreadable(backbone, f"tried {error}") from None
    if not backbone.part:
        _check_scores(traced, backbone, classes)
        with suppress(Untraceable):  # else the first training says what is wrong
            _check_training_scores(passed(_training_scores), backbone, classes)
    if backbone.modules:
        known = [path for path, _ in network.named_modules() if path]
        return Plan(named_places(traced, backbone.modules, known), own)
    found, remarks = places(traced, own if backbone.attention == "strip" else ())
    if not found:
        raise _unreadable(
            backbone, "it ran, and no block, unit or convolution was found that attention could stand after"
        )
    return Plan(found, own, (*remarks, *_frozen(network)))


def _frozen(network: nn.Module) -> Iterator[str]:
    """A line where weights are not to be trained."""
    if frozen := [name for name, one in network.named_parameters() if not one.requires_grad]:
        yield f"Frozen and not trained: {len(frozen)} parameters, of which {frozen[0]} is the first"


def _passed(
    network: nn.Module, backbone: Backbone, in_channels: int, classes: int, attempt: Callable[[nn.Module, Tensor], T]
) -> T:
    """What an attempt gives on the `meta` device, and where that does not work, on the CPU."""
    sizes = (backbone.image,) if backbone.image else SIZES
    with torch.device("cpu"), torch.random.fork_rng(devices=()):
        try:
            return first_passing(partial(attempt, network), in_channels, "meta", sizes)
        except Untraceable as error:
            on_meta = error
        real, _ = _plain(backbone, in_channels, classes)
        try:
            return first_passing(partial(attempt, real), in_channels, "cpu", sizes)
        except Untraceable as on_cpu:
            raise Untraceable(f"{on_meta}; {on_cpu}") from None


def _check_scores(traced: Trace, backbone: Backbone, classes: int) -> None:
    call = traced.calls[-1]
    shapes = [traced.nodes[output].shape for output in call.outputs]
    shape = shapes[0] if call.output is not None or (shapes and _is_map(shapes[0], classes)) else None
    if shape != (2, classes) and not (shape and _is_map(shape, classes)):
        given = "no single tensor" if shape is None else f"a tensor of shape {shape}"
        maps = f"(2, {classes}, h, w) for segmentation"
        scores = f"class scores, shape (2, {classes})"
        raise InputError(f"{backbone.name}: gives {given} for two images; allowed: {scores}, or maps of them, {maps}")


def _is_map(shape: object, classes: int) -> bool:
    """Whether a shape is that of a map of scores of two images, (2, classes, h, w), as segmentation needs it."""
    return isinstance(shape, tuple) and len(shape) == 4 and shape[:2] == (2, classes)


def _training_scores(network: nn.Module, images: Tensor) -> list[object]:
    """All that a network gives of images in training mode, in which it is afterwards."""
    with torch.no_grad():
        return [leaf for leaf in tree_leaves(network.train()(images)) if leaf is not None]


def _check_training_scores(found: list[object], backbone: Backbone, classes: int) -> None:
    """Log the auxiliary scores among what a network gives of two images in training mode.

    Raises `InputError` where it gives something else than class scores, or nobody says what auxiliary ones count.
    """
    shapes = [tuple(leaf.shape) if isinstance(leaf, Tensor) else type(leaf).__name__ for leaf in found]
    where = f"{backbone.name}: in training mode"
    if not found or (set(shapes) != {(2, classes)} and not all(_is_map(shape, classes) for shape in shapes)):
        given = ", ".join(map(str, shapes)) or "nothing"
        raise InputError(f"{where} it gives {given} for two images; allowed: class scores, shape (2, {classes})")
    if len(found) == 1 and backbone.auxiliary_weight is not None:
        raise InputError(f"{backbone.name}: auxiliary_weight: gives no auxiliary scores; leave it out")
    if len(found) > 1 and backbone.auxiliary_weight is None:
        raise InputError(
            f"{where} it gives {len(found)} class scores, main and auxiliary ones; say in [backbone] what each "
            "auxiliary loss counts, auxiliary_weight = 0.4, the first being the main one; or let it give one"
        )
    if len(found) > 1:
        message = "%s it gives %d class scores; in the loss the first counts 1, each other %g"
        _LOG.warning(message, where, len(found), backbone.auxiliary_weight)


def _unreadable(backbone: Backbone, tried: str) -> InputError:
    named = "name the modules after which attention may stand, modules = ['PATH', ...]"
    cure = f"say which images it takes, image = [HEIGHT, WIDTH], or {named}"
    if backbone.part:
        cure = f"say another network = in [task] than {backbone.part!r}, or {named}"
    return InputError(f"{backbone.name}: its sites cannot be found: {tried}; {cure}")
