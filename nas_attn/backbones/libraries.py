"""Networks of timm, of torchvision, and of the user's own modules, as they are."""

import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from nas_attn.settings import Backbone, is_named_object, library, named_object
from nas_attn.space import InputError, allowed

from .meta import is_on_meta
from .ordinary import ordinary

_USUAL_SIZE = 64, 64  # pixels, in which what is made by a first pass is made


def of_library(name: str) -> bool:
    """Whether a backbone's name, such as `timm:resnet50`, stands for a network of a library."""
    return name.startswith(("timm:", "torchvision:"))


def is_foreign(name: str) -> bool:
    """Whether a backbone's name stands for a network from outside this package."""
    return is_named_object(name) or of_library(name)


def plain_network(backbone: Backbone, *, in_channels: int, classes: int) -> nn.Module:
    """The network without attention of ours, on the current default device, with initial weights.

    A network that cannot be built on the `meta` device is built on the CPU, and its weights are given up; the global
    random state is as before then.

    Raises `InputError` where the library, the network or an argument does not exist.
    """
    if is_on_meta():
        with suppress(InputError):
            return _make(backbone, in_channels, classes)
        with torch.device("cpu"), torch.random.fork_rng(devices=()):
            return _make(backbone, in_channels, classes).to("meta")
    return _make(backbone, in_channels, classes)


@dataclass(frozen=True, slots=True)
class Construction:
    """How a network from outside is made, as a program would write it."""

    make: Callable[..., Any]
    name: str  # what a program calls it: `timm.create_model`, or the name of the user's own function
    arguments: dict[str, Any]


def construction(backbone: Backbone, *, in_channels: int, classes: int) -> Construction:
    """How the network without attention of ours is made.

    Raises `InputError` where the library, the network or an argument does not exist.
    """
    source, _, name = backbone.name.partition(":")
    find = {"timm": _timm, "torchvision": _torchvision}.get(source, _own)
    made = find(name, backbone, in_channels, classes)
    for argument in dict(backbone.arguments):
        if argument in made.arguments:
            raise InputError(f"{backbone.name}: arguments: {argument} is set by the study, the data or `weights`")
    made.arguments.update(backbone.arguments)
    return made


@contextmanager
def without_advice() -> Iterator[None]:
    """Context in which a `LightningModule` that keeps its network among its hyper-parameters is made without a warning.

    Lightning would advise against it anew for each of hundreds of networks.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Attribute '.*' is an instance of `nn.Module`")
        yield


def _make(backbone: Backbone, in_channels: int, classes: int) -> nn.Module:
    made = construction(backbone, in_channels=in_channels, classes=classes)
    try:
        with without_advice():
            network = made.make(**made.arguments)
    except Exception as error:  # somebody else's code may fail in any way
        raise InputError(f"{backbone.name}: cannot be built: {type(error).__name__}: {error}") from error
    if not isinstance(network, nn.Module):
        raise InputError(f"{backbone.name}: gives {type(network).__name__}; allowed: a torch.nn.Module")
    return ordinary_part(network, backbone.part, backbone.name, (in_channels, *(backbone.image or _USUAL_SIZE)))


def ordinary_part(whole: nn.Module, path: str, name: str, image: tuple[int, ...] | None = None) -> nn.Module:
    """The module at a path of another one, in which it then stands as `ordinary` leaves it."""
    part = part_of(whole, path, name) if path else whole
    unwrapped = ordinary(part, name, image)
    if path and unwrapped is not part:
        whole.set_submodule(path, unwrapped)
    return unwrapped


def part_of(whole: nn.Module, path: str, name: str) -> nn.Module:
    """The module at a path of another one, which is called so; raises `InputError` where there is none."""
    known = [inner for inner, _ in whole.named_modules()]
    if path not in known:
        raise InputError(f"{name}: has no module {path!r}; {allowed(path, known[1:])}")
    return whole.get_submodule(path)


def _timm(name: str, backbone: Backbone, in_channels: int, classes: int) -> Construction:
    timm = library("timm")
    if not timm.is_model(name.partition(".")[0]):
        raise _unknown("timm", name, timm.list_models(), "timm.list_models()")
    fixed = {"model_name": name, "num_classes": classes, "in_chans": in_channels, "pretrained": False}
    return Construction(timm.create_model, "timm.create_model", fixed)


def _torchvision(name: str, backbone: Backbone, in_channels: int, classes: int) -> Construction:
    models = library("torchvision").models
    names, of_maps = models.list_models(module=models), models.list_models(module=models.segmentation)
    if name not in (*names, *of_maps):
        raise _unknown("torchvision", name, names, "torchvision.models.list_models(module=torchvision.models)")
    if in_channels != 3:
        raise InputError(
            f"{backbone.name}: takes images of 3 channels, and these have {in_channels}; "
            "channels = 3 in the data's table turns images into colour"
        )
    usual: dict[str, Any] = {"weights_backbone": None} if name in of_maps else {}
    if name in ("googlenet", "inception_v3"):
        usual = {"aux_logits": False, "init_weights": True}
    chosen = {option: value for option, value in usual.items() if option not in dict(backbone.arguments)}
    fixed = {"name": name, "weights": None, "num_classes": classes, **chosen}
    return Construction(models.get_model, "torchvision.models.get_model", fixed)


def _own(name: str, backbone: Backbone, in_channels: int, classes: int) -> Construction:
    make = named_object(backbone.name)
    if not callable(make):
        raise InputError(
            f"{backbone.name}: found {type(make).__name__}; allowed: a function or class that gives a network"
        )
    fixed = {} if backbone.part else {"in_channels": in_channels, "classes": classes}
    try:
        inspect.signature(make).bind(**{**dict(backbone.arguments), **fixed})
    except TypeError as error:
        wanted = ", ".join(f"{name}=" for name in (*fixed, *dict(backbone.arguments)))
        raise InputError(f"{backbone.name}: has to take {wanted}: {error}") from None
    return Construction(make, name, fixed)


def _unknown(source: str, found: str, names: list[str], listing: str) -> InputError:
    close = get_close_matches(found, names, n=3)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return InputError(f"{source} has no network {found!r}; {hint}{listing} has all {len(names)}")
