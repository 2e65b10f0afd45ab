import itertools
import random

import numpy as np
import pytest
import torch

from nas_attn.data import ImageData, Part, RngState, batches_in_order, load_data, reduced, training_batches
from nas_attn.settings import DataModule, Recipe
from nas_attn.space import InputError
from nas_attn.training import Normalise, score, train

SOURCE = """
import random
import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

CALLS = []

class Pixels(Dataset):
    def __init__(self, count, floating, noisy=False):
        self.count, self.floating, self.noisy = count, floating, noisy
    def __len__(self):
        return self.count
    def __getitem__(self, row):
        image = torch.full((1, 8, 8), 20 * (row % 3), dtype=torch.uint8)
        if self.floating:
            image = image / 20 - 1
            if self.noisy:
                image = image + 0.1 * (torch.rand(()) + random.random() + np.random.rand() - 1.5)
        return image.float() if self.floating else image, row % 3

class Module(pl.LightningDataModule):
    def __init__(self, floating=True, workers=0, generator=False, size=7):
        super().__init__()
        self.floating, self.workers, self.size = floating, workers, size
        self.generator = torch.Generator() if generator else None
    def prepare_data(self):
        CALLS.append("prepare_data")
    def setup(self, stage):
        CALLS.append(f"setup {stage}")
    def train_dataloader(self):
        data = Pixels(40, self.floating, noisy=True)
        return DataLoader(data, self.size, shuffle=True, num_workers=self.workers, generator=self.generator)
    def val_dataloader(self):
        return DataLoader(Pixels(12, self.floating), 5)

class Tested(Module):
    num_classes = 3
    def test_dataloader(self):
        return DataLoader(Pixels(9, self.floating), 4)

class Mislabelled(Tested):
    num_classes = 2

class Named(Module):
    class_names = ["a", "b", "c"]
    mean, std = [0.5], [0.25]

class Plain(pl.LightningDataModule):
    pass

class NoValidation(Plain):
    train_dataloader = Module.train_dataloader

class Miscounted(Named):
    num_classes = 4

class Broken(Module):
    def setup(self, stage):
        raise KeyError("no such column")

class Odd(Module):
    def __init__(self, batch):
        super().__init__()
        self.batch = batch
    def train_dataloader(self):
        images, labels = torch.zeros(2, 1, 8, 8), torch.zeros(2, dtype=torch.int64)
        return {
            "single": [images],
            "flat": [(images[:, 0], labels)],
            "whole": [(images.int(), labels)],
            "floating": [(images, labels.float())],
            "short": [(images, labels[:1])],
            "empty": [],
        }[self.batch]

class Wider(Module):
    def val_dataloader(self):
        return [(torch.zeros(2, 1, 8, 9), torch.zeros(2, dtype=torch.int64))]
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The name of a module of Python that holds data modules; no other test sees it."""
    name = f"own_data_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.fixture
def load(home, tmp_path):
    def load(name="Module", **arguments):
        return load_data(DataModule(module=f"{home}:{name}", arguments=arguments), tmp_path)

    return load


def shown(batches):
    return [(images.tolist(), labels.tolist()) for images, labels in batches]


def test_the_loaders_are_used_as_they_are(load):
    data = load("Tested")
    assert data.image == (1, 8, 8)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [40, 12, 9]
    batches = training_batches(data.train, Recipe(batch_size=64), 0, 0)
    assert len(batches) == 6
    assert [len(labels) for _, labels in batches] == [7, 7, 7, 7, 7, 5]
    (images, labels), *_ = scored = list(batches_in_order(data.validation, 64))
    assert [len(labels) for _, labels in scored] == [5, 5, 2]
    assert labels.dtype == torch.int64
    assert images[:, 0, 0, 0].tolist() == [-1, 0, 1, -1, 0]


@pytest.mark.parametrize("arguments", [{}, {"generator": True}, {"workers": 1}], ids=str)
def test_seed_and_epoch_fix_order_and_augmentation_whatever_others_draw(load, arguments):
    part = load(**arguments).train
    first = shown(training_batches(part, Recipe(), 3, 1))
    random.random(), np.random.rand(), torch.rand(3)
    again = []
    for images, labels in training_batches(part, Recipe(), 3, 1):
        again.append((images.tolist(), labels.tolist()))
        random.random(), np.random.rand(), torch.rand(3)
    assert again == first
    assert shown(training_batches(part, Recipe(), 3, 2)) != first
    assert shown(training_batches(part, Recipe(), 4, 1)) != first


def test_the_random_state_of_others_goes_on_as_if_nothing_had_happened(load):
    def draw():
        return random.random(), np.random.rand(), torch.rand(()).item()

    def seed():
        random.seed(5), np.random.seed(5), torch.manual_seed(5)

    seed()
    expected = draw()
    seed()
    data = load(floating=False)
    next(iter(training_batches(data.train, Recipe(), 0, 0)))
    list(batches_in_order(data.validation, 8))
    assert draw() == expected


def test_a_random_state_apart_draws_as_one_that_is_seeded_and_hands_nothing_in_or_out():
    def draw():
        return random.random(), np.random.randn(), np.random.randint(1000), torch.rand(()).item()

    def seed(number):
        random.seed(number), np.random.seed(number), torch.manual_seed(number)

    seed(7)
    expected = [draw() for _ in range(4)]
    seed(5)
    np.random.rand()
    outside = [np.random.rand(), random.random(), torch.rand(()).item()]
    seed(5)
    np.random.rand()
    state = RngState(7)
    with state.active():
        inside = [draw() for _ in range(2)]
    assert outside == [np.random.rand(), random.random(), torch.rand(()).item()]
    np.random.randn()  # draws two and keeps one, which is not the other state's
    with state.active():
        inside += [draw() for _ in range(2)]
        np.random.seed(9)
    assert inside == expected
    assert np.random.get_state()[1][0] != np.random.RandomState(9).get_state()[1][0]


