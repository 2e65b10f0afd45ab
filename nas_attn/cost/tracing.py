"""A network's copy that computes shapes only, and lets fvcore's tracer see everything that it does."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


def on_meta(network: nn.Module) -> nn.Module:
    """A copy of a network in evaluation mode, of which each tensor has a shape and no content."""
    tensors = [*network.parameters(), *network.buffers()]
    tensors += [value for module in network.modules() for value in vars(module).values() if isinstance(value, Tensor)]
    copied: dict[int, Any] = {id(tensor): _emptied(tensor) for tensor in tensors}
    return copy.deepcopy(network, copied).to("meta").eval()


def _emptied(tensor: Tensor) -> Tensor:
    empty = torch.empty_like(tensor, device="meta", requires_grad=False)
    return nn.Parameter(empty, requires_grad=False) if isinstance(tensor, nn.Parameter) else empty


class Watched(nn.Module):
    """Gives, instead of a network's output, everything that the network computes on the way.

    The tracer drops what its output does not depend on, and cannot read every kind of output.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> list[Tensor]:
        """Every tensor on the way, detached: so the tracer also takes those that it did not see being made."""
        with torch.device("meta"), _Watch() as watch:
            self.network(images)
        return [tensor.detach() for tensor in (images, *watch.seen)]


class _Watch(TorchFunctionMode):
    """Keeps every result, and has convolutions recorded.

    Inside an autograd function nothing is kept: the tracer records the function as one operator.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = _RECORDED.get(func, func)(*args, **(kwargs or {}))
        if torch.is_grad_enabled():
            results = result if isinstance(result, (tuple, list)) else (result,)
            self.seen += [each for each in results if isinstance(each, Tensor) and each.is_meta]
        return result


def _convolution(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Tensor:
    """A convolution by the operator that the tracer records: it does not record the one above it, except on a CPU."""
    spatial = weight.dim() - 2
    stride, padding, dilation, output_padding = (
        _each(value, spatial) for value in (stride, padding, dilation, output_padding)
    )
    batched = input.dim() == weight.dim()
    images = input if batched else input[None]
    result = torch._convolution(
        images, weight, bias, stride, padding, dilation, transposed, output_padding, groups, False, False, False, False
    )
    return result if batched else result[0]


def _each(value: Any, spatial: int) -> list[Any]:
    """One value for each spatial dimension, from one for all or one for each."""
    return [*value] * (spatial // len(value)) if isinstance(value, (tuple, list)) else [value] * spatial


def _forward(convolve: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def recorded(
        input: Tensor,  # noqa: A002
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        if isinstance(padding, str):
            return convolve(input, weight, bias, stride, padding, dilation, groups)
        return _convolution(input, weight, bias, stride, padding, dilation, False, 0, groups)

    return recorded


def _transposed(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    return _convolution(input, weight, bias, stride, padding, dilation, True, output_padding, groups)


_RECORDED: dict[Any, Callable[..., Any]] = {
    torch.conv1d: _forward(torch.conv1d),
    torch.conv2d: _forward(torch.conv2d),
    torch.conv3d: _forward(torch.conv3d),
    torch.conv_transpose1d: _transposed,
    torch.conv_transpose2d: _transposed,
    torch.conv_transpose3d: _transposed,
    torch.convolution: _convolution,
}
