"""A user's own attention, named as `my_package.blocks:MyAttention`, and whether it can be used as the others are."""

import inspect
import warnings
from types import NoneType, UnionType
from typing import Union, get_args, get_origin

import torch
from torch import Tensor, nn
from torch.export import Dim, export

from nas_attn.settings import named_object
from nas_attn.space import POSITIONS, InputError, is_kind, is_word, reported

from .catalogue import built, keyword_options

_WIDTHS = (16, 64, 256)
_SHAPES = ((2, 16, 6, 5), (3, 16, 7, 9))
_PLAIN = (str, int, float, bool)
_TAKEN = ("channels", "position", "slots", "start")  # what a space file says of any kind


def own_class(kind: str) -> type[nn.Module]:
    """The class that a user's kind names.

    Raises `InputError` where it cannot be spelt, cannot be imported, or is no class of modules.
    """
    if not is_kind(kind):
        raise InputError(f"{kind}: cannot be spelt; allowed: ASCII letters, digits and _ only")
    found = named_object(kind)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise InputError(f"{kind}: found {_shown(found)}; allowed: a subclass of torch.nn.Module")
    return found


def check_own(kind: str) -> None:
    """Compare a user's attention with all that is required of one.

    Its class takes `channels` first, a gated one `signal_channels` second, and all else by keyword with plain defaults;
    `positions`, where it has them, are some of `POSITIONS`. What it builds with its defaults keeps the shape of a map,
    leaves its input as it was, hands gradients on, and gives the same numbers when it is exported for any batch, height
    and width. One that changes nothing at first says so by `starts_as_identity = True`. The global random state stays
    as it was.

    Raises `InputError` that begins with the kind and says what was found.
    """
    attention = own_class(kind)
    try:
        _check_parameters(attention)
        _check_positions(attention)
        with torch.random.fork_rng(devices=()):
            torch.default_generator.manual_seed(0)
            module, *_ = [_built(attention, channels) for channels in _WIDTHS]
            for shape in _SHAPES:
                _check_map(module.eval(), shape)
            _check_map(module.train(), _SHAPES[0])
            _check_export(module.eval())
    except ValueError as error:
        raise InputError(f"{kind}: {error}") from None


def _check_parameters(attention: type[nn.Module]) -> None:
    with reported("its parameters cannot be read"):
        found = inspect.signature(attention)
        options = {option.name: option for option in keyword_options(attention)}
    first = ["channels", "signal_channels"][: 2 if _gated(attention) else 1]
    if [name for name in found.parameters if name not in options] != first:
        raise ValueError(f"found the parameters {found}; allowed: {' and '.join(first)}, then options after a *")
    for option in options.values():
        _check_option(option)


def _check_option(option: inspect.Parameter) -> None:
    if not is_word(option.name) or option.name in _TAKEN:
        words = f"letters, digits and _ only, and none of {', '.join(_TAKEN)}"
        raise ValueError(f"found an option {option.name!r}; allowed: {words}")
    union = get_origin(option.annotation) in (Union, UnionType)
    types = [one for one in (get_args(option.annotation) if union else (option.annotation,)) if one is not NoneType]
    plain = types and all(one in _PLAIN for one in types)
    if not plain or not isinstance(option.default, (*_PLAIN, NoneType)):
        raise ValueError(f"found the option {option}; allowed: a default, which is a str, int, float or bool")


def _check_positions(attention: type[nn.Module]) -> None:
    found = getattr(attention, "positions", POSITIONS)
    several = isinstance(found, tuple | list) and found
    if not several or any(place not in POSITIONS or found.count(place) > 1 for place in found):
        raise ValueError(f"positions: found {found!r}; allowed: some of {', '.join(POSITIONS)}, each once")


def _check_map(module: nn.Module, shape: tuple[int, ...]) -> None:
    """One pass, and in training mode the way back."""
    how = f"with a map of {shape} in {'training' if module.training else 'evaluation'} mode"
    given = _maps(module, shape)
    kept = [features.clone() for features in given]
    if module.training:
        given[0].requires_grad_()
    with reported(f"fails {how}"):
        weighed = module(*given)
    if not isinstance(weighed, Tensor) or weighed.shape != shape:
        found = tuple(weighed.shape) if isinstance(weighed, Tensor) else _shown(weighed)
        raise ValueError(f"gives {found} {how}; allowed: a tensor of the same shape")
    if not all(map(torch.equal, given, kept)):
        raise ValueError(f"changes its input in place {how}")
    if torch.equal(weighed, kept[0]) and not getattr(module, "starts_as_identity", False):
        raise ValueError(f"changes nothing {how} at first; let it say so: starts_as_identity = True")
    if module.training:
        with reported(f"hands no gradients on {how}"):
            torch.autograd.grad(weighed.sum(), given[0])


def _check_export(module: nn.Module) -> None:
    given = _maps(module, _SHAPES[0])
    sides = dict.fromkeys((0, 2, 3), Dim.DYNAMIC)
    with reported("torch.export refuses any batch, height and width"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside torch.export itself
        program = export(module, given, dynamic_shapes=(sides,) * len(given)).module()
    for shape in _SHAPES:
        maps = _maps(module, shape)
        with reported(f"what torch.export makes of it fails with a map of {shape}"):
            exported = program(*maps)
        if not torch.allclose(exported, module(*maps), rtol=1e-4, atol=1e-5):
            raise ValueError(f"gives other numbers when torch.export has been through it, with a map of {shape}")


def _gated(attention: type[nn.Module] | nn.Module) -> bool:
    return bool(getattr(attention, "gated", False))


def _built(attention: type[nn.Module], channels: int) -> nn.Module:
    with reported(f"cannot be built with {channels} channels and its defaults"):
        return built(attention, channels)


def _maps(module: nn.Module, shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    return tuple(torch.randn(shape) for _ in range(2 if _gated(module) else 1))


def _shown(found: object) -> str:
    return f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
