from dataclasses import replace

import pytest
import torch

from nas_attn.cost import Forecast, LatencyReading, Readings, Unrunnable, device_name
from nas_attn.data import load_data
from nas_attn.evaluation import Evaluator, Timing, TrainingProtocol, timing_device
from nas_attn.evaluation.timing import host
from nas_attn.settings import Backbone, Digits, LatencyTarget, Recipe
from nas_attn.space import Architecture, InputError, parse
from nas_attn.tasks import ImageTask
from nas_attn.training import training_device

SE = parse("stage2.block0.branch=se(reduction=4)")


@pytest.fixture
def evaluator(tmp_path):
    backbone, readings = Backbone(name="resnet8"), Readings(tmp_path / "latency.jsonl")
    timing = Timing(backbone, (1, 8, 8), 10, LatencyTarget(calls=50), torch.device("cpu"), readings)
    data, recipe = load_data(Digits(), tmp_path), Recipe(epochs=1, batch_size=256)
    protocol = TrainingProtocol(backbone, ImageTask(data), recipe, "scratch", keeps=tmp_path / "weights")
    return Evaluator(timing, None, protocol, None, on_epoch=lambda row, done, epochs: None)


def test_knowledge_grows_bit_by_bit(evaluator):
    counted = evaluator.count(SE)
    assert (counted.key, counted.architecture, counted.state) == (SE.key, str(SE), "priced")
    assert counted["params"] > 0
    assert counted["latency_ms"] != counted["latency_ms"]
    timed = evaluator.time(counted)
    assert timed["latency_ms"] > 0
    assert timed["latency_device"] == device_name(torch.device("cpu"))
    assert timed["latency_ms_low"] <= timed["latency_ms"] <= timed["latency_ms_high"]
    assert (timed["latency_source"], timed["latency_target"]) == ("measured", "auto-1thread-batch1-float32-eager")
    assert (timed["latency_dtype"], timed["latency_layout"], timed["latency_runtime"]) == (
        "float32",
        "contiguous",
        "eager",
    )
    assert timed["latency_host"] == host(torch.device("cpu"))
    trained = evaluator.train(replace(timed, seed=3)).result()
    assert trained.state == "complete"
    assert 0 < trained["accuracy"] <= 1
    assert (trained.seed, trained.device) == (3, device_name(training_device()))
    assert trained["latency_ms"] == timed["latency_ms"]
    for package in ("nas-attn", "torch", "pytorch-lightning", "optuna", "fvcore"):
        assert package in trained.versions


def test_epochs_are_reported_with_their_row(evaluator):
    reported = []
    row = evaluator.count(SE)
    replace(evaluator, on_epoch=lambda *event: reported.append(event)).train(row)
    assert reported == [(row, 1, 1)]


@pytest.mark.parametrize("work", ["time", "train"])
def test_running_out_of_memory_becomes_a_reason(evaluator, monkeypatch, work):
    def exhausted(*_args, **_kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    counted = evaluator.count(SE)
    monkeypatch.setattr("nas_attn.backbones.resnet.BasicBlock.forward", exhausted)
    row = evaluator.time(counted) if work == "time" else evaluator.train(counted).result()
    assert row.state == "failed"
    assert "out of memory" in row.reason


class Oracle:
    def of(self, architecture):
        return Forecast(5.0, 4.0, 6.0)


def test_where_latencies_are_predicted_only_a_network_that_was_not_timed_is(evaluator):
    evaluator.timing.readings.put(
        evaluator.timing._question(Architecture()), LatencyReading(1.0, 0.9, 1.1, 0.1, 50, "a processor")
    )
    predicting = replace(evaluator, predictor=Oracle())
    plain, other = (predicting.time(evaluator.count(architecture)) for architecture in (Architecture(), SE))
    assert (plain["latency_ms"], plain["latency_source"], plain["latency_calls"]) == (1.0, "measured", 50)
    assert (other["latency_ms"], other["latency_source"], other["latency_calls"]) == (5.0, "predicted", 0)
    assert (other["latency_ms_low"], other["latency_ms_high"]) == (4.0, 6.0)
    assert other["latency_device"] == plain["latency_device"]
    measured = predicting.measure(other)
    assert (measured["latency_source"], measured["latency_predicted_ms"]) == ("measured", 5.0)
    assert measured["latency_ms"] != 5.0
    assert predicting.measure(measured) == measured


def test_a_network_that_cannot_run_on_the_target_fails_with_the_reason(evaluator, monkeypatch):
    def refuse(*_args):
        raise Unrunnable("latency: the network cannot run so")

    counted = evaluator.count(SE)
    monkeypatch.setattr(Timing, "measure", refuse)
    row = evaluator.time(counted)
    assert (row.state, row.reason) == ("failed", "latency: the network cannot run so")


def test_a_gpu_that_is_not_there_is_reported():
    with pytest.raises(InputError, match=r"latency\.device: found 'cuda:99'"):
        timing_device(LatencyTarget(device="cuda:99"))
    assert timing_device(LatencyTarget(device="cpu")) == torch.device("cpu")
    assert timing_device(LatencyTarget()) == training_device()


def test_networks_are_timed_where_they_train_unless_the_target_says_otherwise(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert timing_device(LatencyTarget(), {}) == torch.device("cuda:0")
    assert timing_device(LatencyTarget(), {"accelerator": "cpu", "precision": "32-true"}) == torch.device("cpu")
    assert timing_device(LatencyTarget(), {"devices": [1]}) == torch.device("cuda:1")
    assert timing_device(LatencyTarget(device="cuda"), {"accelerator": "cpu"}) == torch.device("cuda")
