import math
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_attn.data import Part, batches_in_order, training_batches
from nas_attn.data.augmentation import Augmentation, augment, draw_augmentation
from nas_attn.settings import Recipe

TWO = {"horizontal_flip": True, "crop_padding": 2}
BOTH = Recipe(**TWO)


def part(images, channels=1, height=3, width=5):
    pixels = torch.randint(
        0, 256, (images, channels, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    return Part(pixels, torch.arange(images))


def seen(batches):
    return [labels.tolist() for _, labels in batches]


def by_hand(image, mirrored, top, left, padding):
    """Mirror and crop one image (C, H, W), pixel by pixel."""
    channels, height, width = image.shape
    made = np.zeros_like(image)
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                from_x = width - 1 - x if mirrored else x
                row, column = y + top - padding, from_x + left - padding
                if 0 <= row < height and 0 <= column < width:
                    made[c, y, x] = image[c, row, column]
    return made


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(0, 6), st.integers(1, 5), st.integers(1, 5))
def test_crops_and_mirrors_are_what_a_loop_over_pixels_makes(data, padding, height, width):
    images = part(4, channels=2, height=height, width=width).images
    corners = data.draw(st.lists(st.tuples(*[st.integers(0, 2 * padding)] * 2), min_size=6, max_size=6))
    mirrored = data.draw(st.lists(st.booleans(), min_size=6, max_size=6))
    rows = data.draw(st.permutations(range(6)))[:4]
    made = augment(images, Augmentation(torch.tensor(mirrored), torch.tensor(corners), padding), torch.tensor(rows))
    for image, row, result in zip(images.numpy(), rows, made.numpy(), strict=True):
        assert np.array_equal(result, by_hand(image, mirrored[row], *corners[row], padding))


def test_half_the_images_are_mirrored_and_every_crop_is_as_likely():
    drawn = draw_augmentation(part(9000), BOTH, torch.Generator().manual_seed(0))
    assert drawn.mirrored.float().mean() == pytest.approx(0.5, abs=0.03)
    crops = torch.bincount(5 * drawn.corners[:, 0] + drawn.corners[:, 1])
    assert len(crops) == 25
    assert crops.min() > 280
    assert crops.max() < 450


def test_a_recipe_may_have_one_of_them_or_none():
    generator = torch.Generator().manual_seed(0)
    assert draw_augmentation(part(100), Recipe(), generator) is None
    only_flip = draw_augmentation(part(100), Recipe(horizontal_flip=True), generator)
    assert only_flip.mirrored.any()
    assert not only_flip.corners.any()
    only_crop = draw_augmentation(part(100), Recipe(crop_padding=1), generator)
    assert not only_crop.mirrored.any()
    assert only_crop.corners.unique().tolist() == [0, 1, 2]
    assert only_crop.centres is None


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(2, 12))
def test_an_epoch_shows_every_image_once_but_never_a_batch_of_one(images, size):
    batches = training_batches(part(images), Recipe(batch_size=size), seed=0, epoch=0)
    shown = seen(batches)
    assert len(shown) == len(batches) == max(1, images // size + (images % size > 1))
    assert all(len(labels) > 1 for labels in shown) or images == 1
    numbers = list(chain.from_iterable(shown))
    left_out = 1 if images % size == 1 and images > 1 else 0
    assert len(set(numbers)) == len(numbers) == images - left_out


def covered_by_hand(image, centre, side, colour):
    """Cover a square of one image (C, H, W), pixel by pixel."""
    made = image.copy()
    height, width = image.shape[1:]
    top, left = (math.floor(share * length) - side // 2 for share, length in zip(centre, (height, width), strict=True))
    for y in range(top, top + side):
        for x in range(left, left + side):
            if 0 <= y < height and 0 <= x < width:
                made[:, y, x] = colour
    return made


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 7), st.integers(1, 5), st.integers(1, 5))
def test_cutout_is_what_a_loop_over_pixels_makes(data, side, height, width):
    images = part(4, channels=2, height=height, width=width).images
    share = st.floats(0, 1, exclude_max=True, width=32)
    centres = torch.tensor(data.draw(st.lists(st.tuples(share, share), min_size=6, max_size=6)), dtype=torch.float32)
    mirrored = torch.tensor(data.draw(st.lists(st.booleans(), min_size=6, max_size=6)))
    rows = torch.tensor(data.draw(st.permutations(range(6)))[:4])
    plain = Augmentation(mirrored, torch.ones(6, 2, dtype=torch.int64), 1)
    colour = torch.tensor([3, 250], dtype=torch.uint8)
    made = augment(images, replace(plain, centres=centres, side=side, colour=colour), rows)
    for image, row, result in zip(augment(images, plain, rows).numpy(), rows, made.numpy(), strict=True):
        assert np.array_equal(result, covered_by_hand(image, centres[row].numpy(), side, [3, 250]))


def test_cutouts_have_the_mean_colour_and_lie_anywhere_with_equal_probability():
    data = part(2500, channels=3)
    drawn = draw_augmentation(data, Recipe(cutout=1), torch.Generator().manual_seed(0))
    assert drawn.colour.tolist() == np.rint(data.images.numpy().mean((0, 2, 3))).tolist()
    places = (drawn.centres.double() * torch.tensor([5, 5])).long()
    counts = torch.bincount(5 * places[:, 0] + places[:, 1])
    assert len(counts) == 25
    assert counts.min() > 60
    assert counts.max() < 140


def test_cutout_changes_neither_mirrors_nor_crops_nor_order():
    data = part(30, height=6, width=6)
    without, covered = (training_batches(data, recipe, 2, 3) for recipe in (BOTH, Recipe(cutout=2, **TWO)))
    assert seen(without) == seen(covered)
    assert torch.equal(without.augmentation.mirrored, covered.augmentation.mirrored)
    assert torch.equal(without.augmentation.corners, covered.augmentation.corners)
    for (plain, _), (images, _) in zip(without, covered, strict=True):
        assert 0 < (plain != images).sum() <= 4 * len(images)


def test_cutouts_stay_whether_images_are_mirrored_and_cropped_or_not():
    alone, with_others = (
        draw_augmentation(part(30), recipe, torch.Generator().manual_seed(0))
        for recipe in (Recipe(cutout=2), Recipe(cutout=2, **TWO))
    )
    assert torch.equal(alone.centres, with_others.centres)


def test_seed_and_epoch_fix_order_and_augmentation():
    data = part(30)

    def run(seed, epoch):
        return list(training_batches(data, BOTH, seed, epoch))

    for (images, labels), (same_images, same_labels) in zip(run(3, 1), run(3, 1), strict=True):
        assert torch.equal(images, same_images)
        assert torch.equal(labels, same_labels)
    orders = {
        tuple(chain.from_iterable(labels.tolist() for _, labels in run(*which))) for which in ((3, 1), (3, 2), (4, 1))
    }
    assert len(orders) == 3


def test_augmentation_does_not_change_the_order():
    plain, both = (training_batches(part(30), recipe, 0, 0) for recipe in (Recipe(), BOTH))
    assert seen(plain) == seen(both)


def test_drawing_batches_leaves_the_random_state_of_others_alone():
    before = torch.random.get_rng_state()
    list(training_batches(part(30), BOTH, 0, 0))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_is_scored_is_shown_whole_and_as_it_is():
    data = part(7)
    assert seen(batches_in_order(data, 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert torch.equal(torch.cat([images for images, _ in batches_in_order(data, 3)]), data.images)
