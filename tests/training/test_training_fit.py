import logging
import math
import warnings
from argparse import Namespace

import pytest
import torch
import torch.nn.functional as F
from made_up import evaluation
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from nas_attn.data import Part, training_batches
from nas_attn.evaluation.failures import failed_row
from nas_attn.results import read_curve
from nas_attn.settings import Recipe
from nas_attn.training import Classifier, TrainingFailed, score, train, training_device
from nas_attn.training.device import lay_out
from nas_attn.training.failure import memory_faults_reported

ON_CPU = training_device().type == "cpu"
QUICK = Recipe(epochs=1, batch_size=256)


def test_digits_are_learnt_in_a_few_epochs(digits, small_network):
    reported = []
    network = small_network()
    result = train(network, digits, Recipe(epochs=4), seed=0, on_epoch=lambda done, of: reported.append((done, of)))
    assert result.validation["accuracy"] > 0.8
    assert result.train_seconds > 0
    assert reported == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert not network.training
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}
    assert all(parameter.grad is None for parameter in network.parameters())
    assert score(network, digits.test, digits, batch_size=64)["accuracy"] > 0.8


def test_accuracy_and_loss_are_those_of_the_validation_part_in_one_pass(digits, small_network):
    network = small_network()
    result = train(network, digits, Recipe(epochs=1, label_smoothing=0.3, batch_size=100), seed=0)
    pixels = (digits.validation.images / 255 - digits.mean[0]) / digits.std[0]
    with torch.no_grad():
        logits = network(pixels)
    right = (logits.argmax(1) == digits.validation.labels).float().mean()
    tolerance = 1e-5 if ON_CPU else 0.02
    assert result.validation["accuracy"] == pytest.approx(float(right), abs=tolerance)
    assert result.validation["loss"] == pytest.approx(
        float(F.cross_entropy(logits, digits.validation.labels)), rel=tolerance
    )
    assert score(network, digits.validation, digits, 7) == pytest.approx(result.validation, rel=tolerance)


def test_the_loss_that_trains_has_the_smoothing_of_the_recipe(digits, small_network):
    network = small_network().eval()
    images, labels = digits.train.images[:20], digits.train.labels[:20]
    loss = Classifier(network, digits, Recipe(label_smoothing=0.3), seed=0).training_step((images, labels), 0)
    probabilities = F.log_softmax(network((images / 255 - digits.mean[0]) / digits.std[0]), dim=1)
    targets = 0.7 * F.one_hot(labels, 10) + 0.3 / 10
    assert loss.item() == pytest.approx(-(targets * probabilities).sum(1).mean().item(), rel=1e-5)


@pytest.mark.skipif(not ON_CPU, reason="an accelerator may add in another order")
def test_the_same_seed_comes_to_the_same_end_bit_by_bit(digits, small_network):
    recipe = Recipe(epochs=2, horizontal_flip=True, crop_padding=1)

    def run(seed):
        network = small_network(dropout=0.5)
        result = train(network, digits, recipe, seed)
        return result.validation["accuracy"], result.validation["loss"], network.state_dict()

    *first, weights = run(seed=5)
    torch.rand(3)
    *again, same_weights = run(seed=5)
    assert first == again
    assert all(torch.equal(weights[name], same_weights[name]) for name in weights)
    assert run(seed=6)[1] != first[1]


def test_networks_with_one_seed_see_the_same_images_in_the_same_order(digits, small_network):
    class Watcher(nn.Module):
        def __init__(self, network, draws):
            super().__init__()
            self.network = network
            self.draws = draws
            self.seen = []

        def forward(self, images):
            self.seen.append(images.detach().cpu().clone())
            torch.rand(self.draws)
            return self.network(images)

    watchers = [Watcher(small_network(), 0), Watcher(small_network(dropout=0.5), 100)]
    for watcher in watchers:
        train(watcher, digits, Recipe(epochs=2, batch_size=256, horizontal_flip=True, crop_padding=1), seed=1)
    assert all(torch.equal(one, other) for one, other in zip(*(watcher.seen for watcher in watchers), strict=True))


def test_the_random_state_of_others_goes_on_as_if_nothing_had_happened(digits, small_network):
    torch.manual_seed(11)
    expected = torch.rand(4)
    torch.manual_seed(11)
    train(small_network(dropout=0.5), digits, QUICK, seed=0)
    assert torch.equal(torch.rand(4), expected)


