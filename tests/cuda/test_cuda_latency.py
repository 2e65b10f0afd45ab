"""Latency on one device: by its own events, in each format and runtime, and predicted."""

import statistics
import time

import pytest
import torch
from coloured import BACKBONE, network
from of_device import CPU, named, only_cuda

from nas_attn.assembly import build, load_space
from nas_attn.cost import Readings, device_name, measure_latency, prepare
from nas_attn.cost.latency import _stopwatch
from nas_attn.evaluation import Timing, predictor
from nas_attn.settings import Backbone, LatencyTarget
from nas_attn.space import Architecture

pytestmark = [pytest.mark.cuda, pytest.mark.filterwarnings("default")]
IMAGE = (3, 16, 16)
SPACE = 'backbone = {name = "resnet8", arguments = {width = 8}}\nimage = [3, 16, 16]\nper = "stage"\n'
KINDS = "[kinds.se]\nreduction = [4, 8]\n[kinds.spatial]\n[kinds.eca]\n"


@pytest.fixture(autouse=True)
def _warm(monkeypatch, device):
    """As long as users warm up, which other tests do without; on the CPU it is short."""
    monkeypatch.setattr("nas_attn.cost.latency.WARM_UP_MS", 0.0 if device == CPU else 200.0)


@only_cuda("events are a GPU's")
@pytest.mark.parametrize(("width", "batch"), [(64, 1024), (128, 512)])
def test_events_take_as_long_as_a_clock_that_waits_where_the_work_is_long(device, width, batch):
    large = build(Architecture(), Backbone(name="resnet8", arguments={"width": width}), in_channels=3, classes=10)
    target = LatencyTarget(device=named(device), batch=batch, calls=50)
    with torch.inference_mode():
        one_pass, stopwatch = prepare(large, (3, 32, 32), target, device), _stopwatch(device, 1)
        by_events, by_clock = [], []
        for _ in range(40):
            by_events.append(stopwatch(one_pass))
            torch.cuda.synchronize(device)
            began = time.perf_counter()
            one_pass()
            torch.cuda.synchronize(device)
            by_clock.append(1e3 * (time.perf_counter() - began))
    events_ms, clock_ms = (statistics.median(times[10:]) for times in (by_events, by_clock))
    assert events_ms > 0.5, "the work is too short to tell"
    assert 0.8 < events_ms / clock_ms < 1.05
    reading = measure_latency(large, (3, 32, 32), target, device)
    assert reading.median_ms == pytest.approx(events_ms, rel=0.25)


@pytest.mark.parametrize("batch", [1, 32])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_each_format_runs_there_and_computes_what_it_should(device, dtype, channels_last, batch, no_tf32):
    small = network("stage2.block0.branch=se(reduction=4)")
    target = LatencyTarget(device=named(device), dtype=dtype, channels_last=channels_last, batch=batch, calls=50)
    with torch.inference_mode():
        found = prepare(small, IMAGE, target, device)()
        images = torch.rand((batch, *IMAGE), generator=torch.Generator().manual_seed(0))
        expected = small.eval()(images)
    assert (found.device, found.dtype) == (device, getattr(torch, dtype))
    rounding = {"float32": 1e-4, "bfloat16": 0.05, "float16": 0.01}[dtype]
    torch.testing.assert_close(found.float().cpu(), expected, rtol=rounding, atol=rounding)
    reading = measure_latency(small, IMAGE, target, device)
    assert 0 < reading.low_ms <= reading.median_ms <= reading.high_ms
    assert reading.device == device_name(device)


@pytest.fixture(scope="module")
def compiler(device):
    """What `torch.compile` needs of a machine: a compiler, and on a GPU Python's headers."""
    try:
        torch.compile(lambda numbers: numbers + 1)(torch.ones(3, device=device))
    except Exception as error:
        pytest.skip(f"torch.compile does not run on this machine: {str(error).strip()[:200]}")


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=only_cuda("one is enough there"))])
def test_a_compiled_network_runs_there_and_computes_what_it_should(device, dtype):
    small = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU())
    small = small if device == CPU else network("stage2.block0.branch=se(reduction=4)")
    target = LatencyTarget(device=named(device), dtype=dtype, runtime="compile", batch=32, calls=50)
    with torch.inference_mode():
        found = prepare(small, IMAGE, target, device)()
        expected = small.eval()(torch.rand((32, *IMAGE), generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(found.float().cpu(), expected, rtol=0.05, atol=0.05)
    assert measure_latency(small, IMAGE, target, device).median_ms > 0


@pytest.mark.parametrize("batch", [1, 32])
def test_a_handful_of_timed_networks_predict_the_others(device, tmp_path, monkeypatch, batch):
    monkeypatch.setattr("nas_attn.evaluation.timing.TIMINGS", 8)
    (tmp_path / "space.toml").write_text(SPACE + KINDS)
    space = load_space(tmp_path / "space.toml")[1]
    target = LatencyTarget(device=named(device), batch=batch, calls=50)
    timing = Timing(BACKBONE, IMAGE, 4, target, device, Readings(tmp_path / "latency.jsonl"))
    model = predictor(timing, space)
    unseen = [one for one in space.architectures() if timing.known(one) is None][:3]
    assert len(unseen) == 3
    ratios = [model.of(one).latency_ms / timing.measure(one).median_ms for one in unseen]
    assert 0.67 < statistics.median(ratios) < 1.5
