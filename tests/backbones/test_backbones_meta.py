"""Networks on the `meta` device are built without drawing a value, and all else goes on as it does."""

import pytest
import torch
from torch import nn

from nas_attn.backbones import on_meta


@pytest.mark.parametrize(
    "fill",
    [
        nn.init.kaiming_normal_,
        nn.init.xavier_uniform_,
        nn.init.trunc_normal_,
        nn.init.orthogonal_,
        torch.Tensor.uniform_,
    ],
)
def test_a_tensor_of_meta_is_handed_back_as_it_is(fill):
    with on_meta():
        tensor = torch.empty(3, 4)
        assert fill(tensor) is tensor


def test_layers_have_the_shapes_of_layers_elsewhere():
    with on_meta():
        made = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 2))
    known = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 2))
    shapes = [(name, tensor.shape) for name, tensor in made.state_dict().items()]
    assert shapes == [(name, tensor.shape) for name, tensor in known.state_dict().items()]
    assert all(tensor.is_meta for tensor in made.state_dict().values())


def test_a_tensor_that_is_elsewhere_is_filled():
    with on_meta():
        tensor = torch.zeros(100, device="cpu")
        nn.init.normal_(tensor)
        tensor_of_method = torch.zeros(100, device="cpu").uniform_(1, 2)
    assert tensor.abs().sum() > 0
    assert bool((tensor_of_method >= 1).all())
