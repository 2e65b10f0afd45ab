import logging
import threading
from contextlib import nullcontext

import pytest
import torch

from nas_attn.data import Part, batches_in_order, training_batches
from nas_attn.data import images as images_module
from nas_attn.data.batches import prefetched
from nas_attn.settings import Recipe

CPU, META = torch.device("cpu"), torch.device("meta")
ALL = Recipe(batch_size=7, horizontal_flip=True, crop_padding=1, cutout=2)


@pytest.fixture
def part():
    pixels = torch.randint(0, 256, (60, 3, 6, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Part(pixels, torch.arange(60))


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def same(some, others):
    pairs = list(zip(some, others, strict=True))
    return all(torch.equal(one, other) for pair in pairs for one, other in zip(*pair, strict=True))


def test_streaming_shows_the_same_batches_bit_by_bit(part):
    streaming = Part(part.images, part.labels, streams_to=CPU)
    assert same(training_batches(part, ALL, 3, 1), training_batches(streaming, ALL, 3, 1))
    assert same(batches_in_order(part, 8), batches_in_order(streaming, 8))
    assert len(training_batches(streaming, ALL, 3, 1)) == 9
    assert threads() == []


def test_a_few_batches_are_made_before_they_are_needed():
    made = []
    ahead = prefetched(lambda number: made.append(number) or number, range(100))
    assert next(ahead) == 0
    ahead.close()
    assert 0 < len(made) < 10


def test_what_goes_wrong_in_the_thread_reaches_who_asks(part):
    broken = Part(part.images[:30], part.labels, streams_to=CPU)
    with pytest.raises(IndexError, match="out of bounds"):
        list(batches_in_order(broken, 20))
    assert threads() == []


def test_leaving_early_ends_the_thread(part):
    for _ in batches_in_order(Part(part.images, part.labels, streams_to=CPU), 2):
        assert threads()
        break
    for thread in threads():
        thread.join(10)
    assert threads() == []


@pytest.mark.parametrize(("free", "streams"), [(2 * 5400, False), (2 * 5400 - 1, True)])
def test_a_part_streams_where_it_would_take_more_than_half_of_what_is_free(part, free, streams, monkeypatch, caplog):
    monkeypatch.setattr(images_module, "_free_bytes", lambda device: free)
    with caplog.at_level(logging.INFO):
        there = part.to(META)
    assert there.device == META
    assert there.images.device == (CPU if streams else META)
    (message,) = caplog.messages
    assert message.startswith("60 images (0.00 GiB) " + ("stream to meta" if streams else "lie in the memory of meta"))


def test_processes_on_one_device_share_what_is_free_there(monkeypatch):
    monkeypatch.setattr(images_module, "_sharing", 1)
    for name, found in (("mem_get_info", (600, 1000)), ("memory_reserved", 300), ("memory_allocated", 100)):
        monkeypatch.setattr(torch.cuda, name, lambda device, found=found: found)
    free = [images_module._free_bytes(torch.device("cuda"))]
    images_module.share_devices(4)
    assert [*free, images_module._free_bytes(torch.device("cuda"))] == [800, 200]


def test_all_that_a_batch_copies_to_a_gpu_is_pinned_while_that_gpu_is_the_current_one(part, monkeypatch):
    current, pinned = [], []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)
    monkeypatch.setattr(torch.cuda, "device", lambda device: current.append(device) or nullcontext())
    batches = batches_in_order(Part(part.images, part.labels, streams_to=torch.device("cuda", 1)), 8)
    rows, images, labels = batches._gather(batches.rows[1])
    assert [rows.tolist(), labels.tolist()] == [list(range(8, 16))] * 2
    assert torch.equal(images, part.images[8:16])
    assert len(pinned) == 3
    assert current == [torch.device("cuda", 1)]


def test_what_streams_can_come_back(part):
    streaming = Part(part.images, part.labels, streams_to=META)
    back = streaming.to(CPU)
    assert back.streams_to is None
    assert torch.equal(back.images, part.images)


def test_on_a_cpu_all_images_lie_where_they_are(part, caplog):
    with caplog.at_level(logging.INFO):
        assert part.to(CPU) is part
    assert caplog.messages == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_sees_the_same_batches_whether_they_stream_or_lie_there(part):
    cuda = torch.device("cuda", 0)
    streaming = Part(part.images, part.labels, streams_to=cuda)
    there = part.to(cuda)
    assert there.images.device == cuda
    assert same(training_batches(there, ALL, 3, 1), training_batches(streaming, ALL, 3, 1))
    on_host = [(images.to(cuda), labels.to(cuda)) for images, labels in training_batches(part, ALL, 3, 1)]
    assert same(training_batches(there, ALL, 3, 1), on_host)
