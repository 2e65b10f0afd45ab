"""Weights read without the library that wrote them, so that an exported network needs torch alone."""

import json
from pathlib import Path

import torch
from torch import Tensor

_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "C64": torch.complex64,
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "U16": torch.uint16,
    "U32": torch.uint32,
    "U64": torch.uint64,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
}
"""Those that networks keep; narrower floating numbers are not among them."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file: the length of its header in eight bytes, the header in JSON, then the numbers."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    tensors = {}
    for name, entry in json.loads(content[8:start]).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            tensors[name] = torch.empty(entry["shape"], dtype=_TYPES[entry["dtype"]])
            if last > first:  # torch reads nothing from an empty buffer
                numbers = torch.frombuffer(bytearray(content[start + first : start + last]), dtype=torch.uint8)
                tensors[name] = numbers.view(tensors[name].dtype).reshape(entry["shape"])
    return tensors
