"""Sizes of tensors as plain numbers while a network is traced, as they are when it runs."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_GIVERS = {Tensor.size, Tensor.shape.__get__, Tensor.numel, Tensor.nelement}  # type: ignore[attr-defined]


class PlainSizes(TorchFunctionMode):
    """Where a trace notes each size as a tensor, which `F.unfold(x, x.shape[-1])` and others refuse, give the number.

    Before torch 2.7 or so, `F.avg_pool2d(x, x.size(3))` refuses it too.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call it; of what gives a size or a number of elements, an integer each."""
        given = func(*args, **(kwargs or {}))
        if func not in _GIVERS:
            return given
        return torch.Size(map(int, given)) if isinstance(given, tuple) else int(given)
