"""Batches and loaders of a user's module in the forms in which people write them; others are refused in a line."""

from collections import namedtuple

import pytest
import torch
from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities import CombinedLoader
from torch.nn.functional import one_hot
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from nas_attn.assembly import build
from nas_attn.data import load_data, quiet
from nas_attn.loaders import LoaderBatches
from nas_attn.settings import DataModule, Recipe
from nas_attn.space import Architecture, InputError
from nas_attn.training import train

IMAGES = torch.rand(20, 3, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(20) % 3
Pair = namedtuple("Pair", "image label")


class Stream(IterableDataset):
    def __iter__(self):
        yield from zip(IMAGES, LABELS, strict=True)


def shares(images, labels):
    """MixUp of each image with the next one."""
    mixed = one_hot(labels, 3).float()
    return 0.75 * images + 0.25 * images.roll(1, 0), 0.75 * mixed + 0.25 * mixed.roll(1, 0)


FORMS = {
    "pair": lambda images, labels: (images, labels),
    "named": lambda images, labels: {"image": images, "label": labels},
    "hugging_face": lambda images, labels: {"pixel_values": images, "labels": labels, "path": ["a.png"]},
    "short_names": lambda images, labels: {"x": images, "y": labels},
    "target": lambda images, labels: {"img": images, "target": labels},
    "triple": lambda images, labels: (images, labels, ["a.png"]),
    "named_tuple": Pair,
    "column": lambda images, labels: (images, labels[:, None]),
    "bytes": lambda images, labels: (images, labels.byte()),
    "one_hot": lambda images, labels: (images, one_hot(labels, 3)),
    "double": lambda images, labels: (images.double(), labels),
    "mixed_up": shares,
    "odd_names": lambda images, labels: {"foo": images, "bar": labels},
    "labels_first": lambda images, labels: (labels, images),
    "channels_last": lambda images, labels: (images.permute(0, 2, 3, 1), labels),
    "real_labels": lambda images, labels: (images, labels.float()),
    "many_labels": lambda images, labels: (images, torch.ones(len(labels), 3)),
    "other_classes": lambda images, labels: (images, one_hot(labels, 4).float()),
}


class Formed(LightningDataModule):
    """A module whose batches have one of the forms, and whose loaders stand in one of the wrappings."""

    num_classes = 3

    def __init__(self, form="pair", around="alone", options=None):
        super().__init__()
        self.form, self.around, self.options = FORMS[form], around, {"batch_size": 8, **(options or {})}

    def _loader(self):
        dataset = Stream() if self.around == "stream" else TensorDataset(IMAGES, LABELS)
        return DataLoader(dataset, collate_fn=self._formed, **self.options)

    def _formed(self, many):
        return self.form(*map(torch.stack, zip(*many, strict=True)))

    def _given(self):
        one = self._loader()
        if self.around == "combined":
            with quiet():
                return CombinedLoader({"a": one}, "min_size")
        return {
            "list": [one],
            "table": {"a": one},
            "two": [one, self._loader()],
            "two_named": {"a": one, "b": self._loader()},
            "none": None,
            "empty": [],
            "batches": [(IMAGES[:8], LABELS[:8]), (IMAGES[8:], LABELS[8:])],
        }.get(self.around, one)

    def train_dataloader(self):
        return self._given()

    def val_dataloader(self):
        return self._given()


def opened(**arguments):
    return load_data(DataModule(module="test_data_user_batches:Formed", arguments=arguments), None)


def batches_of(data, stage="validating"):
    return list(LoaderBatches(data.train, 0, stage))


@pytest.mark.parametrize(
    "form",
    ["named", "hugging_face", "short_names", "target", "triple", "named_tuple", "column", "bytes", "one_hot", "double"],
)
def test_a_batch_is_images_and_labels_in_whatever_usual_form(form):
    pairs = batches_of(opened(form=form))
    assert torch.equal(torch.cat([images for images, _ in pairs]).float(), IMAGES)
    labels = torch.cat([labels for _, labels in pairs])
    assert (labels.dtype, labels.tolist()) == (torch.int64, LABELS.tolist())


@pytest.mark.parametrize("around", ["list", "table", "combined", "stream", "batches"])
def test_one_loader_is_one_whatever_is_around_it(around):
    data = opened(around=around)
    assert len(data.train) == 20
    assert torch.equal(torch.cat([images for images, _ in batches_of(data)]), IMAGES)


def test_what_is_left_alone_or_counted_is_told(caplog):
    opened(form="hugging_face")
    assert "train_dataloader: of each batch this is left alone: path" in caplog.text
    opened(form="triple")
    assert "left alone: 1 more beside images and labels" in caplog.text
    opened(around="stream")
    assert "has no length; in one pass it gave 20 images in 3 batches" in caplog.text


def test_shares_of_classes_train_by_their_cross_entropy_and_judge_by_the_likeliest():
    data = opened(form="mixed_up")
    (images, labels), *_ = batches_of(data, "training")
    expected = shares(IMAGES[:8], LABELS[:8])
    assert torch.equal(images, expected[0])
    assert torch.allclose(labels, expected[1])
    assert batches_of(data)[0][1].tolist() == expected[1].argmax(1).tolist()
    network = build(Architecture(), "resnet8", in_channels=3, classes=3)
    score = train(network, data, Recipe(epochs=1, learning_rate=0.01, label_smoothing=0.1), 0)
    assert 0 < score.train_loss < 3
    assert 0 <= score.validation["accuracy"] <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"form": "odd_names"}, "found a batch with foo, bar; allowed: one of image, .* and one of label, "),
        ({"form": "labels_first"}, r"images are int64 \(8,\)"),
        ({"form": "channels_last"}, r"images are float32 \(8, 8, 8, 3\), as if \(B, H, W, C\)"),
        ({"form": "real_labels"}, r"labels are float32 \(8,\); they must be whole numbers \(B,\), or shares"),
        ({"form": "many_labels"}, "with rows that do not add up to 1; several classes an image"),
        ({"around": "two"}, "train_dataloader: gives 2 loaders; allowed: one"),
        ({"around": "two_named"}, "gives 2 loaders"),
        ({"around": "none"}, "gives no loader"),
        ({"around": "empty"}, "gives no loader"),
        (
            {"options": {"batch_size": 64, "drop_last": True}},
            "gives no batch: drop_last = True, and too few images",
        ),
    ],
)
def test_another_form_is_refused_before_training(arguments, message):
    with pytest.raises(InputError, match=message):
        opened(**arguments)


def test_shares_of_other_classes_are_refused():
    with pytest.raises(InputError, match="labels are shares of 4 classes; allowed: of 3"):
        batches_of(opened(form="other_classes"), "training")
