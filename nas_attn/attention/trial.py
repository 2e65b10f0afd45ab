"""Whether an attention of somebody else's can stand where the map has a width and a size: built, run and exported."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nas_attn.space import reported

from .programs import exported, without_remarks
from .signature import construct, signature_of

Size = tuple[int, int]
"""Height and width."""

SIZES: tuple[Size, ...] = ((6, 5), (8, 8), (7, 7), (14, 14), (16, 16))
"""Of maps to try where no network says which."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Where an attention is to stand, and with which options."""

    widths: tuple[int, ...]
    """Channels of the map, and of the signal of a gated attention."""
    size: Size
    options: Mapping[str, Any] = field(default_factory=dict)
    signal_size: Size | None = None
    """Height and width of the signal; without it, those of the map."""

    def shapes(self, gated: bool, batch: int = 2) -> tuple[tuple[int, ...], ...]:
        """Shapes of what the attention is called with."""
        of_signal = (batch, self.widths[-1], *(self.signal_size or self.size))
        return ((batch, self.widths[0], *self.size), of_signal)[: 2 if gated else 1]

    def sides(self) -> dict[str, Any]:
        """Height and width as options, for a class that is built for one size."""
        return {"height": self.size[0], "width": self.size[1]}


def needed(attention: type[nn.Module], situation: Situation) -> dict[str, Any]:
    """The options of a situation, and the size where the class is built for one."""
    return {**(situation.sides() if signature_of(attention).sized else {}), **situation.options}


def check_stands(attention: type[nn.Module], situation: Situation) -> None:
    """See that it keeps the shape of a map, changes nothing in place and hands gradients on.

    The global random state stays as it was. Raises `ValueError` that says what was found.
    """
    with torch.random.fork_rng(devices=()), torch.device("cpu"):
        torch.default_generator.manual_seed(0)
        module = _built(attention, situation)
        for training in (False, True):
            _check_map(module.train(training), situation.shapes(_gated(module)))


def changes_nothing(attention: type[nn.Module], widths: tuple[int, ...], options: Mapping[str, Any]) -> bool:
    """Whether it is the identity at first: as it says itself by `starts_as_identity`, else as a small map tells.

    The global random state stays as it was.
    """
    with torch.random.fork_rng(devices=()), torch.device("cpu"):
        torch.default_generator.manual_seed(0)
        said = getattr(construct(attention, widths, options), "starts_as_identity", None)
        if said is not None:
            return bool(said)
        given = (options["height"], options["width"]) if {"height", "width"} <= options.keys() else None
        for size in (given,) if given else SIZES:
            module = construct(attention, widths, options).eval()
            maps = tuple(map(torch.randn, Situation(widths, size).shapes(_gated(module))))
            with suppress(Exception), torch.no_grad():  # of some size it takes none
                return torch.equal(module(*maps), maps[0])
    return False


def check_export(attention: type[nn.Module], situation: Situation, other: Size | None) -> str:
    """Export it for any batch, height and width, or where that is refused, for any batch of maps of its size.

    What is exported has to give the numbers of the module; `other` is a second size of map to try it with. Returns what
    the export does not take, in a line, or nothing. Raises `ValueError` where neither can be had.
    """
    with torch.random.fork_rng(devices=()), torch.device("cpu"):
        torch.default_generator.manual_seed(0)
        module = _built(attention, situation).eval()
        gated = _gated(module)
        here, more = situation.shapes(gated), situation.shapes(gated, batch=3)
        elsewhere = [Situation(situation.widths, other, situation.options).shapes(gated)] if other else []
        if {"height", "width"} <= needed(attention, situation).keys():
            elsewhere = []
        try:
            _check_program(module, "any batch, height and width", (0, 2, 3), [here, more, *elsewhere])
        except ValueError as error:
            size = f"{situation.size[0]} x {situation.size[1]}"
            _check_program(module, f"any batch of maps of {size}", (0,), [here, more])
            return f"exported for one size of image only, because {error}"
    return ""


def _built(attention: type[nn.Module], situation: Situation) -> nn.Module:
    options = needed(attention, situation)
    said = ", ".join(f"{name}={value}" for name, value in options.items()) or "its defaults"
    with reported(f"cannot be built with {situation.widths[0]} channels and {said}"):
        built: nn.Module = construct(attention, situation.widths, options)
    return built


def _check_map(module: nn.Module, shapes: tuple[tuple[int, ...], ...]) -> None:
    """One pass, and in training mode the way back."""
    shape = shapes[0]
    how = f"with a map of {shape} in {'training' if module.training else 'evaluation'} mode"
    given = tuple(map(torch.randn, shapes))
    kept = [features.clone() for features in given]
    if module.training:
        given[0].requires_grad_()
    with reported(f"fails {how}"):
        weighed = module(*given)
    if not isinstance(weighed, Tensor) or weighed.shape != shape:
        found = tuple(weighed.shape) if isinstance(weighed, Tensor) else f"a {type(weighed).__name__}"
        raise ValueError(f"gives {found} {how}; allowed: a tensor of the same shape")
    if not all(map(torch.equal, given, kept)):
        raise ValueError(f"changes its input in place {how}")
    if module.training:
        with reported(f"hands no gradients on {how}"):
            torch.autograd.grad(weighed.sum(), given[0])


def _check_program(
    module: nn.Module, words: str, free: tuple[int, ...], shapes: list[tuple[tuple[int, ...], ...]]
) -> None:
    given = tuple(map(torch.randn, shapes[0]))
    with reported(f"torch.export refuses {words}"):
        program = exported(module, given, free)
    with without_remarks():
        runs = program.module()
    for one in shapes:
        maps = tuple(map(torch.randn, one))
        with reported(f"what torch.export makes of it fails with a map of {one[0]}"):
            found = runs(*maps)
        if not torch.allclose(found, module(*maps), rtol=1e-4, atol=1e-5):
            raise ValueError(f"gives other numbers when torch.export has been through it, with a map of {one[0]}")


def _gated(attention: type[nn.Module] | nn.Module) -> bool:
    return bool(getattr(attention, "gated", False))
