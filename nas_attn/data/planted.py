"""Synthetic images whose classes only one kind of attention tells apart, at one place: a known optimum for a search.

Each of two lines of an image holds two words of two dots. Two of the four words are a bright dot before a dark one, two
a dark dot before a bright one. In one class the words on a line are the same, in the other they differ. All four stand
in columns of their own, at least `gap` columns apart.

A network that sees at most `gap` columns at once sees one word at most, and the four words are the same in both
classes, so that means over an image do not help; nor does attention that weighs channels by such means, weighs
positions by what is near, or compares positions without knowing their lines. What helps is the mean over each line that
then weighs this line, as in coordinate and triplet attention: two same words on a line weigh each other. It has to
stand where a word is seen as a whole, and where lines are still apart, before rows are pooled. A convolution's padding,
which tells how high a line stands, helps others a little.
"""

import numpy as np
from numpy.typing import NDArray

from nas_attn.settings import Planted

from .gallery import Gallery

_WORD = 4
"""Columns from the first dot of a word to its last."""

_LINES_APART = 4
"""Rows from one line to the other: half the height of an image."""

_GREY, _CONTRAST, _NOISE = 128, 100, 8
"""Of 255: the paper, how much brighter or darker a dot is, and the standard deviation that every pixel has."""


def planted(source: Planted) -> Gallery:
    """The synthetic images of a seed, the classes in turn, (1, 8, 16 + 5 gap) each."""
    rng = np.random.default_rng(source.seed)
    labels = np.arange(source.images, dtype=np.int64) % 2
    images = _drawn(*_words(labels, rng), source.gap, rng)
    return Gallery("planted", ("different", "same"), labels, lambda rows: images[rows])


def _words(labels: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """From left to right, each word's brightness first to last, 1 or -1, and its line, 0 or 1; both (images, 4)."""
    words, lines = np.array([1, 1, -1, -1]), np.array([[0, 1, 0, 1], [0, 0, 1, 1]])
    order = rng.permuted(np.tile(np.arange(4), (len(labels), 1)), axis=1)
    swapped = rng.integers(0, 2, (len(labels), 1))
    return words[order], lines[labels[:, None], order] ^ swapped


def _drawn(words: NDArray[np.int64], lines: NDArray[np.int64], gap: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The images, with words at least `gap` columns apart, and half of that from the border."""
    images = len(words)
    play = np.sort(rng.integers(0, gap, (images, 4), endpoint=True), axis=1)
    columns = gap // 2 + play + np.arange(4) * (_WORD + gap)
    rows = rng.integers(0, _LINES_APART, (images, 1)) + lines * _LINES_APART
    pixels = rng.normal(_GREY, _NOISE, (images, 2 * _LINES_APART, 4 * _WORD + 5 * gap))
    which = np.arange(images)[:, None]
    pixels[which, rows, columns] += _CONTRAST * words
    pixels[which, rows, columns + _WORD - 1] -= _CONTRAST * words
    return np.rint(pixels).clip(0, 255).astype(np.uint8)[:, None]
