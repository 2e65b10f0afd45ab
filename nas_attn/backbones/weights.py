"""Trained weights for a network that has been built: its library's, or those of a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas_attn.settings import Backbone, library
from nas_attn.space import InputError

from .attachment import Attentions
from .checkpoint import StateDict, read_state_dicts

_COUNTERS = ("num_batches_tracked", "total_ops", "total_params")
"""Last parts of names of tensors that no result depends on; thop leaves the last two."""


def load_backbone_weights(network: nn.Module, backbone: Backbone, *, in_channels: int, classes: int) -> tuple[str, ...]:
    """Load the backbone's `weights` into a network, attentions excepted; returns what a user should know, a line each.

    Of a file the state dict and the prefix are taken that fit best, or those that `weights_key` names. The classifier
    stays as it was where the weights have another number of classes or none; the first convolution is fitted to the
    image's channels. Weights of attention that was stripped, of auxiliary classifiers that the network does not have,
    and of parts outside the prefix are left out.

    Raises `InputError` where there are no such weights, or they are not those of this network.
    """
    own = {name: tensor for name, tensor in network.state_dict().items() if not _is_ours(network, backbone, name)}
    fit = _fit(backbone, own, in_channels)
    tensors, notes = dict(fit.tensors), list(fit.notes)
    modules = dict(network.named_modules())
    missing = [name for name in own if name not in tensors and not name.endswith(_COUNTERS)]
    unexpected = [name for name in tensors if name not in own and not _is_left_out(name, modules)]
    stem = next((name for name, tensor in own.items() if tensor.ndim == 4), "")
    if stem in tensors and _other_channels(tensors[stem], own[stem], in_channels):
        notes.append(f"{stem} is fitted from {tensors[stem].shape[1]} to {in_channels} channels")
        tensors[stem] = fitted_to_channels(tensors[stem], in_channels)
    shapes = {name: (tuple(tensors[name].shape), tuple(own[name].shape)) for name in own if name in tensors}
    differing = {name: (found, wanted) for name, (found, wanted) in shapes.items() if found != wanted}
    new = [name for name, (found, wanted) in differing.items() if found[1:] == wanted[1:] and wanted[:1] == (classes,)]
    head = _head(own, classes)
    headless = missing if missing and set(missing) <= set(head) else []
    misshapen = [f"{name} {found} for {wanted}" for name, (found, wanted) in differing.items() if name not in new]
    faults = {"missing": [] if headless else missing, "unexpected": unexpected, "of another shape": misshapen}
    if any(faults.values()):
        reasons = "; ".join(f"{fault}: {_first(names)}" for fault, names in faults.items() if names)
        raise InputError(f"weights = {backbone.weights!r}: do not fit {backbone.name}{fit.read_as}: {reasons}")
    network.load_state_dict({name: tensors[name] for name in shapes if name not in new}, strict=False)
    for names, reason in ((new, "are for other classes"), (headless, "have no classifier")):
        if names:
            notes.append(f"{', '.join(names)} keep their initial weights, because those of {backbone.weights} {reason}")
    return tuple(notes)


def fitted_to_channels(weight: Tensor, channels: int) -> Tensor:
    """The weights (out, in, kh, kw) of a first convolution for images of other channels.

    Of one channel they are the sum, which a grey image in all channels gives; of more they are repeated in turn, and
    scaled so that outputs keep their size. The same as timm does.
    """
    found = weight.shape[1]
    if channels == 1:
        return weight.sum(1, keepdim=True)
    return weight[:, [channel % found for channel in range(channels)]] * (found / channels)


@dataclass(frozen=True)
class _Fit:
    """Tensors by the names that a network has for them."""

    tensors: Mapping[str, Tensor]
    notes: tuple[str, ...] = ()
    read_as: str = ""
    """How they were read, for messages."""


@dataclass(frozen=True)
class _Reading:
    """A state dict of a file, read as names of a network."""

    where: str
    """Its place in the file and the prefix of its names, such as `state_dict.module`."""
    prefix: str
    """Which names in the file have before those of the network."""
    own_prefix: str
    """Which names of the network have before those in the file."""
    named: StateDict
    fits: float
    """Tensors of the same name and shape; one of another shape counts half."""

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The tensors with this prefix, by the network's names."""
        inside = {name: one for name, one in self.named.tensors.items() if name.startswith(self.prefix)}
        return {self.own_prefix + name.removeprefix(self.prefix): one for name, one in inside.items()}


