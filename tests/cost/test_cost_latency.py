import platform
import subprocess
import sys
from time import sleep

import numpy as np
import pytest
import torch
from torch import nn

from nas_attn.cost import Reference, Unrunnable, alone_on_this_host, device_name, measure_latency
from nas_attn.cost.latency import LONGEST, ROUND, WARM_UP_CALLS, WARM_UP_MS, _stopwatch, _timed
from nas_attn.settings import LatencyTarget

CPU = torch.device("cpu")


class Witness(nn.Module):
    """A small network that notes how it is called."""

    notes: list = []  # noqa: RUF012 - a copy of the network writes here too

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)

    def forward(self, images):
        self.notes.append((images, self.training, torch.is_inference_mode_enabled(), torch.get_num_threads()))
        return self.norm(self.conv(images))


@pytest.fixture
def witness():
    Witness.notes.clear()
    return Witness()


class Desk:
    """A stopwatch of made-up times; `takes` gives the milliseconds of a pass from its name and the time of day."""

    def __init__(self, takes):
        self.takes, self.now_ms, self.done = takes, 0.0, []

    def __call__(self, one_pass):
        self.done.append(one_pass)
        passed_ms = self.takes(one_pass, self.now_ms)
        self.now_ms += passed_ms
        return passed_ms


NETWORK, PLAIN = "network", "plain"
TRUE_MS = {NETWORK: 12.0, PLAIN: 10.0}
BESIDE = Reference(PLAIN, 10.0)


def test_a_reading_tells_all_that_it_depends_on(witness):
    reading = measure_latency(witness, (1, 6, 5), LatencyTarget(batch=3, threads=1, calls=301), CPU)
    assert 0 < reading.low_ms <= reading.median_ms <= reading.high_ms
    assert reading.iqr_ms >= 0
    assert reading.calls in (305, 610)
    assert reading.device == device_name(CPU) != ""
    assert len(witness.notes) > WARM_UP_CALLS + reading.calls


def test_passes_run_in_evaluation_and_inference_mode_on_one_fixed_batch(witness):
    threads = torch.get_num_threads() + 1
    measure_latency(witness.double(), (1, 6, 5), LatencyTarget(batch=2, threads=threads), CPU)
    first = witness.notes[0][0]
    assert first.shape == (2, 1, 6, 5)
    assert first.dtype == torch.float32
    assert all(images is first for images, *_ in witness.notes)
    assert {tuple(modes) for _, *modes in witness.notes} == {(False, True, threads)}


def test_the_network_and_the_threads_stay_as_they_are(witness):
    witness.train().norm.eval()
    before = {name: tensor.clone() for name, tensor in witness.state_dict().items()}
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    measure_latency(witness, (1, 6, 5), LatencyTarget(threads=threads + 1), CPU)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert (witness.training, witness.conv.training, witness.norm.training) == (True, True, False)
    assert all(torch.equal(before[name], tensor) for name, tensor in witness.state_dict().items())


def test_the_threads_are_restored_after_a_failure(witness):
    threads = torch.get_num_threads()
    with pytest.raises(Unrunnable):
        measure_latency(witness, (2, 6, 5), LatencyTarget(threads=threads + 1), CPU)
    assert torch.get_num_threads() == threads


def test_without_a_reference_the_median_is_that_of_numpy():
    rng = np.random.default_rng(0)
    desk = Desk(lambda one_pass, now_ms: rng.normal(10, 0.1))
    sure, times = _timed(NETWORK, None, desk, 300)
    assert sure.value == np.median(times)
    assert sure.low < sure.value < sure.high


def test_the_two_networks_take_turns_in_rounds_after_both_are_warm():
    desk = Desk(lambda one_pass, now_ms: 20.0)
    _timed(NETWORK, BESIDE, desk, 50)
    warm = 2 * WARM_UP_CALLS
    assert set(desk.done[:warm]) == {NETWORK, PLAIN}
    assert desk.done[warm:] == ([NETWORK] * ROUND + [PLAIN] * ROUND) * 10


@pytest.mark.parametrize(
    "drift",
    [
        lambda now_ms: 1 + now_ms / 3000,
        lambda now_ms: 1.0 if now_ms < 2500 else 2.0,
        lambda now_ms: 1.5 + 0.5 * np.sin(now_ms / 700),
    ],
    ids=["a clock that slows down", "a clock that halves", "a clock that swings"],
)
def test_drift_cancels(drift):
    noise = np.random.default_rng(0)
    desk = Desk(lambda one_pass, now_ms: TRUE_MS[one_pass] * drift(now_ms) * noise.normal(1, 0.01))
    sure, times = _timed(NETWORK, BESIDE, desk, 300)
    assert sure.value == pytest.approx(12.0, rel=0.03)
    assert np.median(times) > 1.2 * 12.0, "what was not cancelled would be far off"


