"""Reader of safetensors files that needs torch alone."""

import json
from pathlib import Path
from typing import Any

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
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
}
"""Types of weights that are kept: those that the format has."""


def read_header(content: bytes) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file, and where its numbers begin: behind eight bytes of length and the header."""
    start = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:start]), start


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file."""
    content = path.read_bytes()
    header, start = read_header(content)
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        tensors[name] = torch.empty(entry["shape"], dtype=_TYPES[entry["dtype"]])
        if last > first:  # torch reads nothing from an empty buffer
            numbers = torch.frombuffer(bytearray(content[start + first : start + last]), dtype=torch.uint8)
            tensors[name] = numbers.view(tensors[name].dtype).reshape(entry["shape"])
    return tensors
