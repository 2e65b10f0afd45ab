"""Weights of a network as a sealed safetensors file."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from .tensors import _TYPES, read_header

_SEAL = "sha256"


def packed(network: nn.Module, metadata: Mapping[str, str] | None = None) -> bytes:
    """A network's weights and buffers as the content of a safetensors file, sealed if it has metadata.

    Tied or overlapping tensors stand there under each of their names, so that they can be read into any network. Raises
    `ValueError` for what such a file cannot hold.
    """
    tensors = {name: _copied(name, value) for name, value in network.state_dict().items()}
    content: bytes = save(tensors, metadata=dict(metadata) if metadata else None)
    return save(tensors, metadata={**metadata, _SEAL: _digest(content)}) if metadata else content


def check_packed(network: nn.Module) -> None:
    """See that a network's weights can be kept and read again; raises `ValueError` that says what cannot.

    The network may lie on the `meta` device.
    """
    try:
        state = network.state_dict()
        for name, value in state.items():
            _check_type(name, value)
        network.load_state_dict(state)
    except ValueError:
        raise
    except Exception as error:  # a network's own hooks may fail in any way
        raise ValueError(f"its state dict does not load into itself: {' '.join(str(error).split())}") from None


def _copied(name: str, value: Any) -> Tensor:
    _check_type(name, value)
    return value.detach().clone(memory_format=torch.contiguous_format)  # type: ignore[no-any-return]


def _check_type(name: str, value: Any) -> None:
    found = value.dtype if isinstance(value, Tensor) else type(value).__name__
    if found not in _TYPES.values():
        allowed = ", ".join(str(dtype).removeprefix("torch.") for dtype in _TYPES.values())
        raise ValueError(f"{name}: found {found}; weights can be kept as {allowed}")


def broken(content: bytes) -> bool:
    """Whether the content of a file differs from what its seal, if it has one, was made of.

    Raises `ValueError` where it is no safetensors file.
    """
    header, _ = read_header(content)
    metadata = header.get("__metadata__", {})
    return _SEAL in metadata and metadata[_SEAL] != _digest(content)


def _digest(content: bytes) -> str:
    """Of all but the seal."""
    header, start = read_header(content)
    metadata = {name: value for name, value in header.pop("__metadata__", {}).items() if name != _SEAL}
    digest = hashlib.sha256(json.dumps([header, metadata], sort_keys=True).encode())
    digest.update(memoryview(content)[start:])
    return digest.hexdigest()