def test_nothing_is_printed_written_or_left_changed(digits, small_network, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    before = [logger.level for logger in loggers], list(warnings.filters), torch.is_grad_enabled()
    network = small_network()
    train(network, digits, QUICK, seed=0)
    score(network, digits.test, digits, 64)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
    assert ([logger.level for logger in loggers], list(warnings.filters), torch.is_grad_enabled()) == before


def test_a_set_smaller_than_a_batch_is_no_trouble(digits, small_network):
    few = Part(digits.train.images[:5], digits.train.labels[:5])
    data = type(digits)(few, few, few, digits.class_names, digits.mean, digits.std)
    assert math.isfinite(train(small_network(), data, Recipe(epochs=2, batch_size=64), seed=0).validation["loss"])
    assert math.isfinite(train(small_network(), data, Recipe(epochs=2, batch_size=4), seed=0).validation["loss"])


def test_a_loss_that_is_no_number_ends_training_with_the_reason(digits, small_network):
    done = []
    network = small_network()
    where = r"epoch 1 of 3, in iteration \d+ of 17, at a learning rate of [\de.+]+; a learning_rate below 1e\+09"
    with pytest.raises(TrainingFailed, match=f"the training loss became nan in {where} may help"):
        train(network, digits, Recipe(epochs=3, learning_rate=1e9), 0, on_epoch=lambda *reported: done.append(reported))
    assert done == []
    assert not network.training


def test_weights_of_2_d_convolutions_lie_channels_last_on_cuda_and_all_others_stay():
    def layouts(device):
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv3d(3, 4, 3), nn.Linear(3, 2))
        lay_out(network, torch.device(device))
        return [network[index].weight.stride()[1] for index in range(3)]

    assert layouts("cuda") == [1, 27, 1]
    assert layouts("cpu") == [9, 27, 1]


class Spoilt(nn.Module):
    """A network that breaks in its third pass, as it is made to."""

    def __init__(self, spoil):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        self.spoil = spoil
        self.passes = 0

    def forward(self, images):
        self.passes += 1
        return self.layers(images) if self.passes < 3 else self.spoil(self.layers(images))


def test_a_loss_that_is_no_number_is_found_out_at_the_end_of_its_epoch(digits):
    network = Spoilt(lambda logits: logits * math.nan)
    with pytest.raises(TrainingFailed, match="training loss became nan in epoch 1 of 9, in iteration 3 of"):
        train(network, digits, Recipe(epochs=9, batch_size=2), seed=0)
    assert network.passes == len(digits.train) // 2


def test_what_was_measured_before_a_failure_is_kept_with_it(digits):
    class Breaking(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers, self.passes = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), 0

        def forward(self, images):
            self.passes += 1
            return self.layers(images) * (math.nan if self.passes > 3 * 9 else 1)  # nine batches an epoch

    with pytest.raises(TrainingFailed, match="training loss became nan in epoch 4 of 6") as failed:
        train(Breaking(), digits, Recipe(epochs=6, batch_size=128), seed=0)
    known = read_curve(failed.value.learning_curve)
    assert known["epoch"] == [1, 2, 3]
    assert sorted(known["train_loss"], reverse=True) == known["train_loss"]
    row = failed_row(evaluation(), failed.value, None)
    assert (row.state, row.learning_curve) == ("failed", failed.value.learning_curve)


def test_a_network_that_is_good_for_training_only_is_found_out(digits):
    network = Spoilt(lambda logits: logits if network.training else logits / 0)
    with pytest.raises(
        TrainingFailed, match=r"the validation loss became .* in epoch 1 of 1, after a learning rate of"
    ):
        train(network, digits, Recipe(epochs=1, batch_size=256), seed=0)


def test_running_out_of_memory_ends_training_with_the_reason(digits):
    def fill(logits):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\nIt did not fit.")

    network = Spoilt(fill)
    state = torch.random.get_rng_state()
    with pytest.raises(TrainingFailed, match=r"^out of memory: CUDA out of memory. Tried to allocate 9 GiB.$"):
        train(network, digits, QUICK, seed=0)
    with pytest.raises(TrainingFailed, match=r"^out of memory"):
        score(network, digits.test, digits, 64)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_host_that_runs_out_of_memory_is_reported_as_well():
    with pytest.raises(TrainingFailed, match=r"^out of memory: .*allocate"), memory_faults_reported():
        torch.empty(1 << 60, dtype=torch.uint8)
    with pytest.raises(TrainingFailed, match=r"^out of memory: MemoryError$"), memory_faults_reported():
        raise MemoryError


