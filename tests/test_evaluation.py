from dataclasses import replace

import pytest
import torch

from nas_attn.cost import device_name
from nas_attn.evaluation import Evaluator, read_weights, timing_device, weights_file
from nas_attn.settings import Digits, Latency, Recipe
from nas_attn.space import Architecture, InputError, parse
from nas_attn.training import load_data, train, training_device

SE = parse("stage2.block0.branch=se(reduction=4)")


@pytest.fixture
def evaluator(tmp_path):
    return Evaluator(
        backbone="resnet8",
        data=load_data(Digits(), tmp_path),
        recipe=Recipe(epochs=1, batch_size=256),
        latency=Latency(),
        timed_on=torch.device("cpu"),
        seed=3,
        weights=tmp_path / "weights",
        on_epoch=lambda row, done, epochs: None,
    )


def test_knowledge_grows_step_by_step(evaluator):
    counted = evaluator.count(SE)
    assert (counted.key, counted.architecture, counted.state) == (SE.key, str(SE), "priced")
    assert counted.params > 0
    assert counted.latency_ms != counted.latency_ms
    timed = evaluator.time(counted)
    assert timed.latency_ms > 0
    assert timed.latency_device == device_name(torch.device("cpu"))
    trained = evaluator.train(timed)
    assert trained.state == "complete"
    assert 0 < trained.accuracy <= 1
    assert (trained.seed, trained.device) == (3, device_name(training_device()))
    assert trained.latency_ms == timed.latency_ms
    for package in ("nas-attn", "torch", "pytorch-lightning", "optuna", "fvcore"):
        assert package in trained.versions


def test_the_weights_that_are_kept_are_the_trained_ones(evaluator):
    network = evaluator._build(SE)
    train(network, evaluator.data, evaluator.recipe, 3)
    evaluator.train(evaluator.count(SE))
    kept = read_weights(evaluator._build(SE), weights_file(evaluator.weights, SE.key))
    assert all(torch.equal(kept.state_dict()[name], tensor) for name, tensor in network.state_dict().items())


def test_weights_of_another_network_are_refused(evaluator):
    evaluator.train(evaluator.count(SE))
    with pytest.raises(InputError, match="holds no weights of this network"):
        read_weights(evaluator._build(Architecture()), weights_file(evaluator.weights, SE.key))


def test_epochs_are_told_with_their_row(evaluator):
    told = []
    row = evaluator.count(SE)
    replace(evaluator, on_epoch=lambda *event: told.append(event)).train(row)
    assert told == [(row, 1, 1)]


@pytest.mark.parametrize("step", ["time", "train"])
def test_running_out_of_memory_becomes_a_reason(evaluator, monkeypatch, step):
    def exhausted(*_args, **_kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    counted = evaluator.count(SE)
    monkeypatch.setattr("nas_attn.backbones.resnet.BasicBlock.forward", exhausted)
    row = getattr(evaluator, step)(counted)
    assert row.state == "failed"
    assert "out of memory" in row.reason


def test_a_gpu_that_is_not_there_is_told():
    with pytest.raises(InputError, match=r"latency\.device: found 'cuda:99'"):
        timing_device(Latency(device="cuda:99"))
    assert timing_device(Latency(device="cpu")) == torch.device("cpu")
    assert timing_device(Latency()) == training_device()