def test_preparing_and_setting_up_happen_once_as_lightning_does(load, home):
    load("Tested")
    calls = __import__(home).CALLS
    assert calls == ["prepare_data", "setup fit", "setup test"]
    calls.clear()
    load("Module")
    assert calls == ["prepare_data", "setup fit"]


def test_without_test_images_the_validation_part_stands_in_which_is_said(load, caplog):
    data = load()
    assert data.test is data.validation
    assert "its validation part stands in for a test part" in caplog.text


def test_classes_are_named_by_the_module_or_counted(load):
    assert load().class_names == ("0", "1", "2")
    assert load("Tested").class_names == ("0", "1", "2")
    assert load("Named").class_names == ("a", "b", "c")


def test_floating_images_go_into_a_network_as_they_are(load):
    data = load("Named")
    assert (data.mean, data.std) == ((0.0,), (1.0,))
    images = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    assert torch.equal(Normalise(data)(images), images.float())


def test_pixels_are_normalised_by_what_the_module_says_or_the_train_loader_shows(load):
    declared, found = load("Named", floating=False), load(floating=False)
    assert (declared.mean, declared.std) == ((0.5,), (0.25,))
    levels = np.array([20 * (row % 3) for row in range(40)]) / 255
    assert found.mean == pytest.approx((levels.mean(),))
    assert found.std == pytest.approx((levels.std(),))
    images = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    assert torch.allclose(Normalise(declared)(images), (images / 255 - 0.5) / 0.25, atol=1e-5)


def test_a_network_learns_from_a_module(load, small_network):
    data = load("Tested")
    network = small_network()
    result = train(network, data, Recipe(epochs=4, learning_rate=0.02), seed=0)
    assert result.validation["accuracy"] > 0.9
    assert score(network, data.test, data, 64)["accuracy"] > 0.9


def test_the_digest_knows_arguments_and_source(load, home, tmp_path):
    digests = [load().digest, load(size=8).digest, load("Tested").digest]
    assert len(set(digests)) == 3
    assert load().digest == digests[0]
    assert load().near(torch.device("meta")).digest == digests[0]
    with (tmp_path / f"{home}.py").open("a") as file:
        file.write("# another remark")
    assert load().digest != digests[0]


def test_fewer_or_smaller_images_are_refused(load):
    data = load()
    assert reduced(data, 1, 1) is data
    for share, resolution, message in ((0.5, 1, "data_share = 0.5"), (1, 0.5, "resolution = 0.5")):
        with pytest.raises(InputError, match=f"found {message} for a data module"):
            reduced(data, share, resolution)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Plain", {}, "has no train_dataloader of its own"),
        ("NoValidation", {}, "has no val_dataloader of its own"),
        ("Pixels", {"count": 3, "floating": True}, "has no prepare_data; it must be a LightningDataModule"),
        ("Module", {"flat": 3}, "it failed: TypeError: .* unexpected keyword argument 'flat'"),
        ("Broken", {}, "setup failed: KeyError: 'no such column'"),
        ("Miscounted", {}, "num_classes is 4, but class_names has 3"),
        (
            "Odd",
            {"batch": "single"},
            "found a batch of type Tensor; each batch must begin with two tensors",
        ),
        ("Odd", {"batch": "flat"}, r"images are float32 \(2, 8, 8\); they must be \(B, C, H, W\)"),
        ("Odd", {"batch": "whole"}, r"images are int32 \(2, 1, 8, 8\)"),
        ("Odd", {"batch": "floating"}, r"labels are float32 \(2,\); they must be whole numbers \(B,\)"),
        ("Odd", {"batch": "short"}, r"labels are int64 \(1,\)"),
        ("Odd", {"batch": "empty"}, "train_dataloader: gives no loader"),
        ("Wider", {}, r"val_dataloader: images are float32 \(2, 1, 8, 9\), but float32 \(7, 1, 8, 8\)"),
    ],
)
def test_what_is_missing_is_reported(load, home, name, arguments, message):
    with pytest.raises(InputError, match=f"^{home}:{name}: .*{message}"):
        load(name, **arguments)


def test_a_label_without_a_class_ends_the_training_and_is_no_fault_of_the_network(load, small_network):
    with pytest.raises(InputError, match=r"Mislabelled: found labels from 0 to 2; allowed: from 0 to 1$"):
        train(small_network(), load("Mislabelled"), Recipe(epochs=1), seed=0)


@pytest.mark.parametrize("label", [-1, 3])
def test_images_in_memory_with_a_label_without_a_class_are_refused(label):
    part = Part(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, label]))
    with pytest.raises(ValueError, match=r"found labels from .*; allowed: from 0 to 2"):
        ImageData(part, part, part, ("a", "b", "c"), (0.5,), (0.5,))


def test_a_module_that_is_not_there_is_reported(tmp_path, home):
    with pytest.raises(InputError, match="nowhere cannot be imported"):
        load_data(DataModule(module="nowhere:Module"), tmp_path)
    with pytest.raises(InputError, match="has no 'Modul'; did you mean 'Module'"):
        load_data(DataModule(module=f"{home}:Modul"), tmp_path)


def test_leaving_a_loader_early_is_no_trouble(load):
    batches = training_batches(load().train, Recipe(), 0, 0)
    assert len(list(itertools.islice(batches, 2))) == 2
    assert len(list(batches)) == 6
