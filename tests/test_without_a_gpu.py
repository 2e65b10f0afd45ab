"""What runs on a GPU, run on one that is pretended: the same numbers as on the CPU, and no wait within an epoch."""

import copy
import random
from collections import Counter
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from placing import attention_at, installed
from pretended_gpu import CPU, GPU, NAME, OnDevice, pretended_gpu
from small_protocol import row
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import nas_attn
from nas_attn.assembly import build, load_space
from nas_attn.attention import ATTENTIONS
from nas_attn.cost import measure_latency
from nas_attn.data import batches_in_order, load_data, training_batches
from nas_attn.evaluation import TrainingProtocol, screened, timing_device
from nas_attn.evaluation.jobs import _devices
from nas_attn.evaluation.supernet import build_supernet, variants
from nas_attn.settings import Backbone, DataModule, LatencyTarget, Recipe
from nas_attn.space import Architecture, Site, parse
from nas_attn.tasks import ImageTask
from nas_attn.training import Diverged, Normalise, recalibration, score, train
from nas_attn.training.classifier import Classifier

MODULE = """
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

class Bands(pl.LightningDataModule):
    num_classes = 3

    def train_dataloader(self):
        labels = torch.arange(30) % 3
        images = (100 * labels).to(torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 8, 8)
        return DataLoader(TensorDataset(images, labels), 10)

    val_dataloader = test_dataloader = train_dataloader

    def on_after_batch_transfer(self, batch, dataloader_idx):
        images, labels = batch
        assert images.device == labels.device
        return images / 100 - 1, labels
"""
FLOAT32 = {"precision": "32-true"}
RECIPE = Recipe(epochs=2, batch_size=256, learning_rate=0.1, horizontal_flip=True, crop_padding=1, cutout=3)
CLOSE = {"rtol": 1e-3, "atol": 1e-4}


@pytest.fixture
def gpu(monkeypatch):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU: tests/cuda is for it")
    with pretended_gpu(monkeypatch) as device:
        yield device


@pytest.fixture
def on_cpu(digits, small_network):
    """A network that was trained before there was a GPU, and its score."""
    assert not torch.cuda.is_available()
    network = small_network()
    return network, train(network, digits, RECIPE, 0)


@pytest.fixture
def few(digits):
    """The same images in three parts of a size at which trainings are short."""

    def part(whole, count):
        return replace(whole, images=whole.images[:count], labels=whole.labels[:count])

    return replace(digits, train=part(digits.train, 256), validation=part(digits.validation, 100))


def fresh(data):
    """The same data, which lie on no device yet."""
    return replace(data)


def streamed(gpu):
    """From now on images do not fit into the device's memory."""
    gpu.free_bytes = 1000
    return "stream"


def assert_same_weights(one, other):
    for (name, weight), changed in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(weight, changed, msg=lambda told, name=name: f"{name}: {told}", **CLOSE)


@pytest.mark.parametrize("lie", [lambda _: "lie", streamed], ids=["resident", "streaming"])
def test_a_training_comes_to_the_end_that_it_comes_to_on_the_cpu(on_cpu, gpu, digits, small_network, lie, caplog):
    caplog.set_level("INFO")
    how, network = lie(gpu), small_network()
    scored = train(network, fresh(digits), RECIPE, 0, trainer=FLOAT32)
    there, expected = on_cpu
    assert scored.validation == pytest.approx(dict(expected.validation), rel=1e-4)
    assert scored.train_loss == pytest.approx(expected.train_loss, rel=1e-4)
    assert_same_weights(there, network)
    assert {weight.device for weight in network.state_dict().values()} == {CPU}
    assert len([told for told in caplog.messages if f" {how} " in told and "cuda:0" in told]) == 2


NAMED = {
    "weighted": {"class_weights": "balanced", "loss": "focal"},
    "mixed": {"mixup": 0.4, "cutmix": 1.0, "loss": "bce", "class_weights": "balanced"},
    "averaged": {"ema_decay": 0.5},
    "scheduled": {"schedule": "PolynomialLR", "warmup_epochs": 1},
    "transformed": {"transforms": ("RandomInvert", {"name": "RandomErasing", "p": 1.0})},
}


@pytest.mark.parametrize("name", NAMED)
def test_what_a_recipe_names_comes_to_the_same_end_there(few, small_network, monkeypatch, name):
    recipe = Recipe(epochs=2, batch_size=128, **NAMED[name])
    there, network = small_network(), small_network()
    expected = train(there, few, recipe, 0)
    with pretended_gpu(monkeypatch):
        scored = train(network, fresh(few), recipe, 0, trainer=FLOAT32)
    assert scored.validation == pytest.approx(dict(expected.validation), rel=1e-3)
    assert_same_weights(there, network)


