"""A network's weights as a file, and whether a file still holds what was written into it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from .tensors import _TYPES

_SEAL = "sha256"


def packed(network: nn.Module, told: Mapping[str, str] | None = None) -> bytes:
    """A network's weights and buffers as the content of a safetensors file, sealed where something is told with them.

    What is tied or overlaps stands there under each of its names, so that it can be read back in any way, into one
    network or another. Raises `ValueError` for what such a file cannot hold.
    """
    tensors = {name: _lying_alone(name, value) for name, value in network.state_dict().items()}
    content: bytes = save(tensors, metadata=dict(told) if told else None)
    return save(tensors, metadata={**told, _SEAL: _digest(content)}) if told else content


def _lying_alone(name: str, value: Any) -> Tensor:
    found = value.dtype if isinstance(value, Tensor) else type(value).__name__
    if found not in _TYPES.values():
        allowed = ", ".join(str(dtype).removeprefix("torch.") for dtype in _TYPES.values())
        raise ValueError(f"{name}: found {found}; weights can be kept as {allowed}")
    return value.detach().clone(memory_format=torch.contiguous_format)  # type: ignore[no-any-return]


def broken(content: bytes) -> bool:
    """Whether a file holds other words or numbers than those that it was sealed with; one without a seal holds its own.

    Raises `ValueError` where it is no safetensors file.
    """
    told = _header(content).get("__metadata__", {})
    return _SEAL in told and told[_SEAL] != _digest(content)


def _digest(content: bytes) -> str:
    """Of all but the seal."""
    header = _header(content)
    told = {name: value for name, value in header.pop("__metadata__", {}).items() if name != _SEAL}
    digest = hashlib.sha256(json.dumps([header, told], sort_keys=True).encode())
    digest.update(memoryview(content)[_start(content) :])
    return digest.hexdigest()


def _start(content: bytes) -> int:
    return 8 + int.from_bytes(content[:8], "little")


def _header(content: bytes) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(content[8 : _start(content)])
    return header
