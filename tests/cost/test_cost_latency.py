import platform

import numpy as np
import pytest
import torch
from torch import nn

from nas_attn.cost import device_name, measure_latency
from nas_attn.cost.latency import ATTEMPTS, WARM_UP_CALLS, WARM_UP_MS, _steadiest, _stopwatch
from nas_attn.settings import Latency

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


def scripted(*attempts):
    """A stopwatch that warms up in 20 ms a pass, and then gives the times of one attempt after the other."""
    times = iter([20.0] * WARM_UP_CALLS + [time for attempt in attempts for time in attempt])

    def stopwatch(one_pass):
        one_pass()
        return next(times)

    return stopwatch


def test_a_reading_tells_all_that_it_depends_on(witness):
    reading = measure_latency(witness, (1, 6, 5), Latency(batch=3, threads=1, calls=301), CPU)
    assert reading.median_ms > 0
    assert reading.iqr_ms >= 0
    assert (reading.calls, reading.threads, reading.batch, reading.dtype) == (301, 1, 3, "float32")
    assert reading.device == device_name(CPU) != ""
    assert len(witness.notes) >= WARM_UP_CALLS + 301


def test_passes_run_in_evaluation_and_inference_mode_on_one_fixed_batch(witness):
    threads = torch.get_num_threads() + 1
    measure_latency(witness.double(), (1, 6, 5), Latency(batch=2, threads=threads), CPU)
    first = witness.notes[0][0]
    assert first.shape == (2, 1, 6, 5)
    assert first.dtype == torch.float32
    assert all(images is first for images, *_ in witness.notes)
    assert {tuple(modes) for _, *modes in witness.notes} == {(False, True, threads)}


def test_the_network_and_the_threads_stay_as_they_are(witness):
    witness.train().norm.eval()
    before = {name: tensor.clone() for name, tensor in witness.state_dict().items()}
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    measure_latency(witness, (1, 6, 5), Latency(threads=threads + 1), CPU)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert (witness.training, witness.conv.training, witness.norm.training) == (True, True, False)
    assert all(torch.equal(before[name], tensor) for name, tensor in witness.state_dict().items())


def test_the_threads_are_restored_after_a_failure(witness):
    threads = torch.get_num_threads()
    with pytest.raises(RuntimeError):
        measure_latency(witness, (2, 6, 5), Latency(threads=threads + 1), CPU)
    assert torch.get_num_threads() == threads


def test_median_and_interquartile_range_are_those_of_numpy():
    times = np.random.default_rng(0).normal(10, 0.1, 301).tolist()
    median_ms, iqr_ms = _steadiest(lambda: None, scripted(times), 301)
    lower, median, upper = np.percentile(times, [25, 50, 75])
    assert (median_ms, iqr_ms) == pytest.approx((median, upper - lower))


def test_a_steady_measurement_is_not_repeated():
    done = []
    assert _steadiest(lambda: done.append(1), scripted([1.0, 1.0, 1.0, 1.05, 9.0]), 5) == pytest.approx((1.0, 0.05))
    assert len(done) == WARM_UP_CALLS + 5


def test_a_measurement_is_repeated_until_it_is_steady():
    done = []
    unsteady, steady = [1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 2.0, 2.0, 2.0, 7.0]
    assert _steadiest(lambda: done.append(1), scripted(unsteady, steady), 5) == (2.0, 0.0)
    assert len(done) == WARM_UP_CALLS + 2 * 5


def test_of_three_unsteady_measurements_the_relatively_steadiest_is_kept():
    done = []
    attempts = [[1.0, 2.0, 3.0, 4.0, 5.0], [10.0, 12.0, 13.0, 15.0, 20.0], [1.0, 1.0, 2.0, 2.0, 2.0]]
    assert _steadiest(lambda: done.append(1), scripted(*attempts), 5) == (13.0, 3.0)
    assert len(done) == WARM_UP_CALLS + ATTEMPTS * 5


@pytest.mark.parametrize(("pass_ms", "warm_up"), [(1.0, WARM_UP_MS), (1000.0, WARM_UP_CALLS)])
def test_the_warm_up_is_long_enough_in_calls_and_in_time(pass_ms, warm_up):
    done = []

    def stopwatch(one_pass):
        one_pass()
        return pass_ms

    _steadiest(lambda: done.append(1), stopwatch, 300)
    assert len(done) == warm_up + 300


def test_the_clock_of_a_cpu_times_one_pass_in_milliseconds():
    done = []
    matrix = torch.eye(64)
    passed_ms = _stopwatch(CPU)(lambda: done.append(matrix @ matrix))
    assert len(done) == 1
    assert 0 < passed_ms < 60_000


@pytest.mark.skipif(platform.system() != "Linux", reason="reads what Linux tells of its processors")
def test_a_cpu_has_a_name():
    assert device_name(CPU) not in ("", "cpu")


def test_a_device_without_a_name_is_called_by_its_type():
    assert device_name(torch.device("mps")) == "mps"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_timed_by_its_own_events(witness):
    device = torch.device("cuda", torch.cuda.current_device())
    reading = measure_latency(witness, (1, 6, 5), Latency(), device)
    assert reading.median_ms > 0
    assert reading.device == torch.cuda.get_device_name(device)
    assert witness.notes[0][0].device == device
    assert witness.conv.weight.device == CPU