@pytest.mark.parametrize("name", ["weighted", "mixed", "scheduled"])
def test_the_host_waits_at_no_step_for_what_a_recipe_names(gpu, few, small_network, name):
    found = [waits_of(gpu, few, small_network(), 2, FLOAT32, batch_size=size, **NAMED[name]) for size in (128, 16)]
    assert found[1] - found[0] == Counter()


def test_a_network_computes_there_in_bfloat16_and_comes_back_in_float32(gpu, digits, small_network):
    network, seen = small_network(), Counter()

    def look(module, inputs, output):
        (features,) = inputs
        last = features.is_contiguous(memory_format=torch.channels_last)
        seen[features.device, output.dtype, module.weight.dtype, module.weight.device, last] += 1

    network[4].register_forward_hook(look)
    scored = train(network, fresh(digits), RECIPE, 0)
    assert set(seen) == {(GPU, torch.bfloat16, torch.float32, GPU, True)}
    assert scored.validation["accuracy"] > 0.2
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}


def waits_of(gpu, data, network, epochs, trainer, **options):
    gpu.waits.clear()
    train(network, fresh(data), RECIPE.model_copy(update={"epochs": epochs, **options}), 0, trainer=trainer)
    return Counter(gpu.waits)


def assert_no_wait_at_a_step(gpu, data, make, trainer):
    """An epoch of sixteen steps has the host wait for the device as often as one of two."""
    few_steps, many_steps = (waits_of(gpu, data, make(), 2, trainer, batch_size=size) for size in (128, 16))
    assert sum(few_steps.values()) > 0
    assert many_steps - few_steps == Counter()


@pytest.mark.parametrize("lie", [lambda _: "lie", streamed], ids=["resident", "streaming"])
@pytest.mark.parametrize("trainer", [FLOAT32, {}], ids=["float32", "bfloat16"])
def test_the_host_waits_for_the_device_at_no_step(gpu, few, small_network, lie, trainer):
    lie(gpu)
    assert_no_wait_at_a_step(gpu, few, lambda: small_network(dropout=0.1), trainer)


def test_an_epoch_more_costs_the_host_a_few_waits(gpu, few, small_network):
    two, three = (waits_of(gpu, few, small_network(), epochs, FLOAT32) for epochs in (2, 3))
    assert (three - two).total() <= 12, three - two


def labels_left_behind(patch):
    whole = Classifier.loss
    patch.setattr(Classifier, "loss", lambda self, images, labels: whole(self, images, labels.cpu()))


def loss_read_at_every_step(patch):
    whole = Classifier.loss

    def loss(self, images, labels):
        found = whole(self, images, labels)
        found.detach().item()
        return found

    patch.setattr(Classifier, "loss", loss)


def normalisation_left_behind(patch):
    patch.setattr(Normalise, "forward", lambda self, images: (images - self.mean.cpu()) / self.std)


FAULTS = {
    labels_left_behind: "Expected all tensors to be on the same device",
    loss_read_at_every_step: "_local_scalar_dense",
    normalisation_left_behind: "Expected all tensors to be on the same device",
}


@pytest.mark.parametrize("plant", FAULTS)
def test_a_planted_fault_is_found(gpu, few, small_network, monkeypatch, plant):
    plant(monkeypatch)
    with pytest.raises((RuntimeError, AssertionError), match=FAULTS[plant]):
        assert_no_wait_at_a_step(gpu, few, small_network, FLOAT32)


def test_dropout_draws_from_the_device_alone_and_all_random_states_are_as_before(gpu, few, small_network):
    torch.manual_seed(5)
    gpu.generator.manual_seed(6)
    before = torch.get_rng_state(), gpu.generator.get_state()
    networks = [small_network(dropout=0.5) for _ in range(2)]
    for network in networks:
        train(network, fresh(few), RECIPE, 3, trainer=FLOAT32)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert torch.equal(gpu.generator.get_state(), before[1])
    one, other = (network.state_dict().values() for network in networks)
    assert all(torch.equal(weight, same) for weight, same in zip(one, other, strict=True))


def test_a_generator_of_the_cpu_is_refused_there(gpu):
    with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator but found 'cpu'"):
        torch.rand(3, generator=torch.Generator(), device=GPU)


def test_batches_are_the_ones_of_the_cpu_pixel_by_pixel(digits, monkeypatch):
    expected = list(training_batches(digits.train, RECIPE, 3, 1))
    with pretended_gpu(monkeypatch) as gpu:
        lying = list(training_batches(digits.train.to(GPU), RECIPE, 3, 1))
        streamed(gpu)
        streaming = list(training_batches(digits.train.to(GPU), RECIPE, 3, 1))
        for batches in (lying, streaming):
            assert {tensor.device for batch in batches for tensor in batch} == {GPU}
            found = [(images.cpu(), labels.cpu()) for images, labels in batches]
            assert all(map(torch.equal, sum(expected, ()), sum(found, ())))


