"""Transforms of libraries: each image draws its own, and what is drawn derives from seed and epoch alone."""

import random

import numpy as np
import pytest
import torch

from nas_attn.data import Part, training_batches
from nas_attn.data.transforms import EpochTransforms
from nas_attn.settings import Recipe, Transform
from nas_attn.space import InputError

v2 = pytest.importorskip("torchvision.transforms.v2")


@pytest.fixture
def images():
    return torch.randint(0, 256, (12, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def changed(images, *said, seed=5):
    return EpochTransforms(tuple(map(Transform.model_validate, said)), seed).begun()(images)


def with_masks(images, masks, *said, seed=5):
    return EpochTransforms(tuple(map(Transform.model_validate, said)), seed).begun().with_masks(images, masks)


class Darker:
    """A transform as a user writes it."""

    def __init__(self, by):
        self.by = by

    def __call__(self, image):
        return (image.float() * self.by).to(torch.uint8)


class Noisy:
    """A transform that draws by Python, NumPy and torch."""

    def __call__(self, image):
        drawn = random.randrange(50) + np.random.randint(50) + int(torch.randint(50, ()))
        return image // 2 + drawn


def test_each_image_of_a_batch_draws_its_own(images):
    same = images[:1].expand(12, -1, -1, -1)
    found = changed(same, {"name": "RandomErasing", "p": 1.0})
    assert len({one.numpy().tobytes() for one in found}) > 6
    alike = v2.RandomErasing(p=1.0)(same)
    assert len({one.numpy().tobytes() for one in alike}) == 1


@pytest.mark.parametrize(
    ("said", "made"),
    [
        (("RandAugment",), lambda: v2.RandAugment()),
        (({"name": "RandomErasing", "p": 0.5, "value": "random"},), lambda: v2.RandomErasing(0.5, value="random")),
        (({"name": "AutoAugment", "policy": "cifar10"},), lambda: v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)),
        (({"name": "RandomResizedCrop", "size": [16, 16]},), lambda: v2.RandomResizedCrop([16, 16])),
        (
            ({"name": "Pad", "padding": 4}, {"name": "RandomCrop", "size": 16}, "RandomVerticalFlip"),
            lambda: v2.Compose([v2.Pad(4), v2.RandomCrop(16), v2.RandomVerticalFlip()]),
        ),
        (
            ({"name": "RandomApply", "p": 0.7, "transforms": [{"name": "ColorJitter", "hue": 0.1}, "RandomInvert"]},),
            lambda: v2.RandomApply([v2.ColorJitter(hue=0.1), v2.RandomInvert()], 0.7),
        ),
    ],
)
def test_they_are_those_of_torchvision_called_with_one_image_after_the_other(images, said, made):
    found = changed(images, *said, seed=7)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        transform = made()
        expected = torch.stack([transform(image) for image in images])
    assert torch.equal(found, expected)
    assert not torch.equal(found, images)


def test_seed_and_epoch_fix_what_is_drawn_and_nothing_else_does(images):
    part = Part(images, torch.arange(12))

    def run(seed, epoch, **others):
        recipe = Recipe(batch_size=4, transforms=("TrivialAugmentWide", "test_data_transforms:Noisy"), **others)
        batches = training_batches(part, recipe, seed, epoch)
        random.seed(), np.random.seed(), torch.seed()
        passes = [torch.cat([one for one, _ in batches]) for _ in range(2)]
        assert torch.equal(*passes)
        return passes[0]

    assert torch.equal(run(0, 1), run(0, 1))
    assert not torch.equal(run(0, 1), run(0, 2))
    assert not torch.equal(run(0, 1), run(1, 1))


def test_others_draw_on_as_if_nothing_had_happened(images):
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    changed(images, "RandAugment", "test_data_transforms:Noisy")
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()
    assert torch.equal(torch.get_rng_state(), states[2])


def test_order_crops_and_cutouts_stay_as_they_are_without_them(images):
    part, usual = Part(images, torch.arange(12)), {"batch_size": 4, "crop_padding": 2, "cutout": 3}
    plain = [*training_batches(part, Recipe(**usual), 3, 1)]
    dark = {"name": "test_data_transforms:Darker", "by": 0.5}
    for (before, labels), (after, same) in zip(
        plain, training_batches(part, Recipe(**usual, transforms=(dark,)), 3, 1), strict=True
    ):
        assert torch.equal(labels, same)
        assert torch.equal(after, (before.float() * 0.5).to(torch.uint8))


def test_streamed_images_are_transformed_alike(images):
    recipe = Recipe(batch_size=5, transforms=("RandAugment",))
    near, streamed = (Part(images, torch.arange(12), streams_to=to) for to in (None, torch.device("cpu")))
    for (one, _), (other, _) in zip(*(training_batches(part, recipe, 0, 0) for part in (near, streamed)), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("RandAugmnt", r"torchvision.transforms.v2 has no 'RandAugmnt'; did you mean 'RandAugment'\? allowed: "),
        ("InterpolationMode", "torchvision.transforms.v2 has no 'InterpolationMode'"),
        ({"name": "RandomErasing", "q": 1}, "RandomErasing: TypeError: .*'q'"),
        ({"name": "RandomErasing", "p": 2}, "RandomErasing: ValueError: `p` should be"),
        ({"name": "AutoAugment", "policy": "cifar100"}, "AutoAugment: ValueError: 'cifar100' is not a valid"),
        ({"name": "RandomApply", "transforms": ["RandAugmnt"]}, "torchvision.transforms.v2 has no 'RandAugmnt'"),
        ({"name": "RandomApply", "transforms": [{"p": 1}]}, "RandomApply: ValidationError"),
        ({"name": "CenterCrop", "size": 8}, r"they give uint8 \(3, 8, 8\); allowed: uint8 \(3, 16, 16\), as the image"),
        ("Grayscale", r"they give uint8 \(1, 16, 16\)"),
        ({"name": "ToDtype", "dtype": "float32"}, "ToDtype: "),
        ("test_data_transforms:Brighter", "test_data_transforms:Brighter: test_data_transforms has no 'Brighter'"),
        ("ElasticTransform:3", "torchvision.transforms.v2 has no"),
        ("pathlib:Path", "pathlib:Path: TypeError"),
        ({"name": "RandomPerspective", "distortion_scale": "much"}, "RandomPerspective: "),
    ],
)
def test_what_there_is_not_and_what_changes_the_shape_is_refused(images, said, fault):
    with pytest.raises(InputError, match=f"^recipe.transforms: .*{fault}"):
        changed(images, said)