def test_other_work_on_the_host_is_not_counted():
    rng = np.random.default_rng(0)

    def takes(one_pass, now_ms):
        return TRUE_MS[one_pass] * rng.normal(1, 0.01) + (rng.exponential(30) if rng.random() < 0.6 else 0)

    sure, times = _timed(NETWORK, BESIDE, Desk(takes), 300)
    assert sure.value == pytest.approx(12.0, rel=0.03)
    assert np.median(times) > 1.02 * 12.0


def test_the_unit_is_the_latency_of_the_reference():
    desk = Desk(lambda one_pass, now_ms: TRUE_MS[one_pass])
    assert _timed(NETWORK, Reference(PLAIN, 5.0), desk, 50)[0] == pytest.approx((6.0, 6.0, 6.0))


def test_an_interval_holds_the_truth_in_nineteen_of_twenty_cases():
    rng = np.random.default_rng(0)
    desk = Desk(lambda one_pass, now_ms: TRUE_MS[one_pass] * rng.lognormal(0, 0.05))
    sure = [_timed(NETWORK, BESIDE, desk, 100)[0] for _ in range(60)]
    assert np.mean([low <= 12.0 <= high for _, low, high in sure]) >= 0.9


@pytest.mark.parametrize(("spread", "times_over"), [(0.001, 1), (0.5, LONGEST)])
def test_a_measurement_goes_on_while_it_is_unsteady(spread, times_over):
    rng = np.random.default_rng(0)
    desk = Desk(lambda one_pass, now_ms: TRUE_MS[one_pass] * rng.lognormal(0, spread))
    assert len(_timed(NETWORK, BESIDE, desk, 100)[1]) == times_over * 100


@pytest.mark.parametrize(("pass_ms", "warm_up"), [(1.0, WARM_UP_MS), (1000.0, WARM_UP_CALLS)])
def test_the_warm_up_is_long_enough_in_calls_and_in_time(pass_ms, warm_up, monkeypatch):
    monkeypatch.setattr("nas_attn.cost.latency.WARM_UP_MS", WARM_UP_MS)  # which other tests do without
    desk = Desk(lambda one_pass, now_ms: pass_ms)
    _timed(NETWORK, None, desk, 300)
    assert len(desk.done) == warm_up + 300


def test_one_measurement_runs_at_a_time_on_a_host(witness, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    held = []

    def busy(*_):
        (path,) = tmp_path.glob("*.lock")
        code = f"import filelock; filelock.FileLock({str(path)!r}).acquire(timeout=0)"
        held.append(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr)
        raise KeyboardInterrupt

    monkeypatch.setattr("nas_attn.cost.latency.prepare", busy)
    with pytest.raises(KeyboardInterrupt):
        measure_latency(witness, (1, 6, 5), LatencyTarget(), CPU)
    assert "filelock" in held[0]
    assert "Timeout" in held[0]
    with alone_on_this_host():  # what was broken off has let it go
        pass


@pytest.mark.parametrize("threads", [1, 2])
def test_the_clock_of_a_cpu_times_one_pass_in_milliseconds(threads):
    done = []
    matrix = torch.eye(64)
    passed_ms = _stopwatch(CPU, threads)(lambda: done.append(matrix @ matrix))
    assert len(done) == 1
    assert 0 < passed_ms < 60_000


def test_on_one_thread_only_the_time_counts_in_which_it_ran():
    assert _stopwatch(CPU, 1)(lambda: sleep(0.3)) < 250
    assert _stopwatch(CPU, 2)(lambda: sleep(0.3)) >= 300


@pytest.mark.skipif(platform.system() != "Linux", reason="reads what Linux tells of its processors")
def test_a_cpu_has_a_name():
    assert device_name(CPU) not in ("", "cpu")


def test_a_device_without_a_name_is_called_by_its_type():
    assert device_name(torch.device("mps")) == "mps"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_timed_by_its_own_events(witness):
    device = torch.device("cuda", torch.cuda.current_device())
    reading = measure_latency(witness, (1, 6, 5), LatencyTarget(), device)
    assert reading.median_ms > 0
    assert reading.device == torch.cuda.get_device_name(device)
    assert witness.notes[0][0].device == device
    assert witness.conv.weight.device == CPU
