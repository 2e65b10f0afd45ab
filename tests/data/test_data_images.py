import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from nas_attn.data import ImageData, Part, load_data, pixels
from nas_attn.data.images import channel_stats
from nas_attn.settings import ImageFolder
from nas_attn.space import InputError


def part(images=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shown = torch.randint(0, 256, (images, 3, 5, 4), dtype=torch.uint8, generator=generator)
    return Part(shown, torch.randint(0, 2, (images,), generator=generator))


@pytest.fixture
def data():
    train = part()
    return ImageData(train, part(8, 1), part(8, 2), ("a", "b"), *channel_stats(train.images))


def test_the_mean_colour_is_that_of_all_pixels_to_the_grey_level():
    many = part(3000)
    assert many.mean_colour.tolist() == np.rint(many.images.numpy().mean((0, 2, 3))).tolist()
    assert many.mean_colour.dtype == torch.uint8


def test_equal_data_have_one_digest_wherever_they_lie(data):
    same = ImageData(part(), part(8, 1), part(5, 9), ("a", "b"), data.mean, data.std)
    assert same.digest == data.digest
    streaming = replace(data, train=replace(data.train, streams_to=torch.device("meta")))
    assert streaming.digest == data.digest
    assert data.near(torch.device("cpu")).digest == data.digest


def test_whatever_a_network_learns_from_or_is_scored_by_changes_the_digest(data):
    def changed(part, **fields):
        new = {name: getattr(part, name).clone() for name in fields}
        for name, value in fields.items():
            new[name].view(-1)[0] = value
        return replace(part, **new)

    pixel, label = 1 - data.train.images[0, 0, 0, 0].item() // 255, 1 - data.train.labels[0].item()
    turned = replace(data.train, images=data.train.images.transpose(2, 3).reshape(20, 3, 4, 5))
    others = [
        replace(data, train=changed(data.train, images=pixel)),
        replace(data, train=changed(data.train, labels=label)),
        replace(data, validation=part(8, 3)),
        replace(data, class_names=("b", "a")),
        replace(data, train=replace(data.train, images=data.train.images.reshape(20, 3, 4, 5))),
        replace(data, train=turned),
    ]
    assert len({data.digest, *(other.digest for other in others)}) == 7


def test_data_go_to_a_device_once_and_leave_it_when_nobody_wants_them(data):
    own, meta = replace(data), torch.device("meta")
    there = weakref.ref(own.near(meta))
    gc.collect()
    assert own.near(meta) is there()
    assert there().train.device == there().validation.device == meta
    assert there().test is own.test
    del own
    gc.collect()
    assert there() is None


def test_images_that_do_not_fit_memory_are_refused_with_what_they_need(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (64, 32)).save(tmp_path / "images" / name / f"{number}.png")
    needed = 2 * 10 * 3 * 32 * 64
    source = ImageFolder(path="images")
    monkeypatch.setattr(pixels, "memory_bytes", lambda: needed)
    assert load_data(source, tmp_path).image == (3, 32, 64)
    monkeypatch.setattr(pixels, "memory_bytes", lambda: needed - 1)
    with pytest.raises(InputError, match=r"0.png is 64 x 32 pixels; reading 10 of them takes 0.0 GiB .* set a limit"):
        load_data(source, tmp_path)
    assert load_data(source.model_copy(update={"image_size": 16}), tmp_path).image == (3, 16, 16)


def test_what_no_machine_could_hold_is_refused_before_it_is_decoded():
    def images():
        yield "huge", Image.new("L", (100, 100))
        raise AssertionError("a second image was read")

    with pytest.raises(
        InputError, match=r"huge is 100 x 100 pixels; reading 1,000,000,000,000 of them takes 18,626,451.5"
    ):
        pixels.decode(images(), 10**12, 1, None)


def test_a_machine_tells_how_much_memory_it_has():
    assert pixels.memory_bytes() > 2**28
