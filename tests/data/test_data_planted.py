"""The generated images, read back pixel by pixel without the generator."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from nas_attn.data import load_data
from nas_attn.settings import Planted

PAPER, DOT = 128, 60
"""Grey of the paper, and by how much a pixel differs from it at least where a dot is."""


def loaded(**options):
    return load_data(Planted(**options), Path("nowhere"))


def images_and_labels(data):
    parts = (data.train, data.validation, data.test)
    images = np.concatenate([part.images.numpy()[:, 0] for part in parts]).astype(float) - PAPER
    return images, np.concatenate([part.labels.numpy() for part in parts])


def words(image):
    """Each word as (column, row, sign of its first dot), from left to right."""
    dots = sorted((column, row, np.sign(image[row, column])) for row, column in np.argwhere(abs(image) > DOT))
    assert len(dots) == 8
    for (column, row, sign), last in zip(dots[::2], dots[1::2], strict=True):
        assert last == (column + 3, row, -sign)
    return dots[::2]


def dots_and_words(images):
    """What each line holds, (images, lines) each: bright less dark pixels, words that begin bright, and others."""
    signs = np.where(abs(images) > DOT, np.sign(images), 0)
    pairs = (signs[:, :, 3:] - signs[:, :, :-3]) * (signs[:, :, 3:] * signs[:, :, :-3] < 0)
    return signs.sum(2), (pairs < 0).sum(2), (pairs > 0).sum(2)


@given(st.integers(2, 30), st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_the_class_says_whether_the_words_on_a_line_are_the_same(gap, seed):
    data = loaded(images=40, gap=gap, seed=seed)
    assert data.image == (1, 8, 16 + 5 * gap)
    assert data.class_names == ("different", "same")
    for image, label in zip(*images_and_labels(data), strict=True):
        read = words(image)
        lines = {row: [sign for _, found, sign in read if found == row] for _, row, _ in read}
        assert sorted(sign for _, _, sign in read) == [-1, -1, 1, 1]
        assert [len(signs) for signs in lines.values()] == [2, 2]
        assert abs(np.subtract(*lines)) == 4
        assert {len({*signs}) for signs in lines.values()} == {2 - label}


@given(st.integers(2, 30))
@settings(max_examples=15, deadline=None)
def test_no_two_words_share_a_window_as_wide_as_the_gap_and_one_more(gap):
    for image in images_and_labels(loaded(images=40, gap=gap))[0]:
        columns = np.array([column for column, _, _ in words(image)])
        assert (columns[1:] - (columns[:-1] + 3) - 1 >= gap).all()
        assert columns[0] >= gap // 2
        assert columns[-1] + 3 + gap // 2 < image.shape[1]


def test_classes_are_balanced_in_every_part():
    data = loaded(images=1000)
    for part, size in ((data.train, 600), (data.validation, 200), (data.test, 200)):
        assert torch.bincount(part.labels).tolist() == [size / 2, size / 2]


def test_a_seed_always_gives_the_same_images_and_another_gives_others():
    one, again, other = (loaded(images=32, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.train.images, again.train.images)
    assert torch.equal(one.train.labels, again.train.labels)
    assert not torch.equal(one.train.images, other.train.images)


def test_dots_on_a_line_and_words_in_an_image_are_the_same_in_both_classes():
    """So neither the mean of a line of pixels nor that of an image of words says anything."""
    images, _ = images_and_labels(loaded(images=200))
    dots, bright, dark = dots_and_words(images)
    assert (dots == 0).all()
    assert (bright.sum(1) == 2).all()
    assert (dark.sum(1) == 2).all()


def test_words_that_weigh_their_own_line_tell_the_classes_apart():
    images, labels = images_and_labels(loaded(images=200))
    _, bright, _ = dots_and_words(images)
    weighed = (bright * bright).sum(1)
    assert (weighed[labels == 1] == 4).all()
    assert (weighed[labels == 0] == 2).all()


@pytest.mark.parametrize("seen", ["pixels", "words at their places"])
def test_a_sum_over_places_does_not_tell_the_classes_apart(seen):
    """Over half is luck: 1,000 images are scored, so four standard deviations are 0.063."""
    images, labels = images_and_labels(loaded(images=3000))
    if seen != "pixels":
        images = (abs(images) > DOT) * np.sign(images)
        images = np.where(images[:, :, 3:] * images[:, :, :-3] < 0, images[:, :, 3:], 0)
    flat = images.reshape(len(images), -1) / PAPER
    model = LogisticRegression(max_iter=200).fit(flat[:2000], labels[:2000])
    assert abs(model.score(flat[2000:], labels[2000:]) - 0.5) < 0.063
