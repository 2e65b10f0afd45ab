"""Every kind of attention on one device, forth and back, held against double precision on the CPU."""

import copy

import pytest
import torch
from of_device import only_cuda
from placing import wake

from nas_attn.attention import ATTENTIONS, IdentityStart

pytestmark = [pytest.mark.cuda, pytest.mark.filterwarnings("default")]
CHANNELS = 16
CASES = [
    *((kind, {}) for kind in ATTENTIONS),
    *(("non_local", {"form": form}) for form in ("gaussian", "dot_product", "concatenation")),
    ("non_local", {"subsample": True}),
]
EVERY_KIND = pytest.mark.parametrize(("kind", "options"), CASES, ids=str)


def made(kind, options, start="paper"):
    """An attention that learns, every part of which has a say, and what it is given, in double precision."""
    torch.manual_seed(0)
    attention = wake(ATTENTIONS[kind](CHANNELS, **options))
    attention = (IdentityStart(attention) if start == "identity" else attention).double()
    shapes = [(8, CHANNELS, 9, 7), (8, CHANNELS, 5, 4)][: 1 + getattr(attention, "gated", False)]
    return attention, [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def passed(attention, given, device=None, dtype=torch.float64):
    """What comes out, and the gradients of what goes in and of all that learns, by a copy in this format there."""
    attention = copy.deepcopy(attention).to(device=device, dtype=dtype)
    given = [one.detach().to(device, dtype).contiguous(memory_format=torch.channels_last) for one in given]
    for one in given:
        one.requires_grad_()
    out = attention(*given)
    weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).reshape(out.shape)
    (out * weights.to(out)).sum().backward()
    gradients = {name: parameter.grad for name, parameter in attention.named_parameters()}
    return {"out": out.detach(), **{f"in{number}": one.grad for number, one in enumerate(given)}, **gradients}


def off(found, expected):
    """How far numbers are from those in double precision, as a share of these; all of a tensor together."""
    return ((found.cpu().double() - expected).norm() / expected.norm()).item()


@EVERY_KIND
@pytest.mark.parametrize("start", ["paper", "identity"])
def test_it_computes_in_float32_what_double_precision_does_on_the_cpu(kind, options, start, device, no_tf32):
    attention, given = made(kind, options, start)
    expected, found = passed(attention, given), passed(attention, given, device, torch.float32)
    assert found["out"].device == device
    largest = max(value.abs().max().item() for value in expected.values())
    for name, value in expected.items():
        torch.testing.assert_close(found[name].cpu().double(), value, rtol=1e-3, atol=1e-4 * largest, msg=name)


@EVERY_KIND
@pytest.mark.parametrize("dtype", [torch.bfloat16, pytest.param(torch.float16, marks=only_cuda("it is slow there"))])
def test_mixed_precision_stays_near(kind, options, dtype, device):
    attention, given = made(kind, options)
    expected = passed(attention, given)
    with torch.autocast(device.type, dtype):
        found = passed(attention, given, device, torch.float32)
    assert off(found["out"], expected["out"]) < 0.02
    found, expected = (torch.cat([one.flatten().cpu().double() for one in all_.values()]) for all_ in (found, expected))
    assert off(found, expected) < 0.1


@EVERY_KIND
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_runs_where_all_numbers_are_narrow(kind, options, dtype, device):
    attention, given = made(kind, options)
    with torch.inference_mode():
        expected = attention.eval()(*given)
        found = attention.to(device, dtype)(*(one.to(device, dtype) for one in given))
    assert found.dtype == dtype
    assert off(found, expected) < 0.05


@EVERY_KIND
def test_the_way_back_is_the_same_twice_where_determinism_is_asked_for(kind, options, device):
    attention, given = made(kind, options, "identity")
    torch.use_deterministic_algorithms(True)
    try:
        first, second = (passed(attention, given, device, torch.float32) for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    assert [name for name, value in first.items() if not torch.equal(value, second[name])] == []
