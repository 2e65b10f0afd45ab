import sys

import numpy as np
import pytest
import torch
from PIL import Image

from nas_attn.data import load_data
from nas_attn.settings import Torchvision
from nas_attn.space import InputError


@pytest.fixture(autouse=True)
def _torchvision():
    pytest.importorskip("torchvision.datasets", exc_type=(ImportError, RuntimeError))


def write_idx(file, array):
    """An array of bytes in the format of the MNIST files: its type and rank, its shape, its bytes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">i4").tobytes()
    file.write_bytes(head + array.astype(np.uint8).tobytes())


def grey_levels(seed, count):
    """Images of one grey level each, tied to the class."""
    labels = np.random.default_rng(seed).permutation(np.arange(count) % 4)
    return np.broadcast_to(10 * labels[:, None, None], (count, 6, 5)), labels


@pytest.fixture
def mnist(tmp_path):
    """40 images that train and 12 for testing, of four of the ten classes, 5 wide and 6 high."""
    for seed, (name, count) in enumerate([("train", 40), ("t10k", 12)]):
        images, labels = grey_levels(seed, count)
        write_idx(tmp_path / "sets" / "MNIST" / "raw" / f"{name}-images-idx3-ubyte", images)
        write_idx(tmp_path / "sets" / "MNIST" / "raw" / f"{name}-labels-idx1-ubyte", labels)
    return tmp_path


@pytest.fixture
def sst(tmp_path):
    """12 colour pictures of each of two classes in each part."""
    for part in ("train", "valid", "test"):
        for name, colour in (("negative", (9, 0, 0)), ("positive", (0, 9, 0))):
            folder = tmp_path / "sets" / "rendered-sst2" / part / name
            folder.mkdir(parents=True)
            for number in range(12):
                Image.new("RGB", (6, 4), colour).save(folder / f"{number}.png")
    return tmp_path


def load(folder, name, **settings):
    return load_data(Torchvision(name=name, path="sets", **settings), folder)


def refuse(folder, name, **settings):
    with pytest.raises(InputError) as caught:
        load(folder, name, **settings)
    return str(caught.value)


def test_a_set_with_a_train_part_keeps_its_own_test_part(mnist):
    data = load(mnist, "MNIST", validation=0.25)
    assert data.image == (1, 6, 5)
    assert data.class_names == ("0 - zero", "1 - one", "2 - two", "3 - three")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [32, 8, 12]
    for part in (data.train, data.validation, data.test):
        assert part.images.dtype == torch.uint8
        assert torch.equal(part.images[:, 0, 5, 4].long(), 10 * part.labels)


def test_limit_size_and_channels_are_as_elsewhere(mnist):
    data = load(mnist, "MNIST", limit=20, image_size=3, channels=3)
    assert len(data.train) + len(data.validation) == 20
    assert data.image == (3, 3, 3)
    assert len(data.test) == 12


def test_a_set_with_splits_keeps_its_own_test_part(sst):
    data = load(sst, "RenderedSST2", validation=0.25)
    assert data.image == (3, 4, 6)
    assert data.class_names == ("negative", "positive")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [18, 6, 24]
    for part in (data.train, data.validation, data.test):
        assert torch.equal(part.images[:, 1, 0, 0].long(), 9 * part.labels)


def test_photographs_of_a_set_stand_as_their_exif_says(sst, caplog):
    exif = Image.Exif()
    exif[0x0112] = 6
    for file in (sst / "sets").rglob("*.png"):
        Image.open(file).save(file, exif=exif)
    assert load(sst, "RenderedSST2").image == (3, 6, 4)
    assert "image 0 and 23 more: turned as the EXIF orientation says" in caplog.text


def test_a_set_without_a_test_part_is_divided_into_three(tmp_path):
    for number, name in enumerate(("n01440764", "n02102040")):
        folder = tmp_path / "sets" / "imagenette2" / "train" / name
        folder.mkdir(parents=True)
        for image in range(10):
            Image.new("RGB", (4, 4), (100 * number,) * 3).save(folder / f"{image}.JPEG")
    data = load(tmp_path, "Imagenette")
    assert data.class_names == ("tench, Tinca tinca", "English springer, English springer spaniel")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [12, 4, 4]


def test_a_name_that_torchvision_does_not_know_is_reported_with_those_it_does(tmp_path):
    message = refuse(tmp_path, "CIFAR")
    assert message.startswith("data.name: found 'CIFAR'; torchvision has no set of that name")
    assert "did you mean 'CIFAR10'?" in message
    assert "STL10" in message
    assert "FakeData" not in message


def test_files_that_are_missing_are_reported_with_the_cure(tmp_path):
    assert refuse(tmp_path, "FashionMNIST").startswith(f"{tmp_path / 'sets'}: FashionMNIST cannot be read there: ")
    assert refuse(tmp_path, "CIFAR10").endswith("; set download = true, or put its files there")
    assert "torchvision cannot fetch FER2013; put its files into" in refuse(tmp_path, "FER2013", download=True)


def test_a_set_for_another_task_is_reported(tmp_path):
    (tmp_path / "sets" / "MovingMNIST").mkdir(parents=True)
    np.save(tmp_path / "sets" / "MovingMNIST" / "mnist_test_seq.npy", np.zeros((20, 3, 64, 64), dtype=np.uint8))
    assert "MovingMNIST: its images have no class each, but Tensor" in refuse(tmp_path, "MovingMNIST")


def test_without_torchvision_what_to_install_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert refuse(tmp_path, "CIFAR10") == "torchvision is not installed; pip install 'nas-attn[torchvision]'"
