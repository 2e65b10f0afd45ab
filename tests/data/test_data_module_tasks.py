"""A user's own loaders with labels of other tasks, in the forms in which people write them."""

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset

from nas_attn.data import batches_in_order, fingerprint, load_data, training_batches
from nas_attn.settings import VOID, DataModule, Recipe
from nas_attn.space import InputError

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.rand(20, 3, 6, 8, generator=GENERATOR)
TAGS = torch.randint(0, 2, (20, 3), generator=GENERATOR)
MASKS = torch.randint(0, 3, (20, 6, 8), generator=GENERATOR)
MASKS[0, 0, 0] = VOID
POINTS = torch.randn(20, 2, generator=GENERATOR) * torch.tensor([3.0, 0.1]) + 100
FORMS = {
    "int64": lambda images: (images, TAGS),
    "floating": lambda images: (images, TAGS.float()),
    "bool": lambda images: {"image": images, "labels": TAGS.bool()},
    "twos": lambda images: (images, 2 * TAGS),
    "alone": lambda images: (images, TAGS[:, 0]),
    "masks": lambda images: (images, MASKS),
    "bytes": lambda images: (images, MASKS.byte()),
    "channel": lambda images: (images, MASKS[:, None]),
    "torch_void": lambda images: (images, MASKS.where(MASKS != VOID, -100)),
    "albumentations": lambda images: {"image": images, "mask": MASKS},
    "both": lambda images: {"pixel_values": images, "masks": MASKS, "label": TAGS[:, 0]},
    "segformer": lambda images: {"pixel_values": images, "labels": MASKS},
    "monai": lambda images: {"image": images, "label": MASKS[:, None].float()},
    "real_masks": lambda images: (images, MASKS.float() / 255),
    "small_masks": lambda images: (images, MASKS[:, :3, :4]),
    "beyond": lambda images: (images, MASKS.where(MASKS != 2, 7)),
    "points": lambda images: (images, POINTS),
    "double": lambda images: {"x": images, "y": POINTS.double()},
    "one": lambda images: (images, POINTS[:, 0]),
    "whole": lambda images: {"image": images, "value": torch.arange(20)},
    "same": lambda images: (images, torch.full((20, 2), 4.0)),
    "endless": lambda images: (images, POINTS / 0),
}


class Formed(LightningDataModule):
    """A module whose batches have one of the forms."""

    def __init__(self, form, classes=None, names=None):
        super().__init__()
        self.form = form
        if classes is not None:
            self.num_classes = classes
        if names is not None:
            self.class_names = names

    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.arange(20)), batch_size=8, collate_fn=self._formed)

    def val_dataloader(self):
        return self.train_dataloader()

    def _formed(self, many):
        rows = torch.stack([row for (row,) in many])
        batch = FORMS[self.form](IMAGES)
        return {k: v[rows] for k, v in batch.items()} if isinstance(batch, dict) else [one[rows] for one in batch]


def opened(task, form, **arguments):
    source = DataModule(module="test_data_module_tasks:Formed", arguments={"form": form, **arguments})
    return load_data(source, None, task=task)


def labels_of(part):
    return torch.cat([labels for _, labels in batches_in_order(part, 1)])


def refuse(task, form, **arguments):
    with pytest.raises(InputError) as caught:
        labels_of(opened(task, form, **arguments).train)
    return str(caught.value)


@pytest.mark.parametrize("form", ["int64", "floating", "bool"])
def test_any_number_of_labels_becomes_0_and_1_of_eight_bits(form):
    data = opened("multilabel", form)
    assert (data.task, data.class_names) == ("multilabel", ("0", "1", "2"))
    labels = labels_of(data.train)
    assert labels.dtype == torch.uint8
    assert torch.equal(labels, TAGS.byte())
    assert opened("multilabel", form, names=["a", "b", "c"]).class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    "form", ["masks", "bytes", "channel", "torch_void", "albumentations", "both", "segformer", "monai"]
)
def test_masks_become_eight_bits_with_one_void(form):
    data = opened("segmentation", form)
    assert data.class_names == ("0", "1", "2")
    labels = labels_of(data.validation)
    assert labels.dtype == torch.uint8
    assert torch.equal(labels, MASKS.byte())
    trained = torch.cat([labels for _, labels in training_batches(data.train, Recipe(), 0, 0)])
    assert trained.dtype == torch.uint8
    assert torch.equal(trained, MASKS.byte())


@pytest.mark.parametrize(
    ("form", "expected"),
    [("points", POINTS), ("double", POINTS), ("one", POINTS[:, :1]), ("whole", torch.arange(20)[:, None])],
)
def test_values_become_single_precision_with_their_statistics(form, expected):
    data = opened("regression", form)
    labels = labels_of(data.train)
    assert labels.dtype == torch.float32
    assert torch.equal(labels, expected.float())
    values = expected.double().numpy()
    assert np.allclose(data.target_mean, values.mean(0), rtol=1e-6)
    assert np.allclose(data.target_std, values.std(0), rtol=1e-5)
    assert data.class_names == tuple(map(str, range(expected.shape[1])))


@pytest.mark.parametrize(
    ("task", "form", "arguments", "message"),
    [
        ("multilabel", "twos", {}, "labels are int64 (8, 3) from 0 to 2; they must be 0 and 1 (B, labels)"),
        ("multilabel", "alone", {}, "labels are int64 (8,); they must be 0 and 1 (B, labels)"),
        ("multilabel", "int64", {"classes": 4}, "Formed: labels are 3 an image; allowed: 4"),
        (
            "segmentation",
            "real_masks",
            {},
            "masks are float32 (8, 6, 8) with fractions; they must be whole numbers (B, H, W)",
        ),
        ("segmentation", "small_masks", {}, "masks are int64 (8, 3, 4) for images (8, 3, 6, 8)"),
        ("segmentation", "beyond", {"classes": 3}, "found labels from 0 to 7; allowed: from 0 to 2, or 255 for none"),
        ("segmentation", "masks", {"classes": 1}, "has 1 class; there must be two or more; the background is one"),
        ("regression", "same", {}, "value 0 of each label is 4 in every image; leave it out"),
        ("regression", "endless", {}, "and not all finite; they must be finite numbers"),
        ("regression", "points", {"classes": 3}, "names 3 values, but the train loader gives 2"),
        ("regression", "masks", {}, "labels are int64 (8, 6, 8); they must be numbers (B,) or (B, values)"),
        ("classification", "masks", {}, "they must be whole numbers (B,), or shares of the classes (B, classes)"),
    ],
)
def test_labels_of_another_task_are_refused_with_what_was_found(task, form, arguments, message):
    assert message in refuse(task, form, **arguments)


@pytest.mark.parametrize(
    ("task", "form"), [("multilabel", "int64"), ("segmentation", "masks"), ("regression", "points")]
)
def test_a_fingerprint_takes_labels_in(task, form, monkeypatch):
    before = fingerprint(opened(task, form))
    assert before == fingerprint(opened(task, form))
    whole = {"multilabel": "TAGS", "segmentation": "MASKS", "regression": "POINTS"}[task]
    changed = globals()[whole].clone()
    changed[4].view(-1)[0] = 1 - changed[4].view(-1)[0].clamp(0, 1)
    monkeypatch.setitem(FORMS, form, lambda images: (images, changed))
    assert fingerprint(opened(task, form)) != before
