"""Networks without what others have wrapped around their modules and weights, so that they can be read and learn."""

import logging
from collections.abc import Callable
from functools import cache

import torch
from torch import nn
from torch.fx import GraphModule
from torch.nn.utils import parametrizations
from torch.nn.utils.weight_norm import WeightNorm

from nas_attn.space import InputError, first_line

_LOG = logging.getLogger(__name__)

_WRAPPERS: dict[str, Callable[[nn.Module], nn.Module | None]] = {
    "torch.compile": lambda one: getattr(one, "_orig_mod", None),
    "nn.DataParallel": lambda one: one.module if isinstance(one, nn.DataParallel) else None,
    "AveragedModel": lambda one: one.module if isinstance(one, torch.optim.swa_utils.AveragedModel) else None,
}
_QUANTISED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")
_GRAPH = (
    "is a graph of torch.fx, in which blocks are no modules any more: places that no module marks are missing; "
    "for all of them give the network itself"
)


def ordinary(network: nn.Module, name: str, image: tuple[int, ...] | None = None) -> nn.Module:
    """The same network of ordinary modules and weights; what is taken off or made is logged once.

    `torch.compile`, `nn.DataParallel` and an average of weights are taken off, a weight norm by hooks becomes a
    parametrisation, lazy modules are made by one pass of an image (C, H, W) where one is given, and a network in half
    or double precision is turned into float32.

    Raises `InputError` with the cure for what cannot be read or cannot learn: TorchScript, an exported program,
    quantised modules, parts in half precision, weights of `torch.inference_mode`.
    """
    network = _unwrapped(network, name, "")
    _refuse(network, name)
    for path, module in list(network.named_modules()):
        for child, inner in list(module._modules.items()):  # `named_children` leaves out a second name of one module
            if inner is not None and (unwrapped := _unwrapped(inner, name, f"{path}.{child}".lstrip("."))) is not inner:
                setattr(module, child, unwrapped)
        if getattr(module, "_compiled_call_impl", None) is not None:
            module._compiled_call_impl = None
            _say(name, f"{path or 'the network'}: torch.compile is taken off; compile what is exported")
        _parametrise(module, name, path)
        if isinstance(module, GraphModule):
            _say(name, f"{path or 'the network'} {_GRAPH}")
    if image is not None:
        _materialise(network, name, image)
    if any(parameter.is_inference() for parameter in network.parameters()):
        raise InputError(f"{name}: was made in torch.inference_mode, so it cannot learn; make it outside")
    _check_precision(network, name)
    return network


def _unwrapped(module: nn.Module, name: str, path: str) -> nn.Module:
    for what, inner_of in _WRAPPERS.items():
        while (inner := inner_of(module)) is not None:
            _say(name, f"{path or 'the network'}: {what} is taken off")
            module = inner
    return module


def _refuse(network: nn.Module, name: str) -> None:
    for path, module in network.named_modules():
        where = f"{name}: {path}" if path else name
        if isinstance(module, torch.jit.ScriptModule):
            raise InputError(f"{where} is TorchScript, into which nothing can be put; give the nn.Module itself")
        if hasattr(module, "_guards_fn") or hasattr(module, "module_call_graph"):
            raise InputError(f"{where} is a program of torch.export; give the nn.Module that it was made of")
        if type(module).__module__.startswith(_QUANTISED):
            raise InputError(
                f"{where} is quantised ({type(module).__name__}), so it cannot learn; "
                "give the network as it was before, and quantise what is exported"
            )


def _parametrise(module: nn.Module, name: str, path: str) -> None:
    """Turn a weight norm by hooks, whose weight can be neither copied nor written, into a parametrisation."""
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, WeightNorm):
            nn.utils.remove_weight_norm(module, hook.name)
            parametrizations.weight_norm(module, hook.name, hook.dim)
            _say(name, "weight norms by hooks are parametrisations now, as torch.nn.utils.parametrizations makes them")


def _materialise(network: nn.Module, name: str, image: tuple[int, ...]) -> None:
    """Make the weights of lazy modules by one pass."""
    lazy = [path for path, one in network.named_modules() if getattr(one, "has_uninitialized_params", bool)()]
    if not lazy:
        return
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(2, *image))
    except Exception as error:  # somebody else's network may fail in any way
        size = " x ".join(map(str, image))
        raise InputError(
            f"{name}: {lazy[0]} is lazy, and a pass of images of {size} does not make it: {first_line(error)}; "
            "say which images the network takes, image = [HEIGHT, WIDTH]"
        ) from None
    network.train()
    _say(name, f"{', '.join(lazy[:3])}: lazy, made by a pass of one image of {image[0]} channels")


def _check_precision(network: nn.Module, name: str) -> None:
    """Turn a network in half or double precision into float32; refuse one of which only parts are in half."""
    weights = {path: one for path, one in network.named_parameters() if one.is_floating_point()}
    kinds = {one.dtype for one in weights.values()}
    half = [path for path, one in weights.items() if one.dtype in (torch.float16, torch.bfloat16)]
    if len(kinds) == 1 and kinds != {torch.float32}:
        (kind,) = kinds
        network.float()
        _say(name, f"its weights were {_word(kind)}, and are float32; [trainer] precision says what it is computed in")
    elif half:
        raise InputError(
            f"{name}: {half[0]} is {_word(weights[half[0]].dtype)}, and others are not; give it in float32: "
            "[trainer] precision says what it is computed in"
        )


def _word(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")


@cache
def _say(name: str, what: str) -> None:
    _LOG.warning("%s: %s", name, what)