def test_other_faults_of_a_network_are_reported_as_they_are(digits):
    def fail(logits):
        raise RuntimeError("shapes do not fit")

    network = Spoilt(fail)
    state = torch.random.get_rng_state()
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train(network, digits, QUICK, seed=0)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_caller_may_break_off_between_epochs(digits, small_network):
    class EnoughError(Exception):
        pass

    def stop(done, of):
        raise EnoughError

    network = small_network()
    with pytest.raises(EnoughError):
        train(network, digits, Recipe(epochs=3), seed=0, on_epoch=stop)
    assert not network.training
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_job_of_a_cluster_trains_as_a_desk_does(digits, small_network, monkeypatch):
    alone = train(small_network(), digits, QUICK, seed=0)
    job = {"JOB_ID": "7", "JOB_NAME": "search", "NTASKS": "4", "PROCID": "1", "LOCALID": "1", "NODELIST": "a[1-2]"}
    for name, value in job.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert train(small_network(), digits, QUICK, seed=0).validation == pytest.approx(alone.validation, rel=1e-3)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_both_optimisers_learn(digits, small_network, optimizer):
    rate = 0.1 if optimizer == "sgd" else 0.01
    recipe = Recipe(epochs=2, optimizer=optimizer, learning_rate=rate, batch_size=64)
    assert train(small_network(), digits, recipe, seed=0).validation["accuracy"] > 0.7


class Notebook(nn.Module):
    """A network that keeps what it answered in training."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.answers = []

    def forward(self, images):
        logits = self.network(images)
        if self.training:
            self.answers.append(logits.detach().cpu())
        return logits


def test_the_training_loss_is_the_mean_over_the_images_of_the_last_epoch_as_they_were_trained_on(digits, small_network):
    recipe = Recipe(epochs=2, batch_size=100, label_smoothing=0.2, crop_padding=1)
    network = Notebook(small_network(dropout=0.3))
    result = train(network, digits, recipe, seed=4)
    batches = list(training_batches(digits.train, recipe, 4, epoch=1))
    logits = torch.cat(network.answers[-len(batches) :]).double()
    labels = torch.cat([labels for _, labels in batches])
    targets = 0.8 * F.one_hot(labels, 10) + 0.2 / 10
    expected = -(targets * F.log_softmax(logits, dim=1)).sum(1).mean()
    assert result.train_loss == pytest.approx(float(expected), rel=1e-5 if ON_CPU else 0.02)


class Reads(TorchDispatchMode):
    """Counts how often a value on the device is read by the host."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_how_often_the_host_waits_for_the_device_does_not_depend_on_the_number_of_steps(digits, small_network):
    def reads(batch_size):
        with Reads() as mode:
            train(small_network(), digits, Recipe(epochs=2, batch_size=batch_size, crop_padding=1), seed=0)
        return mode.count

    assert 0 < reads(32) == reads(256) < 20


def test_each_variant_of_a_step_counts_the_same(digits, small_network):
    network, scale = small_network().eval(), [1.0]
    network.register_forward_hook(lambda module, args, logits: scale[0] * logits)

    steps = []

    def variants(step):
        steps.append(step)
        for factor in (1.0, 0.5, 0.0):
            scale[0] = factor
            yield

    images, labels = digits.train.images[:20], digits.train.labels[:20]
    classifier = Classifier(network, digits, Recipe(), seed=0, variants=variants)
    classifier.trainer = Namespace(num_training_batches=7, current_epoch=2)
    logits = small_network().eval()((images / 255 - digits.mean[0]) / digits.std[0])
    losses = [F.cross_entropy(factor * logits, labels).item() for factor in (1.0, 0.5, 0.0)]
    assert classifier.training_step((images, labels), 3).item() == pytest.approx(sum(losses) / 3, rel=1e-5)
    assert steps == [2 * 7 + 3]


@pytest.mark.skipif(not ON_CPU, reason="an accelerator may add in another order")
def test_one_variant_a_step_is_training_as_ever(digits, small_network):
    steps = []

    def same(step):
        steps.append(step)
        return [None]

    plain, varied = (train(small_network(), digits, QUICK, 0, variants=variants) for variants in (None, same))
    assert (plain.validation, plain.train_loss) == (varied.validation, varied.train_loss)
    assert steps == list(range(math.ceil(len(digits.train) / 256)))


def test_the_random_state_of_an_epoch_does_not_depend_on_how_much_was_drawn_before(digits, small_network):
    class Gambler(nn.Module):
        def __init__(self, draws):
            super().__init__()
            self.network = small_network()
            self.draws = draws
            self.first = []

        def forward(self, images):
            if self.training:
                self.first.append(torch.rand(1).item())
                torch.rand(self.draws)
            return self.network(images)

    few, many = Gambler(1), Gambler(50)
    for network in (few, many):
        train(network, digits, Recipe(epochs=2, batch_size=256), seed=0)
    steps = len(few.first) // 2
    assert few.first[0] == many.first[0] != few.first[steps] == many.first[steps]
    assert few.first[1] != many.first[1]
