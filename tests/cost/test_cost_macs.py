"""Multiply-accumulates against PyTorch's own counter, which counts two FLOPs for each, and against hand counts."""

import pytest
import torch
import torch.nn.functional as F
from applied import Function
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nas_attn.cost import count


def pytorch_macs(run):
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        run()
    return counter.get_total_flops() / 2


def macs(function):
    return count(Function(function), (4, 6, 8)).macs


CONVOLUTIONS = {
    "plain": nn.Conv2d(4, 6, 3),
    "strided and padded": nn.Conv2d(4, 6, 3, stride=2, padding=1),
    "uneven": nn.Conv2d(4, 6, (1, 5), stride=(1, 2), padding=(0, 2), bias=False),
    "depthwise": nn.Conv2d(4, 4, 3, padding=1, groups=4),
    "grouped": nn.Conv2d(4, 6, 3, groups=2),
    "dilated": nn.Conv2d(4, 6, 3, padding=2, dilation=2),
    "same": nn.Conv2d(4, 6, 3, padding="same"),
    "same, grouped": nn.Conv2d(4, 6, 5, padding="same", groups=2, dilation=2),
    "valid": nn.Conv2d(4, 6, 3, padding="valid"),
    "circular": nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"),
    "transposed": nn.ConvTranspose2d(4, 6, 2, stride=2),
    "transposed, grouped": nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
    "one-dimensional": nn.Sequential(nn.Flatten(2), nn.Conv1d(4, 6, 3, padding=1)),
    "transposed, one-dimensional": nn.Sequential(nn.Flatten(2), nn.ConvTranspose1d(4, 6, 3, stride=2)),
    "three-dimensional": nn.Sequential(nn.Unflatten(1, (2, 2)), nn.Conv3d(2, 3, (1, 3, 3), padding=(0, 1, 1))),
    "transposed, three-dimensional": nn.Sequential(nn.Unflatten(1, (2, 2)), nn.ConvTranspose3d(2, 3, 2, stride=2)),
    "unbatched": Function(lambda images: F.conv2d(images[0], torch.ones(6, 4, 3, 3), padding=1)),
    "padded by a size": Function(
        lambda images: F.conv2d(images, torch.ones(6, 4, 3, 3), padding=images.shape[-1] // 4)
    ),
    "named arguments": Function(lambda images: F.conv2d(weight=torch.ones(6, 2, 3, 3), input=images, groups=2)),
    "by the general operator": Function(
        lambda images: torch.convolution(images, torch.ones(6, 4, 1, 1), None, [2], [0], [1], False, [0], 1)
    ),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_costs_half_of_what_pytorch_counts(name):
    convolution = CONVOLUTIONS[name]
    expected = pytorch_macs(lambda: convolution(torch.rand(1, 4, 6, 8)))
    assert count(convolution, (4, 6, 8)).macs == expected > 0


MATRIX_PRODUCTS = {
    "linear": lambda x: F.linear(x, torch.ones(3, 8), torch.ones(3)),
    "matmul": lambda x: x @ x.transpose(2, 3),
    "matmul, first factor broadcast": lambda x: x[:, :1] @ x.transpose(2, 3),
    "matmul, second factor broadcast": lambda x: x @ torch.ones(8, 5),
    "mm": lambda x: torch.mm(x[0, 0], x[0, 1].t()),
    "bmm": lambda x: torch.bmm(x[0], x[0].mT),
    "addmm": lambda x: torch.addmm(torch.ones(6, 6), x[0, 0], x[0, 1].t()),
    "baddbmm": lambda x: torch.baddbmm(torch.ones(1, 6, 6), x[0], x[0].mT),
    "tensordot": lambda x: torch.tensordot(x, x, dims=([1, 3], [1, 3])),
    "einsum": lambda x: torch.einsum("bchw,bdhw->bcd", x, x),
    "einsum, implicit": lambda x: torch.einsum("chw,dhw", x[0], x[0]),
    "einsum, dots": lambda x: torch.einsum("...hw,...vw->...hv", x, x[:, :1]),
    "einsum, three operands": lambda x: torch.einsum("bchw,bdhw,de->bce", x, x, torch.ones(4, 5)),
    "einsum, nothing summed": lambda x: torch.einsum("bchw,bc->bchw", x, x[:, :, 0, 0]),
    "einsum, diagonal": lambda x: torch.einsum("cii,cj->ij", x[0, :, :6, :6], x[0, :, 0]),
}


@pytest.mark.parametrize("name", MATRIX_PRODUCTS)
def test_a_matrix_product_costs_half_of_what_pytorch_counts(name):
    product = MATRIX_PRODUCTS[name]
    assert macs(product) == pytorch_macs(lambda: product(torch.rand(1, 4, 6, 8)))


def test_products_that_pytorch_does_not_count_cost_a_row_for_each_element():
    assert macs(lambda x: x[0, 0] @ x[0, 0, 0]) == 6 * 8
    assert macs(lambda x: x[0, 0, :, 0] @ x[0, 0]) == 6 * 8
    assert macs(lambda x: x[0, 0, 0] @ x[0, 0, 0]) == 8
    assert macs(lambda x: torch.dot(x[0, 0, 0], x[0, 0, 0])) == 8
    assert macs(lambda x: torch.mv(x[0, 0], x[0, 0, 0])) == 6 * 8
    assert macs(lambda x: torch.addmv(x[0, 0, :, 0], x[0, 0], x[0, 0, 0])) == 6 * 8
    assert macs(lambda x: torch.addbmm(torch.ones(6, 6), x[0], x[0].mT)) == 4 * 6 * 6 * 8


@pytest.mark.parametrize("masked", [False, True])
def test_fused_attention_costs_what_attention_written_out_costs(masked):
    mask = torch.zeros(6, 6)

    def fused(x):
        return F.scaled_dot_product_attention(x, x, x[..., :5], attn_mask=mask.to(x.device) if masked else None)

    def written_out(x):
        scores = x @ x.transpose(2, 3) * 8**-0.5
        return ((scores + mask.to(x.device)) if masked else scores).softmax(-1) @ x[..., :5]

    cost = count(Function(fused), (4, 6, 8))
    assert cost == count(Function(written_out), (4, 6, 8))
    assert cost.macs == pytorch_macs(lambda: written_out(torch.rand(1, 4, 6, 8))) == 4 * 6 * 6 * (8 + 5)
    assert cost.flops == 2 * cost.macs + 4 * 6 * 6 * (3 if masked else 2)


def test_a_causal_mask_costs_one_for_each_pair():
    free = count(Function(lambda x: F.scaled_dot_product_attention(x, x, x)), (4, 6, 8))
    causal = count(Function(lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True)), (4, 6, 8))
    assert causal.flops - free.flops == 4 * 6 * 6


def test_multi_head_attention_is_not_lost_in_a_fast_path():
    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            return self.attention(x[:, 0], x[:, 0], x[:, 0], need_weights=False)[0]

    projections, products = 4 * 6 * 8 * 8, 2 * 2 * 6 * 6 * 4
    assert count(Heads(), (4, 6, 8)).macs == projections + products