def test_a_training_that_was_interrupted_there_goes_on(gpu, few, small_network, tmp_path, monkeypatch):
    monkeypatch.setattr("nas_attn.training.checkpoint.KEEP_EVERY_SECONDS", 0.0)
    recipe, path = RECIPE.model_copy(update={"epochs": 3}), tmp_path / "kept.ckpt"
    undisturbed, interrupted = small_network(dropout=0.2), small_network(dropout=0.2)
    train(undisturbed, fresh(few), recipe, 0, trainer=FLOAT32)

    def stop(done, _of):
        if done == 2:
            raise ConnectionError("made up")

    with pytest.raises(ConnectionError):
        train(interrupted, fresh(few), recipe, 0, stop, checkpoint=path, trainer=FLOAT32)
    kept = torch.load(path, weights_only=True)  # as on a machine that has no GPU
    assert {value.device for value in kept["state_dict"].values()} == {CPU}
    begun = []
    network = small_network(dropout=0.2)
    train(network, fresh(few), recipe, 0, lambda done, _of: begun.append(done), checkpoint=path, trainer=FLOAT32)
    assert begun == [3]
    assert_same_weights(undisturbed, network)


def test_a_network_that_does_not_fit_is_a_failed_row_and_memory_is_given_back(gpu, few):
    class TooLarge(TrainingProtocol):
        def build(self, architecture, seed):
            network = super().build(architecture, seed)
            if architecture.placements:
                network.register_forward_pre_hook(self.fill)
            return network

        @staticmethod
        def fill(*_):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    protocol = TooLarge(Backbone(name="resnet8"), ImageTask(fresh(few)), RECIPE, "scratch")
    failed = protocol.train(row("stage1.block0.branch=se"))
    assert (failed.state, failed.reason) == (
        "failed",
        "out of memory: CUDA out of memory. Tried to allocate 20.00 MiB. (with each batch in 2 parts too)",
    )
    assert gpu.emptied >= 1
    trained = protocol.train(row("none"))
    assert (trained.state, trained["device"]) == ("complete", NAME)


def test_a_loss_that_is_no_number_is_told_there_too(gpu, few, small_network):
    wild = RECIPE.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(Diverged, match=r"the training loss became (nan|inf) in epoch [12] of 2"):
        train(small_network(), fresh(few), wild, 0)


def test_batches_of_a_loader_of_the_users_are_moved_there(gpu, tmp_path, monkeypatch):
    (tmp_path / "bands_of_mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    data = load_data(DataModule(module="bands_of_mine:Bands"), tmp_path)
    for part in (data.near(GPU).train, data.near(GPU).validation):
        for images, labels in batches_in_order(part, 10):
            assert (images.device, labels.device) == (GPU, GPU)
            assert torch.equal(images.cpu()[:, 0, 0, 0], labels.cpu() - 1.0)  # the module's hook saw it there
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 3))
    recipe = RECIPE.model_copy(update={"epochs": 12, "learning_rate": 0.01})
    assert train(network, data, recipe, 0).validation["accuracy"] > 0.9


KINDS = """
backbone = "resnet8"
image = [1, 8, 8]
[kinds.se]
[kinds.cbam]
[kinds.gate]
[kinds.simam]
"""


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(KINDS)
    return load_space(path)[1]


def supernet_scores(space, data, device, trainer):
    """The scores of four networks by a supernet that was trained for an epoch."""
    supernet = build_supernet(space, "resnet8", in_channels=1, classes=10)
    drawn = variants(supernet, space, 0, sandwich=[Architecture()])
    train(supernet, data, RECIPE.model_copy(update={"epochs": 1}), 0, variants=drawn, trainer=trainer)
    asked = [Architecture(), *(space.sample(random.Random(seed)) for seed in range(3))]
    scoring = recalibration(supernet, data, images=128, batch_size=64, seed=0, device=device)
    return supernet, list(screened(supernet, scoring, asked))


def test_a_supernet_trains_recalibrates_and_screens_there_as_on_the_cpu(space, few, monkeypatch):
    there, expected = supernet_scores(space, fresh(few), CPU, {})
    with pretended_gpu(monkeypatch):
        supernet, found = supernet_scores(space, fresh(few), GPU, FLOAT32)
    assert_same_weights(there, supernet)
    for one, other in zip(expected, found, strict=True):
        assert other.validation == pytest.approx(dict(one.validation), rel=1e-3)


def test_each_network_screened_costs_the_host_no_wait_a_batch(gpu, few, small_network):
    def waits(batch_size):
        with recalibration(small_network(), fresh(few), 256, batch_size, 0, GPU) as scored:
            gpu.waits.clear()
            scored()
            return Counter(gpu.waits)

    assert waits(16) - waits(128) == Counter()


