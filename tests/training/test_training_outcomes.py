"""What each image gets, against the definition of each measure for one image."""

import numpy as np
import pytest
import torch
from scipy.special import expit, log_expit, log_softmax

from nas_attn.data import ImageData, Part
from nas_attn.settings import Metric, usual_measures
from nas_attn.settings.metrics import metric_measure, short_names
from nas_attn.training.metrics import Judges

IMAGES, CLASSES = 60, 6


def gathered(task, labels, outputs, classes=CLASSES, measures=(), **more):
    """What each image got of outputs that come in batches after a pass that does not count, and the measures."""
    part = Part(torch.zeros(len(labels), 1, 4, 6, dtype=torch.uint8), torch.tensor(labels))
    every = {one.name: one for one in (*usual_measures(task), *short_names(task).values(), *measures)}
    names = tuple(map(str, range(classes)))
    images = ImageData(part, part, part, names, (0.0,), (1.0,), task=task, measures=tuple(every.values()), **more)
    judges = Judges(images, gathering=True)
    for rows in [torch.arange(5), None, *torch.arange(len(outputs)).split(11)]:
        if rows is None:
            judges.reset()
        else:
            judges.update(torch.tensor(outputs)[rows], part.labels[rows])
    measured = judges.compute()
    return judges.gathered.read(measured, "images"), measured


def check(found, measured, expected):
    assert found.values.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found.values[name], values, rtol=1e-5, atol=1e-6)
        assert measured[name] == pytest.approx(values.mean(), rel=1e-5)


def test_classification():
    rng = np.random.default_rng(0)
    labels, outputs = rng.integers(0, CLASSES, IMAGES), rng.normal(size=(IMAGES, CLASSES)).astype(np.float32)
    outputs[np.arange(IMAGES), labels] += 1
    found, measured = gathered("classification", labels, outputs)
    ranks = (outputs > outputs[np.arange(IMAGES), labels][:, None]).sum(1)
    loss = -log_softmax(outputs.astype(np.float64), axis=1)[np.arange(IMAGES), labels]
    check(found, measured, {"accuracy": ranks < 1, "top5": ranks < 5, "loss": loss})
    assert found.values["accuracy"].dtype == found.values["top5"].dtype == bool
    assert np.float32(found.values["accuracy"].mean()) == np.float32(measured["accuracy"])
    assert (found.classes == labels).all()


def test_several_labels():
    rng = np.random.default_rng(1)
    labels = (rng.uniform(size=(IMAGES, CLASSES)) < 0.2).astype(np.uint8)
    outputs = (rng.normal(size=(IMAGES, CLASSES)) + 3 * labels - 2).astype(np.float32)
    found, measured = gathered("multilabel", labels, outputs)
    loss = -np.where(labels, log_expit(outputs), log_expit(-outputs)).mean(1)
    check(found, measured, {"loss": loss, "exact_match": ((expit(outputs) > 0.5) == labels).all(1)})
    assert len(found.classes) == 0


def test_masks_with_void_pixels():
    rng = np.random.default_rng(2)
    masks = rng.integers(0, CLASSES, (IMAGES, 4, 6)).astype(np.uint8)
    masks[:20, :2] = 255
    masks[20, :] = 255
    outputs = rng.normal(size=(IMAGES, CLASSES, 4, 6)).astype(np.float32)
    found, measured = gathered("segmentation", masks, outputs)
    counts = masks != 255
    wanted = np.where(counts, masks, 0)[:, None]
    loss = -np.take_along_axis(log_softmax(outputs.astype(np.float64), axis=1), wanted, axis=1)[:, 0]
    mean_pixels = counts.sum() / IMAGES
    check(
        found,
        measured,
        {
            "loss": (loss * counts).sum((1, 2)) / mean_pixels,
            "pixel_accuracy": ((outputs.argmax(1) == masks) & counts).sum((1, 2)) / mean_pixels,
        },
    )


@pytest.mark.parametrize("values", [1, 3])
def test_numbers(values):
    rng = np.random.default_rng(3)
    mean, std = rng.uniform(10, 90, values), rng.uniform(1, 30, values)
    labels = (rng.normal(size=(IMAGES, values)) * std + mean).astype(np.float32)
    outputs = rng.normal(size=(IMAGES, values)).astype(np.float32)
    stats = {"target_mean": tuple(mean.tolist()), "target_std": tuple(std.tolist())}
    found, measured = gathered("regression", labels, outputs, values, **stats)
    errors = outputs * std + mean - labels
    check(found, measured, {"mae": np.abs(errors).mean(1), "loss": ((errors / std) ** 2).mean(1)})


def test_a_metric_that_is_no_mean_over_images_is_not_taken_for_one():
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(CLASSES), [2, 4, 6, 10, 14, 24])
    outputs = rng.normal(size=(IMAGES, CLASSES)).astype(np.float32) + 2 * np.eye(CLASSES, dtype=np.float32)[0]
    said = Metric(metric="torchmetrics.classification:MulticlassAccuracy", arguments={"average": "macro"})
    found, measured = gathered(
        "classification", labels, outputs, measures=[metric_measure("m", said, "classification")]
    )
    assert "m" in measured
    assert found.values.keys() == {"accuracy", "top5", "loss"}


def test_the_order_of_images_is_part_of_their_digest():
    rng = np.random.default_rng(5)
    labels, outputs = np.arange(CLASSES), rng.normal(size=(CLASSES, CLASSES)).astype(np.float32)
    digests = [
        gathered("classification", labels[order], outputs)[0].images for order in ([*range(6)], [1, 0, 2, 3, 4, 5])
    ]
    assert digests[0] != digests[1]
    assert gathered("classification", labels, outputs + 1)[0].images == digests[0]
