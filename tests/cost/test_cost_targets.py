import pytest
import torch
from torch import nn
from versions import needs_onnx

from nas_attn.cost import Unrunnable, prepare
from nas_attn.settings import LatencyTarget
from nas_attn.space import InputError

CPU = torch.device("cpu")
IMAGE = (3, 8, 8)


class Net(nn.Module):
    """Keeps what it is given, in the copy that runs too."""

    given: list = []  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 2)

    def forward(self, images):
        if not torch.compiler.is_compiling():
            self.given.append(images)
        return self.head(torch.relu(self.conv(images)).mean((2, 3)))


@pytest.fixture
def net():
    Net.given.clear()
    torch.manual_seed(0)
    return Net()


def run(net, **settings):
    one_pass = prepare(net, IMAGE, LatencyTarget(device="cpu", **settings), CPU)
    with torch.inference_mode():
        return one_pass()


def expected(net, batch=1):
    images = torch.rand((batch, *IMAGE), generator=torch.Generator().manual_seed(0))
    return net.eval()(images).detach()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_images_and_weights_have_the_number_format_that_was_asked_for(net, dtype):
    found = run(net, dtype=dtype, batch=2)
    assert found.dtype == net.given[0].dtype == getattr(torch, dtype)
    torch.testing.assert_close(found.float(), expected(net, batch=2), atol=0.02, rtol=0.02)
    assert net.conv.weight.dtype == torch.float32


def test_channels_last_lays_the_channels_of_a_pixel_side_by_side(net):
    run(net, batch=2, channels_last=True)
    assert net.given[0].stride() == (3 * 8 * 8, 1, 3 * 8, 3)
    run(net, batch=2)
    assert net.given[-1].stride() == (3 * 8 * 8, 8 * 8, 8, 1)


def test_a_compiled_network_gives_what_the_network_gives(net):
    torch.testing.assert_close(run(net, runtime="compile"), expected(net))


@needs_onnx
def test_onnxruntime_gives_what_the_network_gives(net):
    (found,) = run(net, runtime="onnxruntime", batch=2)
    torch.testing.assert_close(torch.from_numpy(found), expected(net, batch=2))


def test_an_absent_runtime_is_told_with_the_extra_that_brings_it(net, monkeypatch):
    def absent(name):
        raise ImportError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("nas_attn.cost.targets.import_module", absent)
    with pytest.raises(InputError, match=r"onnxscript is not installed; it comes with pip install 'nas-attn\[onnx\]'"):
        run(net, runtime="onnxruntime")


def test_a_network_that_cannot_run_on_a_target_is_told(net):
    net.head = nn.Linear(5, 2)
    with pytest.raises(Unrunnable, match=r"cannot run as cpu-1thread-batch1-float32-eager: .*mat1 and mat2"):
        run(net)


def test_running_out_of_memory_goes_through(net, monkeypatch):
    def exhausted(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    monkeypatch.setattr(Net, "forward", exhausted)
    with pytest.raises(torch.OutOfMemoryError):
        run(net)
