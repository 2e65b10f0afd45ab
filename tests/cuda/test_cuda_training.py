"""Training on one device: what is learnt, in which numbers, how it fails, and what is left behind."""

import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from coloured import SEVERAL, network
from of_device import only_cuda
from torch import nn

from nas_attn.settings import Recipe
from nas_attn.training import Diverged, score, train

pytestmark = [pytest.mark.cuda, pytest.mark.filterwarnings("default")]
RECIPE = Recipe(epochs=8, batch_size=32, learning_rate=0.1, horizontal_flip=True, crop_padding=2)
QUICK = Recipe(epochs=1, batch_size=64)


def outcome(trained, result):
    return dict(result.validation), result.train_loss, trained.state_dict()


def assert_same(one, other):
    assert one[:2] == other[:2]
    assert [name for name, value in one[2].items() if not torch.equal(value, other[2][name])] == []


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16-mixed", 0.02), ("32-true", 1e-4)])
def test_the_first_loss_is_that_of_plain_torch_on_the_cpu(data, trainer, precision, tolerance, no_tf32):
    once = Recipe(epochs=1, batch_size=len(data.train))
    found = train(network(SEVERAL), data, once, 0, trainer={**trainer, "precision": precision}).train_loss
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (data.mean, data.std))
    logits = network(SEVERAL).train()((data.train.images / 255 - mean) / std)
    assert found == pytest.approx(F.cross_entropy(logits, data.train.labels).item(), rel=tolerance)


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
def test_colours_are_learnt_and_the_weights_come_back_on_the_cpu_in_float32(data, trainer, precision):
    trained = network()
    result = train(trained, data, RECIPE, 0, trainer={**trainer, "precision": precision})
    assert result.validation["accuracy"] > 0.95
    assert score(trained, data.test, data, 64, trainer=trainer)["accuracy"] > 0.95
    tensors = [value for value in trained.state_dict().values() if value.is_floating_point()]
    assert {(value.device.type, value.dtype, value.is_contiguous()) for value in tensors} == {
        ("cpu", torch.float32, True)
    }
    assert not trained.training
    assert all(parameter.grad is None for parameter in trained.parameters())


@only_cuda("it computes in float32, in the order of its memory")
def test_convolutions_see_channels_last_and_compute_in_bfloat16(data, device):
    watched, seen = network(), set()

    def note(module, inputs, output):
        layouts = (one.is_contiguous(memory_format=torch.channels_last) for one in (inputs[0], module.weight, output))
        seen.add((output.device, output.dtype, module.weight.dtype, *layouts))

    for module in watched.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    train(watched, data, QUICK, 0)
    assert seen == {(device, torch.bfloat16, torch.float32, True, True, True)}


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
def test_where_determinism_is_asked_for_two_trainings_come_to_the_same_end_bit_by_bit(data, exact, precision):
    asked = {**exact, "precision": precision}
    recipe = RECIPE.model_copy(update={"epochs": 2, "cutout": 4})
    runs = []
    for _ in range(2):
        trained = nn.Sequential(network(SEVERAL), nn.Dropout(0.2))
        runs.append(outcome(trained, train(trained, data, recipe, 3, trainer=asked)))
        torch.rand(3)
    assert_same(*runs)


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
def test_a_loss_that_is_no_number_is_told_with_its_epoch_and_rate_and_the_next_network_trains(data, trainer, precision):
    asked = {**trainer, "precision": precision}
    where = (
        r"in epoch 1 of 3, in iteration \d+ of \d+, at a learning rate of [\d.e+]+; a learning_rate below 1e\+09 may"
    )
    with pytest.raises(Diverged, match=rf"loss became (-?inf|nan) {where} help"):
        train(network(), data, Recipe(epochs=3, learning_rate=1e9), 0, trainer=asked)
    assert math.isfinite(train(network(), data, QUICK, 0, trainer=asked).validation["loss"])


def switches(device):
    """What of torch another computation in this process may rely on."""
    cuda = [torch.cuda.get_rng_state(device).tolist(), torch.cuda.current_device()] if device.type == "cuda" else []
    return [
        torch.get_rng_state().tolist(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.allow_tf32,
        torch.get_float32_matmul_precision(),
        torch.is_autocast_enabled(device.type),
        torch.get_autocast_dtype(device.type),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        *cuda,
    ]


@pytest.mark.parametrize("setting", [{}, {"deterministic": True}, {"benchmark": True}, {"precision": "bf16-true"}])
def test_switches_and_random_states_are_as_they_were(data, trainer, device, setting):
    torch.rand(1, device=device)
    before = switches(device)
    trained = nn.Sequential(network(), nn.Dropout(0.5))
    train(trained, data, QUICK, 0, trainer={**trainer, **setting})
    score(trained, data.test, data, 64, trainer=trainer)
    assert switches(device) == before


@only_cuda("nothing waits for it")
def test_the_host_does_not_wait_for_the_device_more_often_because_there_are_more_batches(data):
    def waits(batch_size):
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                train(network(SEVERAL), data, Recipe(epochs=2, batch_size=batch_size, crop_padding=2), 0)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return sum("synchroniz" in str(warning.message) for warning in told)

    waits(64)  # in which images come there, and libraries are loaded
    assert 0 < waits(64) == waits(8)
