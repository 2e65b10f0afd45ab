"""Learnt measures of each task against scikit-learn, or against what a metric means by definition."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from sklearn import metrics as sk

from nas_attn.data import ImageData, Part
from nas_attn.settings import Metric, usual_measures
from nas_attn.settings.metrics import metric_measure, short_names
from nas_attn.space import InputError
from nas_attn.training.metrics import Judges

IMAGES, CLASSES = 64, 7


def data(task, labels, classes=CLASSES, **more):
    part = Part(torch.zeros(len(labels), 1, 4, 6, dtype=torch.uint8), labels)
    measures = tuple({one.name: one for one in (*usual_measures(task), *short_names(task).values())}.values())
    given = {"measures": measures, **more}
    return ImageData(part, part, part, tuple(map(str, range(classes))), (0.0,), (1.0,), task=task, **given)


def found(images, outputs, batch=10):
    """The measures of outputs that come in batches."""
    judges = Judges(images)
    for rows in torch.arange(len(outputs)).split(batch):
        judges.update(outputs[rows], images.train.labels[rows])
    return judges.compute()


@pytest.fixture
def scores():
    """Scores of a network that has learnt a little, all between 0 and 1, as if they were probabilities."""
    rng = np.random.default_rng(0)
    labels = np.arange(IMAGES) % CLASSES
    outputs = rng.uniform(size=(IMAGES, CLASSES)) * 0.7
    outputs[np.arange(IMAGES), labels] += 0.3
    return outputs.astype(np.float32), labels


def test_classification(scores):
    outputs, labels = scores
    shares = softmax(outputs.astype(np.float64), axis=1)
    chosen = outputs.argmax(1)
    one_hot = np.eye(CLASSES)[labels]
    bins = np.minimum((shares.max(1) * 15).astype(int), 14)
    gaps = [
        abs((chosen == labels)[bins == one].mean() - shares.max(1)[bins == one].mean()) * (bins == one).mean()
        for one in np.unique(bins)
    ]
    expected = {
        "accuracy": sk.accuracy_score(labels, chosen),
        "loss": sk.log_loss(labels, shares),
        "top5": sk.top_k_accuracy_score(labels, outputs, k=5),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, chosen),
        "f1_macro": sk.f1_score(labels, chosen, average="macro"),
        "precision_macro": sk.precision_score(labels, chosen, average="macro"),
        "recall_macro": sk.recall_score(labels, chosen, average="macro"),
        "auroc": sk.roc_auc_score(labels, shares, multi_class="ovr"),
        "average_precision": sk.average_precision_score(one_hot, shares),
        "calibration_error": sum(gaps),
    }
    assert found(data("classification", torch.tensor(labels)), torch.tensor(outputs)) == pytest.approx(
        expected, rel=1e-4
    )


def test_scores_between_0_and_1_in_one_batch_are_still_no_probabilities(scores):
    """By itself torchmetrics takes a batch of them for probabilities, and another for logits."""
    outputs, labels = scores
    outputs[0] *= 20
    expected = sk.roc_auc_score(labels, softmax(outputs.astype(np.float64), axis=1), multi_class="ovr")
    judged = found(data("classification", torch.tensor(labels)), torch.tensor(outputs))
    assert judged["auroc"] == pytest.approx(expected, rel=1e-4)


def test_of_two_classes_a_binary_metric_judges_the_second():
    rng = np.random.default_rng(1)
    labels, outputs = rng.integers(0, 2, IMAGES), rng.normal(size=(IMAGES, 2)).astype(np.float32)
    said = Metric(metric="torchmetrics.classification:BinaryAveragePrecision")
    measures = (metric_measure("ap", said, "classification"),)
    judged = found(data("classification", torch.tensor(labels), 2, measures=measures), torch.tensor(outputs))
    expected = sk.average_precision_score(labels, outputs[:, 1] - outputs[:, 0])
    assert judged["ap"] == pytest.approx(expected, rel=1e-5)


def test_multilabel():
    rng = np.random.default_rng(2)
    labels = (rng.uniform(size=(IMAGES, CLASSES)) < 0.3).astype(np.uint8)
    outputs = (rng.normal(size=(IMAGES, CLASSES)) + labels).astype(np.float32)
    shares, chosen = expit(outputs.astype(np.float64)), outputs > 0
    expected = {
        "average_precision": sk.average_precision_score(labels, shares, average="macro"),
        "loss": np.mean([sk.log_loss(labels[:, one], shares[:, one]) for one in range(CLASSES)]),
        "accuracy": (chosen == labels).mean(),
        "exact_match": (chosen == labels).all(1).mean(),
        "f1_macro": sk.f1_score(labels, chosen, average="macro"),
        "precision_macro": sk.precision_score(labels, chosen, average="macro"),
        "recall_macro": sk.recall_score(labels, chosen, average="macro"),
        "auroc": sk.roc_auc_score(labels, shares, average="macro"),
    }
    assert found(data("multilabel", torch.tensor(labels)), torch.tensor(outputs)) == pytest.approx(expected, rel=1e-4)


def test_segmentation_of_maps_half_as_large_as_the_masks_with_void_pixels():
    rng = np.random.default_rng(3)
    masks = rng.integers(0, CLASSES, (IMAGES, 4, 6)).astype(np.uint8)
    coarse = torch.tensor(rng.normal(size=(IMAGES, CLASSES, 2, 3)), dtype=torch.float32)
    fine = torch.nn.Upsample(size=(4, 6), mode="bilinear", align_corners=False)(coarse).numpy()
    masks[:, 0, :2] = 255
    counts = masks != 255
    chosen, wanted = fine.argmax(1)[counts], masks[counts]
    expected = {
        "mean_iou": sk.jaccard_score(wanted, chosen, average="macro"),
        "loss": sk.log_loss(wanted, softmax(fine.transpose(0, 2, 3, 1)[counts].astype(np.float64), axis=1)),
        "dice": sk.f1_score(wanted, chosen, average="macro"),
        "pixel_accuracy": (wanted == chosen).mean(),
    }
    assert found(data("segmentation", torch.tensor(masks)), coarse) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("values", [1, 3])
def test_regression_in_the_units_of_the_values(values):
    rng = np.random.default_rng(4)
    mean, std = rng.uniform(10, 90, values), rng.uniform(1, 30, values)
    labels = (rng.normal(size=(IMAGES, values)) * std + mean).astype(np.float32)
    outputs = rng.normal(size=(IMAGES, values)).astype(np.float32)
    said = outputs * std + mean
    expected = {
        "mae": sk.mean_absolute_error(labels, said),
        "loss": (((labels - mean) / std - outputs) ** 2).mean(),
        "rmse": np.sqrt(((labels - said) ** 2).mean()),
        "r2": sk.r2_score(labels, said),
    }
    stats = {"target_mean": tuple(mean.tolist()), "target_std": tuple(std.tolist())}
    judged = found(data("regression", torch.tensor(labels), values, **stats), torch.tensor(outputs))
    judged.pop("train_loss", None)
    assert judged == pytest.approx(expected, rel=1e-4)


def test_the_first_of_several_outputs_counts(scores):
    outputs, labels = map(torch.tensor, scores)
    judges, images = Judges(data("classification", labels)), data("classification", labels)
    judges.update({"out": outputs, "aux": -outputs}, labels)
    assert judges.compute() == pytest.approx(found(images, outputs))


@pytest.mark.parametrize(
    ("task", "shape", "allowed"),
    [
        ("classification", (IMAGES, CLASSES, 2, 2), r"allowed: \(B, 7\), a score of each class"),
        ("segmentation", (IMAGES, CLASSES), r"allowed: \(B, 7, h, w\)"),
        ("multilabel", (IMAGES, 8), r"\(B, 7\), a score of each label"),
        ("regression", (IMAGES,), r"\(B, 7\), a number for each value"),
    ],
)
def test_an_output_of_another_shape_is_refused_with_the_one_that_is_needed(task, shape, allowed):
    images = replace(data("classification", torch.zeros(IMAGES, dtype=torch.int64)), measures=())
    object.__setattr__(images, "task", task)
    with pytest.raises(InputError, match=allowed):
        Judges(images).update(torch.zeros(shape), images.train.labels)


def test_a_metric_that_gives_several_numbers_is_refused_with_the_cure(scores):
    outputs, labels = map(torch.tensor, scores)
    said = Metric(metric="f1_macro", arguments={"average": "none"})
    images = data("classification", labels, measures=(metric_measure("f1", said, "classification"),))
    with pytest.raises(InputError, match=r"metrics\.f1: .* gives 7 numbers; allowed: one, as with average = 'macro'"):
        found(images, outputs)


def test_the_256th_of_many_classes_counts_as_any_other():
    labels = torch.full((IMAGES,), 255)
    outputs = torch.zeros(IMAGES, 300)
    judged = found(data("classification", labels, 300, measures=()), outputs)
    assert judged["loss"] == pytest.approx(np.log(300))
    assert judged["accuracy"] == 0