@pytest.fixture
def masks(images):
    """A mask of each image, by which one sees where its pixels went."""
    return images[:, 0] // 100


MOVES = [
    {"name": "RandomRotation", "degrees": 45},
    {"name": "RandomAffine", "degrees": 10, "translate": [0.2, 0.2]},
    {"name": "RandomCrop", "size": 16, "padding": 4},
    {"name": "RandomResizedCrop", "size": [16, 16], "interpolation": "nearest"},
    {"name": "RandomApply", "transforms": ["RandomVerticalFlip", {"name": "RandomRotation", "degrees": 90}], "p": 1.0},
    {"name": "albumentations:Affine", "rotate": [-45, 45], "p": 1.0, "interpolation": 0},
    {"name": "albumentations:OneOf", "p": 1.0, "transforms": ["albumentations:VerticalFlip", "albumentations:D4"]},
]


@pytest.mark.parametrize("said", MOVES, ids=lambda said: said["name"])
def test_masks_move_with_their_images_and_what_comes_from_beyond_is_void(images, masks, said, monkeypatch):
    if "albumentations" in repr(said):
        monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")
        pytest.importorskip("albumentations")
    shown, moved = with_masks(images, masks, said)
    known = moved != 255
    assert (moved.shape, moved.dtype, type(moved)) == (masks.shape, torch.uint8, torch.Tensor)
    assert torch.equal(shown[:, 0][known] // 100, moved[known])
    assert not torch.equal(moved, masks)
    assert known.sum() > moved.numel() // 3
    if {"degrees", "padding", "rotate"} & said.keys():
        assert not known.all()
        assert (shown[:, 0][~known] == 0).all()
    assert torch.equal(shown, changed(images, said))  # masks draw nothing


def test_colours_leave_masks_alone_and_what_cannot_take_masks_says_so(images, masks):
    jitter, erase = {"name": "ColorJitter", "brightness": 0.5}, {"name": "RandomErasing", "p": 1.0}
    shown, moved = with_masks(images, masks, jitter, erase)
    assert torch.equal(moved, masks)
    assert not torch.equal(shown, images)
    with pytest.raises(InputError, match=r"recipe.transforms: RandAugment: TypeError: .*Mask are not supported"):
        with_masks(images, masks, "RandAugment")


def test_albumentations_draw_for_each_image_from_the_same_seed(images, monkeypatch):
    monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")
    albumentations = pytest.importorskip("albumentations")
    said = ["albumentations:HorizontalFlip", {"name": "albumentations:CoarseDropout", "p": 1.0}]
    found = changed(images, *said)
    assert torch.equal(found, changed(images, *said))
    assert not torch.equal(found, changed(images, *said, seed=6))
    flipped = changed(images, said[0])
    ways = [torch.equal(one, image.flip(2)) for one, image in zip(flipped, images, strict=True)]
    assert 0 < sum(ways) < 12
    assert all(way or torch.equal(one, image) for way, one, image in zip(ways, flipped, images, strict=True))
    always = changed(images, {"name": "albumentations:VerticalFlip", "p": 1.0}, "RandomHorizontalFlip")
    assert all(
        torch.equal(one, image.flip(1)) or torch.equal(one, image.flip(1).flip(2))
        for one, image in zip(always, images, strict=True)
    )
    grey = changed(images[:, :1], {"name": "albumentations:VerticalFlip", "p": 1.0})
    assert torch.equal(grey, images[:, :1].flip(2))
    inner = {"name": "albumentations:OneOf", "p": 1.0, "transforms": [said[1], "albumentations:VerticalFlip"]}
    assert torch.equal(changed(images, inner), changed(images, inner))
    assert albumentations.__version__
