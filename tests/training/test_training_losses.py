"""Losses of a recipe, each against that of a library or a restatement in NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from nas_attn.data import Part
from nas_attn.settings import Recipe
from nas_attn.space import InputError
from nas_attn.training import score, train
from nas_attn.training.losses import TrainingLoss, class_weights

LISTED = (0.5, 1, 2, 3, 0, 1, 1, 4, 1, 0.25)


@pytest.fixture
def logits():
    return 3 * torch.randn(40, 10, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels():
    return torch.randint(0, 10, (40,), generator=torch.Generator().manual_seed(2))


@pytest.fixture
def shares():
    return torch.rand(40, 10, generator=torch.Generator().manual_seed(3)).softmax(1)


@pytest.fixture
def skewed(digits):
    """The digits with a third of the ones left, and two of the sevens."""
    labels = digits.train.labels
    ones, sevens = torch.nonzero(labels == 1).flatten(), torch.nonzero(labels == 7).flatten()
    kept = torch.ones(len(labels), dtype=torch.bool)
    kept[ones[::3]] = kept[ones[1::3]] = kept[sevens[2:]] = False
    return replace(digits, train=Part(digits.train.images[kept], labels[kept]))


def the_loss(data, **said):
    return TrainingLoss(Recipe(**said), data)


def test_balanced_weights_are_those_of_sklearn(skewed):
    labels = skewed.train.labels.numpy()
    expected = compute_class_weight("balanced", classes=np.arange(10), y=labels)
    found = class_weights(Recipe(class_weights="balanced"), skewed)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    assert found[7] > 10 * found[0]


def test_weights_are_one_a_class_or_refused_with_both_numbers(digits, skewed):
    assert class_weights(Recipe(), digits) is None
    assert class_weights(Recipe(class_weights=LISTED), digits).tolist() == list(LISTED)
    with pytest.raises(InputError, match=r"^recipe.class_weights: found 3 numbers; the data have 10 classes$"):
        the_loss(digits, class_weights=(1, 2, 3))
    kept = skewed.train.labels != 4
    without = replace(skewed, train=Part(skewed.train.images[kept], skewed.train.labels[kept]))
    with pytest.raises(InputError, match=r"^recipe.class_weights: found 'balanced', but 4 has no training image$"):
        the_loss(without, class_weights="balanced")


@pytest.mark.parametrize("weights", [None, LISTED])
def test_cross_entropy_is_that_of_torch_bit_by_bit_also_with_shares(digits, logits, labels, shares, weights):
    of_torch = nn.CrossEntropyLoss(weights and torch.tensor(weights), label_smoothing=0.2)
    found = the_loss(digits, label_smoothing=0.2, class_weights=weights)
    assert torch.equal(found(logits, labels), of_torch(logits, labels))
    assert torch.equal(found(logits, shares), of_torch(logits, shares))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("weights", [None, LISTED])
def test_the_focal_loss_is_that_of_its_paper(digits, logits, labels, gamma, weights):
    numbers = logits.double().numpy()
    right = np.exp(numbers)[np.arange(40), labels] / np.exp(numbers).sum(1)
    each = -((1 - right) ** gamma) * np.log(right)
    alpha = np.ones(40) if weights is None else np.array(weights)[labels]
    found = the_loss(digits, loss="focal", focal_gamma=gamma, class_weights=weights)(logits, labels)
    assert float(found) == pytest.approx((alpha * each).sum() / alpha.sum(), rel=1e-5)


@pytest.mark.parametrize("weights", [None, LISTED])
def test_the_focal_loss_of_gamma_0_is_cross_entropy(digits, logits, labels, weights):
    found, usual = (the_loss(digits, **one, class_weights=weights)(logits, labels) for one in (FOCAL_0, {}))
    torch.testing.assert_close(found, usual)


FOCAL_0 = {"loss": "focal", "focal_gamma": 0}


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_the_focal_loss_has_a_slope_where_all_is_right(digits, gamma):
    logits = torch.zeros(2, 10).index_fill(1, torch.tensor([3]), 200.0).requires_grad_()
    the_loss(digits, loss="focal", focal_gamma=gamma)(logits, torch.tensor([3, 3])).backward()
    assert torch.equal(logits.grad, torch.zeros(2, 10))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_binary_cross_entropy_is_that_of_timm(digits, logits, labels, smoothing):
    of_timm = pytest.importorskip("timm.loss").BinaryCrossEntropy(smoothing=smoothing)
    found = the_loss(digits, loss="bce", label_smoothing=smoothing)(logits, labels)
    torch.testing.assert_close(found, of_timm(logits, labels), rtol=1e-6, atol=0)


def test_binary_cross_entropy_takes_shares_and_weights(digits, logits, shares):
    found = the_loss(digits, loss="bce", class_weights=LISTED)(logits, shares)
    each = F.binary_cross_entropy_with_logits(logits, shares, reduction="none").mean(1)
    of_image = (shares * torch.tensor(LISTED)).sum(1)
    torch.testing.assert_close(found, (of_image * each).sum() / of_image.sum())


def test_the_focal_loss_of_shares_is_refused(digits, logits, shares):
    with pytest.raises(InputError, match="'focal', which is not defined for labels that are shares of classes"):
        the_loss(digits, loss="focal")(logits, shares)


def test_a_loss_of_ones_own_is_called_or_made_with_its_arguments(digits, logits, labels):
    called = the_loss(digits, loss="own_losses:margin", loss_arguments={"margin": 2.0})
    assert torch.equal(called(logits, labels), F.multi_margin_loss(logits, labels, margin=2.0))
    made = the_loss(digits, loss="own_losses:Scaled", loss_arguments={"scale": 3})
    assert torch.equal(made(logits, labels), 3 * F.cross_entropy(logits, labels))
    assert made.to(torch.float64).own.scale.dtype == torch.float64
    of_torch = the_loss(digits, loss="torch.nn:MultiMarginLoss", loss_arguments={"p": 2})
    assert torch.equal(of_torch(logits, labels), nn.MultiMarginLoss(p=2)(logits, labels))
    assert the_loss(digits, loss="own_losses:Cosine")(logits, labels).shape == ()


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"loss": "own_losses:margn"}, r"own_losses:margn: own_losses has no 'margn'; did you mean 'margin'\?"),
        ({"loss": "own_loses:margin"}, "own_loses:margin: own_loses cannot be imported: ModuleNotFoundError"),
        ({"loss": "own_losses:Scaled"}, "own_losses:Scaled: TypeError: .*missing 1 required positional argument"),
        ({"loss": "own_losses:Learnt"}, "own_losses:Learnt has weights of its own, which no optimiser would train"),
        ({"loss": "own_losses:CONSTANT"}, "own_losses:CONSTANT: TypeError: the first argument must be callable"),
        ({"loss": "own_losses:one_an_image"}, r"gives a tensor of shape \(40,\); allowed: one number, the mean of"),
        ({"loss": "own_losses:a_number"}, "own_losses:a_number gives float; allowed: one number"),
    ],
)
def test_what_is_no_loss_is_refused_with_the_reason(digits, logits, labels, said, fault):
    with pytest.raises(InputError, match=f"^recipe.loss: .*{fault}"):
        the_loss(digits, **said)(logits, labels)


@pytest.mark.parametrize("loss", ["focal", "bce"])
def test_networks_learn_by_it_and_are_judged_by_plain_cross_entropy(skewed, small_network, loss):
    network = small_network()
    rate = 0.1 if loss == "focal" else 0.5
    recipe = Recipe(epochs=3, loss=loss, learning_rate=rate, class_weights="balanced")
    result = train(network, skewed, recipe, seed=0)
    pixels = (skewed.validation.images / 255 - skewed.mean[0]) / skewed.std[0]
    with torch.no_grad():
        plain = F.cross_entropy(network(pixels), skewed.validation.labels)
    assert result.validation["loss"] == pytest.approx(float(plain), rel=1e-4)
    assert result.validation["accuracy"] > 0.7
    assert score(network, skewed.test, skewed, 64)["accuracy"] > 0.7


@pytest.mark.parametrize("task", ["multilabel", "segmentation", "regression"])
@pytest.mark.parametrize("said", [{"mixup": 0.2}, {"cutmix": 1.0}])
def test_images_are_mixed_in_classification_only_whatever_the_loss(digits, task, said):
    labels = {"multilabel": torch.zeros(4, 10), "segmentation": torch.zeros(4, 8, 8), "regression": torch.rand(4, 10)}
    part = Part(digits.train.images[:4], labels[task] if task == "regression" else labels[task].byte())
    moments = {"target_mean": (0.0,) * 10, "target_std": (1.0,) * 10} if task == "regression" else {}
    data, (name,) = replace(digits, task=task, train=part, validation=part, test=part, **moments), said
    for loss in ("usual", "torch.nn:L1Loss"):
        with pytest.raises(InputError, match=f"^recipe.{name}: found {said[name]} for {task}, which has none; leave"):
            the_loss(data, loss=loss, **said)
