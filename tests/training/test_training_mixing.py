"""Mixup and CutMix are those of torchvision, drawn by seed and epoch alone."""

import numpy as np
import pytest
import torch

from nas_attn.data import Part, training_batches
from nas_attn.settings import Recipe
from nas_attn.training.mixing import mixed

v2 = pytest.importorskip("torchvision.transforms.v2")


@pytest.fixture
def part():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8, generator=generator)
    return Part(images, torch.arange(20) % 4)


def batches(part, seed=0, epoch=0, **said):
    recipe = Recipe(batch_size=6, **said)
    return mixed(training_batches(part, recipe, seed, epoch), recipe, 4, seed, epoch)


def seeded(mix, plain, seed):
    """What torchvision makes of these batches."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return [mix(images.float(), labels) for images, labels in plain]


WAYS = {
    "mixup": ({"mixup": 0.4}, lambda: v2.MixUp(alpha=0.4, num_classes=4)),
    "cutmix": ({"cutmix": 1.0}, lambda: v2.CutMix(alpha=1.0, num_classes=4)),
    "both": (
        {"mixup": 0.4, "cutmix": 1.0},
        lambda: v2.RandomChoice([v2.MixUp(alpha=0.4, num_classes=4), v2.CutMix(alpha=1.0, num_classes=4)]),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_images_and_labels_are_mixed_as_torchvision_does(part, way):
    said, make = WAYS[way]
    found = batches(part, **said)
    assert len(found) == len(list(found)) == 4
    for (pixels, shares), (expected, of_torchvision) in zip(
        found, seeded(make(), batches(part), found.seed), strict=True
    ):
        assert pixels.dtype == torch.uint8
        assert torch.equal(pixels, expected.round().to(torch.uint8))
        assert torch.equal(shares, of_torchvision)
        np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)


def test_both_are_drawn(part):
    many = Part(part.images.repeat(10, 1, 1, 1), part.labels.repeat(10))
    plain, found = batches(many), batches(many, mixup=1.0, cutmix=1.0)
    pasted = [
        bool(((mix == one) | (mix == one.roll(1, 0))).all()) for (mix, _), (one, _) in zip(found, plain, strict=True)
    ]
    assert len(pasted) // 4 < sum(pasted) < 3 * len(pasted) // 4


def test_without_alphas_batches_are_as_they_were(part):
    recipe = Recipe(batch_size=6)
    plain = training_batches(part, recipe, 0, 0)
    assert mixed(plain, recipe, 4, 0, 0) is plain


def test_seed_and_epoch_fix_what_is_drawn_and_others_draw_on(part):
    def run(seed, epoch):
        return torch.cat([shares for _, shares in batches(part, seed, epoch, mixup=1.0)])

    state = torch.get_rng_state()
    assert torch.equal(run(0, 1), run(0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(run(0, 1), run(0, 2))
    assert not torch.equal(run(0, 1), run(1, 1))
