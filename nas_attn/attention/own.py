"""A user's own attention, named as `my_package.blocks:MyAttention`, and whether it can be used as the others are."""

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import torch
from torch import Tensor, nn
from torch.export import Dim

from nas_attn.settings import named_object
from nas_attn.space import POSITIONS, InputError, allowed
from nas_attn.space.values import is_word

from .catalogue import allowed_positions, keyword_options

_CHANNELS = (16, 64, 256)
_SHAPES = ((2, 16, 6, 5), (3, 16, 7, 9))
_TAKEN = ("channels", "position", "slots", "start")


def own_class(kind: str) -> type[nn.Module]:
    """The class that a user's kind names.

    Raises `InputError` where it cannot be imported, or is no class of modules.
    """
    found = named_object(kind)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise InputError(f"{kind}: found {_shown(found)}; allowed: a subclass of torch.nn.Module")
    return found


def check_own(kind: str) -> None:
    """Hold a user's attention against all that is asked of one.

    Its class takes `channels` first, a gated one `signal_channels` second, and all else by keyword, with plain
    defaults; `positions`, where it has them, are some of `POSITIONS`. What it builds with its defaults keeps the shape
    of a map, leaves its input as it was, and gives the same numbers when it is exported for any batch, height and
    width. The global random state is left as it was.

    Raises `InputError` that begins with the kind and says what was found.
    """
    attention = own_class(kind)
    try:
        _check_signature(attention)
        _check_positions(attention)
        with _seeded():
            for channels in _CHANNELS:
                _built(attention, channels)
            _check_maps(attention)
    except ValueError as error:
        raise InputError(f"{kind}: {error}") from None
