"""Zero-cost proxies: scores of untrained networks, from a pass or two; more is better.

Abdelfattah, Mehrotra, Dudziak, Lane, "Zero-Cost Proxies for Lightweight NAS", 2021 (https://arxiv.org/abs/2101.08134).
All compute in double precision on a copy of the network, without dropout.
"""

import copy
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from .reading import score_tensors

Loss = Callable[[Tensor, Tensor], Tensor]
"""The mean over a batch, of scores and labels."""

_JACOBIAN_NOISE = 1e-5


def synflow(network: nn.Module, image_shape: tuple[int, int, int]) -> float:
    """Decimal logarithm of the synaptic flow through a network, for one image of (channels, height, width).

    R is the sum of the class scores of an image of ones, with every parameter made positive and every batch
    normalisation the identity; the flow is the sum of |w dR/dw| over all weights of convolutions and linear layers. NaN
    where there is none, or where it is beyond a double.

    Tanaka, Kunin, Yamins, Ganguli, "Pruning neural networks without any data by iteratively conserving synaptic flow",
    2020 (https://arxiv.org/abs/2006.05467).
    """
    net = _copied(network)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.abs_()
    for norm in _norms(net):
        _make_identity(norm, _device(net))
    weights = _weights(net)
    ones = torch.ones(1, *image_shape, dtype=torch.float64, device=_device(net))
    flows = _gradients(_scores(net, ones).sum(), weights)
    flow = sum(float((weight.detach() * gradient).abs().sum()) for weight, gradient in zip(weights, flows, strict=True))
    return math.log10(flow) if 0 < flow < math.inf else math.nan


def jacob_cov(network: nn.Module, images: Tensor) -> float:
    """Dissimilarity of a network's Jacobians at the images of a batch, normalised (B, C, H, W).

    - sum(log(v + k) + 1 / (v + k)) over the eigenvalues v of the correlations of the images' Jacobians, each the
    gradient of the sum of its class scores, with k = 1e-5; batch normalisation uses the batch. NaN where the Jacobian
    of an image is constant.

    Mellor, Turner, Storkey, Crowley, "Neural Architecture Search without Training", 2020, first version
    (https://arxiv.org/abs/2006.04647v1).
    """
    net = _in_training(network)
    given = images.to(_device(net), torch.float64).detach().requires_grad_()
    (jacobians,) = torch.autograd.grad(_scores(net, given).sum(), given)
    correlations = jacobians.flatten(1).corrcoef()
    if not correlations.isfinite().all():
        return math.nan
    values = torch.linalg.eigvalsh(correlations) + _JACOBIAN_NOISE
    return -float((values.log() + 1 / values).sum())


def gradnorm(network: nn.Module, images: Tensor, labels: Tensor, loss: Loss = F.cross_entropy) -> float:
    """Sum, over the weights of convolutions and linear layers, of the Euclidean norms of their gradients.

    The loss, of scores and labels, is that of one batch, normalised images (B, C, H, W) with labels (B,); batch
    normalisation uses the batch.
    """
    net = _in_training(network)
    device = _device(net)
    scores = _scores(net, images.to(device, torch.float64))
    return sum(float(gradient.norm()) for gradient in _gradients(loss(scores, labels.to(device)), _weights(net)))


def _scores(network: nn.Module, images: Tensor) -> Tensor:
    return score_tensors(network(images))[0]


def _copied(network: nn.Module) -> nn.Module:
    """A copy in double precision and eval mode, all of whose parameters learn."""
    return copy.deepcopy(network).double().eval().requires_grad_()


def _in_training(network: nn.Module) -> nn.Module:
    net = _copied(network)
    for norm in _norms(net):
        norm.training = True
    return net


def _norms(network: nn.Module) -> list[_BatchNorm]:
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


def _make_identity(norm: _BatchNorm, device: torch.device) -> None:
    """As in eval mode: (x - mean) / sqrt(variance + eps) * weight + bias."""
    norm.running_mean = torch.zeros(norm.num_features, dtype=torch.float64, device=device)
    norm.running_var = torch.ones_like(norm.running_mean) - norm.eps
    if norm.affine:
        nn.init.ones_(norm.weight)
        nn.init.zeros_(norm.bias)


def _weights(network: nn.Module) -> list[Tensor]:
    return [module.weight for module in network.modules() if isinstance(module, nn.Linear | _ConvNd)]


def _gradients(of: Tensor, weights: list[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(of, weights, materialize_grads=True))


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
