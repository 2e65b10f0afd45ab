"""Images on one device: all of them there, streamed to it, or from a user's own loaders; labels, and lack of memory."""

import gc

import pytest
import torch
from coloured import BACKBONE, SEVERAL, coloured_data, network
from of_device import only_cuda
from small_protocol import row

from nas_attn.data import Part, batches_in_order, images, load_data, training_batches
from nas_attn.evaluation import TrainingProtocol
from nas_attn.settings import DataModule, Recipe
from nas_attn.space import InputError
from nas_attn.tasks import ImageTask
from nas_attn.training import train

pytestmark = [pytest.mark.cuda, pytest.mark.filterwarnings("default")]
RECIPE = Recipe(epochs=2, batch_size=50, horizontal_flip=True, crop_padding=2, cutout=4)


def test_images_that_stream_come_in_the_same_batches_as_those_that_lie_there_and_as_on_the_host(data, device):
    there, streaming = data.train.to(device), coloured_data(device).train.to(device)
    assert (there.streams_to, there.images.device) == (None, device)
    assert (streaming.streams_to, streaming.images.device) == (device, torch.device("cpu"))
    for make in (lambda part: training_batches(part, RECIPE, 3, 1), lambda part: batches_in_order(part, 64)):
        for host, one, other in zip(make(data.train), make(there), make(streaming), strict=True):
            for of_host, tensor, streamed in zip(host, one, other, strict=True):
                assert tensor.device == streamed.device == device
                assert torch.equal(tensor, streamed)
                assert torch.equal(tensor.cpu(), of_host)


def test_images_that_stream_train_to_the_same_end(data, device, exact):
    ends = []
    for source in (data, coloured_data(device)):
        trained = network(SEVERAL)
        ends.append((train(trained, source, RECIPE, 0, trainer=exact), trained.state_dict()))
    (one, weights), (other, streamed) = ends
    assert other.validation == pytest.approx(one.validation, rel=1e-4)
    assert other.train_loss == pytest.approx(one.train_loss, rel=1e-4)
    for name, value in weights.items():
        torch.testing.assert_close(streamed[name], value, rtol=1e-3, atol=1e-5)


@only_cuda("only a GPU says how much memory is free")
def test_free_memory_counts_what_torch_keeps_for_reuse(device):
    gc.collect()
    torch.cuda.empty_cache()
    before, size = images._free_bytes(device), 1 << 28
    taken = torch.empty(size, dtype=torch.uint8, device=device)
    assert before - images._free_bytes(device) == pytest.approx(size, rel=0.2)
    del taken
    assert images._free_bytes(device) == pytest.approx(before, abs=0.2 * size)


@only_cuda("a CPU takes all images")
@pytest.mark.parametrize(("free", "streams"), [(1.9, True), (2.1, False)])
def test_a_part_streams_where_it_would_take_more_than_half_of_what_is_free(data, device, monkeypatch, free, streams):
    gc.collect()
    torch.cuda.empty_cache()
    large = Part(torch.zeros(1 << 18, 1, 16, 16, dtype=torch.uint8), torch.zeros(1 << 18, dtype=torch.int64))
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (int(free * large.images.nbytes) - kept, 1 << 40))
    assert (large.to(device).streams_to == device) is streams


@pytest.fixture
def loaders(tmp_path, device):
    def load(**arguments):
        pinned = {"pinned": device.type == "cuda"}
        return load_data(DataModule(module="coloured:Loaders", arguments=arguments | pinned), tmp_path, device)

    return load


def test_a_users_loaders_with_workers_train_on_the_device(loaders, device, exact):
    data = loaders(workers=2)
    batches = list(batches_in_order(data.near(device).validation, 32))
    assert {(pixels.device, labels.device) for pixels, labels in batches} == {(device, device)}
    assert torch.equal(torch.cat([labels for _, labels in batches]).cpu(), coloured_data().validation.labels)
    result = train(network(), data, Recipe(epochs=6), 0, trainer=exact)
    assert result.validation["accuracy"] > 0.95


def test_a_label_without_a_class_is_refused_and_the_device_goes_on(loaders, data, device, trainer):
    with pytest.raises(InputError, match=r"Loaders: found labels from 0 to 3; allowed: from 0 to 2$"):
        train(network(), loaders(workers=0, classes=3), Recipe(epochs=1), 0, trainer=trainer)
    assert torch.ones(3, device=device).sum().item() == 3
    few = data.train.images[:4]
    for label in (-1, 4):
        with pytest.raises(ValueError, match="found labels from"):
            type(data)(Part(few, torch.tensor([0, 1, 2, label])), data.validation, data.test, data.class_names, (), ())


@only_cuda("it has no memory of its own to run out of")
def test_a_network_that_runs_out_of_memory_has_its_row_and_leaves_none_taken(data, device):
    protocol = TrainingProtocol(BACKBONE, ImageTask(data), Recipe(epochs=1), "scratch")
    assert protocol.train(row("none")).state == "complete"
    gc.collect()
    before = torch.cuda.memory_allocated(device)
    failed = protocol.train(row("stage2.block0.branch=greedy:Greedy"))
    assert (failed.state, failed.reason.startswith("out of memory: CUDA out of memory")) == ("failed", True)
    gc.collect()
    assert torch.cuda.memory_allocated(device) <= before + (1 << 20)
    assert protocol.train(row("none", seed=1)).state == "complete"
    assert torch.cuda.memory_allocated(device) <= before + (1 << 20)