def _fit(backbone: Backbone, own: Mapping[str, Tensor], in_channels: int) -> _Fit:
    if backbone.weights == "pretrained":
        return _Fit(_pretrained(backbone, in_channels))
    path = Path(str(backbone.weights))
    found = [reading for named in read_state_dicts(path) for reading in _readings(named, own)]
    chosen = (
        [one for one in found if f".{backbone.weights_key}." in f".{one.where}."] if backbone.weights_key else found
    )
    if not chosen:
        known = ", ".join(dict.fromkeys(one.where or "(the whole file)" for one in found)) or "none that fits"
        raise InputError(f"weights_key: found {backbone.weights_key!r}; {path} holds {known}")
    best = max(chosen, key=lambda one: (one.fits, "ema" not in one.where.lower()))
    rivals = [one.where for one in chosen if one is not best and one.fits == best.fits]
    beside = [name for name in best.named.tensors if not name.startswith(best.prefix) and not name.endswith(_COUNTERS)]
    notes = []
    if rivals:
        notes.append(
            f"{path}: {best.where or 'its top level'} is taken; {', '.join(rivals)} would fit too: weights_key chooses"
        )
    if beside:
        notes.append(f"{path}: left out, because outside {best.prefix!r}: {_first(beside)}")
    counters = {name for name in best.tensors if name.endswith(_COUNTERS) and name not in own}
    tensors = {name: one for name, one in best.tensors.items() if name not in counters}
    return _Fit(tensors, tuple(notes), f" (read as {best.where!r})" if best.where else "")


def _readings(named: StateDict, own: Mapping[str, Tensor]) -> list[_Reading]:
    """A state dict with each prefix under which names of the network are found, on either side."""
    fits: dict[tuple[str, str], float] = {("", ""): 0.0}
    for there, here, file_first in ((named.tensors, own, True), (own, named.tensors, False)):
        for name, tensor in there.items():
            parts = name.split(".")
            for cut in range(len(parts)):
                rest = ".".join(parts[cut:])
                if rest in here:
                    prefix = "".join(f"{part}." for part in parts[:cut])
                    key = (prefix, "") if file_first else ("", prefix)
                    weight = 1.0 if tensor.shape == here[rest].shape else 0.5
                    if prefix or file_first:
                        fits[key] = fits.get(key, 0.0) + weight
    return [
        _Reading(".".join(filter(None, (named.place, prefix.removesuffix(".")))), prefix, own_prefix, named, count)
        for (prefix, own_prefix), count in fits.items()
    ]


def _other_channels(found: Tensor, wanted: Tensor, in_channels: int) -> bool:
    """Whether weights of a first convolution differ from those wanted in the image's channels alone."""
    same = found.ndim == 4 and (found.shape[0], *found.shape[2:]) == (wanted.shape[0], *wanted.shape[2:])
    return same and wanted.shape[1] == in_channels != found.shape[1]


def _head(own: Mapping[str, Tensor], classes: int) -> list[str]:
    """The names of a network's last tensors, as many as are of its classes."""
    names: list[str] = []
    for name, tensor in reversed([*own.items()]):
        if tensor.shape[:1] != (classes,):
            break
        names.append(name)
    return names


def _is_ours(network: nn.Module, backbone: Backbone, name: str) -> bool:
    """Whether a tensor belongs to an attention of an architecture, in a network from outside or in a built-in one."""
    if ":" in backbone.name:
        return isinstance(getattr(network, "attentions", None), Attentions) and name.startswith("attentions.")
    return any(part.endswith("_attention") for part in name.split("."))


def _is_left_out(name: str, modules: Mapping[str, nn.Module]) -> bool:
    parts = name.split(".")
    above = (".".join(parts[:length]) for length in range(1, len(parts)))
    auxiliary = parts[0].lower().startswith("aux") and parts[0] not in modules
    return auxiliary or any(isinstance(modules.get(path), nn.Identity) for path in above)


def _first(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _pretrained(backbone: Backbone, in_channels: int) -> Mapping[str, Tensor]:
    source, _, name = backbone.name.partition(":")
    loaders = {"timm": _from_timm, "torchvision": _from_torchvision}
    if source not in loaders:
        raise InputError(f"weights = 'pretrained': {backbone.name} has none; name a file of weights")
    with torch.device("cpu"), torch.random.fork_rng(devices=()):
        try:
            return loaders[source](name, dict(backbone.arguments), in_channels)
        except InputError:
            raise
        except Exception as error:  # no such weights, no network connection, no space on the disk
            raise InputError(
                f"weights = 'pretrained': {source} gives none for {name}: {type(error).__name__}: {error}"
            ) from error


def _from_timm(name: str, arguments: Mapping[str, Any], in_channels: int) -> Mapping[str, Tensor]:
    """Of timm's own number of classes; it fits the first convolution to the channels by itself."""
    network: nn.Module = library("timm").create_model(name, pretrained=True, in_chans=in_channels, **arguments)
    return network.state_dict()


def _from_torchvision(name: str, arguments: Mapping[str, Any], in_channels: int) -> Mapping[str, Tensor]:
    weights = library("torchvision").models.get_model_weights(name).DEFAULT
    tensors: Mapping[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    return tensors
