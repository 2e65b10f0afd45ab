"""Trained weights for a network that has been built: its library's, or those of a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from nas_attn.settings import Backbone, library
from nas_attn.space import InputError

from .attachment import Attentions

_NESTS = ("state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")


def load_backbone_weights(network: nn.Module, backbone: Backbone, *, in_channels: int, classes: int) -> tuple[str, ...]:
    """Load the backbone's `weights` into a network, attentions excepted; returns the names of what stays as it was.

    That is the classifier, where the weights were trained for another number of classes. Weights of attention that was
    stripped, and of auxiliary classifiers that the network does not have, are left out.

    Raises `InputError` where there are no such weights, or they are not those of this network.
    """
    tensors = _tensors(backbone, in_channels)
    own = {name: tensor for name, tensor in network.state_dict().items() if not _is_ours(network, backbone, name)}
    modules = dict(network.named_modules())
    missing = [name for name in own if name not in tensors and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in tensors if name not in own and not _is_left_out(name, modules)]
    shapes = {name: (tuple(tensors[name].shape), tuple(own[name].shape)) for name in own if name in tensors}
    differing = {name: (found, wanted) for name, (found, wanted) in shapes.items() if found != wanted}
    new = [name for name, (found, wanted) in differing.items() if found[1:] == wanted[1:] and wanted[:1] == (classes,)]
    misshapen = [f"{name} {found} for {wanted}" for name, (found, wanted) in differing.items() if name not in new]
    faults = {"missing": missing, "unexpected": unexpected, "of another shape": misshapen}
    if any(faults.values()):
        reasons = "; ".join(f"{fault}: {_first(names)}" for fault, names in faults.items() if names)
        raise InputError(f"weights = {backbone.weights!r}: do not fit {backbone.name}: {reasons}")
    network.load_state_dict({name: tensors[name] for name in shapes if name not in new}, strict=False)
    return tuple(new)


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


def _tensors(backbone: Backbone, in_channels: int) -> Mapping[str, Tensor]:
    if backbone.weights != "pretrained":
        return _from_file(Path(str(backbone.weights)))
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


def _from_file(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file of safetensors or of `torch.save`, taken out of what is often around them."""
    if not path.is_file():
        raise InputError(f"weights = '{path}': there is no such file; allowed: 'pretrained', or a file of weights")
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what is no file of weights fails in many ways
        raise InputError(f"weights = '{path}': cannot be read: {type(error).__name__}: {error}") from error
    for nest in _NESTS:
        if isinstance(content, Mapping) and isinstance(content.get(nest), Mapping):
            content = content[nest]
    if not isinstance(content, Mapping) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise InputError(f"weights = '{path}': holds no state dict; allowed: names with tensors")
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in content):
            content = {name.removeprefix(prefix): tensor for name, tensor in content.items()}
    return dict(content)