def test_a_score_there_is_the_score_of_the_cpu(digits, small_network, monkeypatch):
    expected = score(small_network(), digits.validation, digits, 100)
    with pretended_gpu(monkeypatch):
        assert score(small_network(), digits.validation, fresh(digits), 100) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("start", ["paper", "identity"])
@pytest.mark.parametrize("kind", ATTENTIONS)
def test_every_kind_computes_there_what_it_computes_on_the_cpu(kind, start, monkeypatch):
    site = Site("stage1.block0.block", "stage1", "stage1.block0", "block", 16, signal_channels=8)
    torch.manual_seed(0)
    attention = attention_at(site, kind, start=start)
    inputs = [torch.randn(2, 16, 8, 8, requires_grad=True)]
    if getattr(attention, "gated", False):
        inputs.append(torch.randn(2, 8, 4, 4, requires_grad=True))
    twin = copy.deepcopy(attention)
    attention(*inputs).pow(2).mean().backward()
    with pretended_gpu(monkeypatch) as gpu:
        there, sent = twin.to(GPU), [tensor.detach().to(GPU).requires_grad_() for tensor in inputs]
        gpu.waits.clear()
        there(*sent).pow(2).mean().backward()
        assert gpu.waits == []
        for one, other in zip([*inputs, *attention.parameters()], [*sent, *there.parameters()], strict=True):
            assert (one.grad is None) == (other.grad is None)
            if one.grad is not None:
                torch.testing.assert_close(other.grad.cpu(), one.grad, **CLOSE)


FOREIGN = {
    "timm:resnet10t": "stage2.block0.block",
    "timm:efficientnet_lite0": "stage2.block0.block",
    "torchvision:shufflenet_v2_x0_5": "stage2.block0.block",
    "mobilenetv2": "stage2.block1.block",
    "vgg11": "stage2.block0.block",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_attention_moves_with_a_network_that_it_is_hung_into(name, gpu):
    library = name.partition(":")[0]
    if ":" in name and not installed(library):
        pytest.skip(f"needs {library}")
    backbone = Backbone(name=name)
    network = build(parse(f"{FOREIGN[name]}=cbam"), backbone, in_channels=3, classes=4).to(GPU)
    logits = network(torch.randn(2, 3, 64, 64).to(GPU))
    F.cross_entropy(logits, torch.tensor([0, 3], device=GPU)).backward()
    assert isinstance(logits, OnDevice)
    named = {name: weight for name, weight in network.named_parameters() if "attention" in name}
    assert named
    assert all(weight.grad.device == GPU for weight in named.values())
    assert {buffer.device for buffer in network.buffers()} == {GPU}
    assert any(isinstance(module, _BatchNorm) for module in network.modules()) or name == "vgg11"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("layout", [False, True])
def test_a_latency_is_taken_between_two_events_that_are_waited_for(gpu, small_network, dtype, layout):
    target = LatencyTarget(batch=2, calls=50, dtype=dtype, channels_last=layout)
    seen, network = Counter(), small_network()
    network[0].register_forward_hook(lambda _, inputs, __: seen.update([(inputs[0].device, str(inputs[0].dtype))]))
    reading = measure_latency(network, (1, 8, 8), target, GPU)
    assert 0 < reading.low_ms <= reading.median_ms <= reading.high_ms < 1000
    assert reading.device == NAME
    assert set(seen) == {(GPU, f"torch.{dtype}")}
    assert {weight.device for weight in network.parameters()} == {CPU}


def test_the_device_that_trains_is_the_one_that_is_timed(gpu):
    assert timing_device(LatencyTarget()) == GPU


def test_jobs_take_the_devices_in_turn(gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert _devices(3) == ["0", "1", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert _devices(3) == ["4", "7", "4"]


SPACE = """
backbone = {name = "resnet8", arguments = {width = 8}}
image = [1, 8, 8]
[kinds.se]
"""

STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops"]
chain = [{proxy = "supernet", epochs = 1, networks = 5}, {proxy = "inherit", epochs = 1, networks = 3}, \
{proxy = "final", networks = 2}]
[data]
kind = "digits"
[recipe]
epochs = 1
batch_size = 512
[latency]
device = "cpu"
calls = 50
"""


def test_a_study_is_searched_there_and_its_best_network_leaves_for_the_cpu(gpu, make_study, tmp_path, forked_proofs):
    folder = make_study(STUDY, SPACE)
    study = nas_attn.open_study(folder)
    study.run()
    table = study.table()
    assert set(table["state"]) == {"complete"}
    trained = table[table["weights_sha256"] != ""]
    assert set(trained["device"]) == {NAME}
    assert len(trained) >= 2
    row, notes = study.export(tmp_path / "out")
    assert row["device"] == NAME
    assert not [note for note in notes if "model.pt2" in note or "model.py" in note]
    assert (tmp_path / "out" / "model.pt2").is_file()
