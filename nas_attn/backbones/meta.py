"""Networks built on the `meta` device, where shapes are all that there is: no initial value is drawn."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_DRAWN = frozenset(
    (
        *(Tensor.normal_, Tensor.uniform_, Tensor.log_normal_, Tensor.exponential_, Tensor.cauchy_),
        *(Tensor.geometric_, Tensor.bernoulli_, Tensor.random_),
    )
)
"""What fills a tensor with random numbers, beside the functions of `torch.nn.init`."""


class _Undrawn(TorchFunctionMode):
    """Random numbers on `meta` change no shape, and torch takes a second to load how it would draw them."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        said = kwargs or {}
        if func in _DRAWN or getattr(func, "__module__", "") == "torch.nn.init":
            tensor = args[0] if args else said["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **said)


@contextmanager
def on_meta() -> Iterator[None]:
    """Context in which modules are built on the `meta` device.

    >>> with on_meta():
    ...     layer = torch.nn.Linear(2, 3)
    >>> layer.weight.device, layer.weight.shape
    (device(type='meta'), torch.Size([3, 2]))
    """
    with torch.device("meta"), _Undrawn():
        yield


def is_on_meta() -> bool:
    """Whether tensors are made on the `meta` device here; torch 2.6's default device knows no `with torch.device`.

    >>> with on_meta():
    ...     print(is_on_meta())
    True
    """
    return torch.empty(0).is_meta
