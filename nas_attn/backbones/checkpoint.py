"""State dicts in a file of weights, whatever is wrapped around them; nothing in it is executed."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from nas_attn.space import InputError, in_a_line

_OLD = b"\x80\x02\x8a\nl\xfc\x9c"  # how files of `torch.save` began before they were archives
_CORE = np.core if np.__version__.startswith("1.") else np._core  # type: ignore[attr-defined]  # NumPy 1.26 has an empty `_core` too
_NUMPY = (np.dtype, np.ndarray, _CORE.multiarray.scalar, _CORE.multiarray._reconstruct)
_DTYPES = [one for one in vars(np.dtypes).values() if isinstance(one, type)]


@dataclass(frozen=True)
class StateDict:
    """Tensors by their names, as they stand somewhere in a file."""

    place: str
    """The keys that lead there, such as `state_dict`; of a file that is a state dict, none."""
    tensors: Mapping[str, Tensor]


def read_state_dicts(path: Path) -> list[StateDict]:
    """All state dicts of a file of safetensors, or of `torch.save`, that of a whole pickled module among them.

    A class that is not torch's own is neither imported nor called: what the file fills it with is read as a mapping.
    Raises `InputError` where there is no such file, where it cannot be read, or where it holds no tensors.
    """
    if not path.is_file():
        raise InputError(f"weights = '{path}': there is no such file; allowed: 'pretrained', or a file of weights")
    try:
        found = list(_walk(_content(path), set()))
    except Exception as error:  # what is no file of weights fails in many ways
        raise InputError(f"weights = '{path}': cannot be read: {in_a_line(error)}") from error
    if not found:
        raise InputError(f"weights = '{path}': holds no state dict; allowed: names with tensors")
    return found


class _Filled:
    """In place of an object of somebody else's class: what a pickle fills it with."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            self.__dict__.update(part if isinstance(part, Mapping) else {})


class _Mapping:
    """In place of a mapping of somebody else's class, whose items torch puts into its own kinds of mapping only."""

    def __new__(cls, *_: Any, **__: Any) -> Any:
        return OrderedDict()


def _content(path: Path) -> Any:
    with path.open("rb") as file:
        start = file.read(len(_OLD))
    if not start.startswith((b"PK", _OLD)):
        return load_file(path)
    unknown = [] if start == _OLD else torch.serialization.get_unsafe_globals_in_checkpoint(path)
    numbers = {_as_numpy_2(f"{one.__module__}.{one.__qualname__}"): one for one in _NUMPY}
    for stand_in in (_Mapping, _Filled):
        known = [(numbers.get(_as_numpy_2(name), stand_in), name) for name in unknown]
        try:
            with torch.serialization.safe_globals([*known, *_DTYPES]):
                return torch.load(path, map_location="cpu", weights_only=True)
        except Exception:
            if stand_in is _Filled or not unknown:
                raise
    return None


def _as_numpy_2(name: str) -> str:
    return name.replace("numpy.core.", "numpy._core.")


def _walk(content: Any, seen: set[int], place: tuple[str, ...] = ()) -> Iterator[StateDict]:
    """The state dicts in something, the outer ones first; what holds itself is gone through once."""
    if id(content) in seen:
        return
    seen.add(id(content))
    content = _items(content)
    if "_parameters" in content and "_modules" in content:
        content = dict(_of_module(content))
    tensors = {name: one for name, one in content.items() if isinstance(name, str) and isinstance(one, Tensor)}
    if tensors:
        yield StateDict(".".join(place), tensors)
    for name, inner in content.items():
        if isinstance(inner, Mapping | _Filled):
            yield from _walk(inner, seen, (*place, str(name)))


def _items(content: Any) -> Mapping[Any, Any]:
    """What an object holds: its items, and its attributes where it is of an unknown class."""
    if isinstance(content, Mapping):
        return {**content, **getattr(content, "__dict__", {})}
    return vars(content) if isinstance(content, _Filled) else {}


def _of_module(module: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Tensor]]:
    """What `state_dict` of a pickled module would give."""
    left_out = module.get("_non_persistent_buffers_set") or ()
    for name, one in {**module["_parameters"], **module.get("_buffers", {})}.items():
        if isinstance(one, Tensor) and name not in left_out:
            yield path + name, one
    for name, inner in module["_modules"].items():
        if "_parameters" in (items := _items(inner)):
            yield from _of_module(items, f"{path}{name}.")
