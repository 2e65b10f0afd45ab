"""Which images gain and lose by an attention, and how a page shows them."""

import base64
import io

import numpy as np
import pytest
import torch
from made_up import study_table
from PIL import Image

from nas_attn.report.gallery import gallery
from nas_attn.report.page import Report, write_report
from nas_attn.results import Outcomes
from nas_attn.verdict.changed_images import THUMBNAILS, changed_images, read_thumbnails, write_thumbnails
from nas_attn.verdict.thumbnails import thumbnail

IMAGES = "ab" * 32


def outcomes(right, loss=None, images=IMAGES):
    right = np.array(right, dtype=bool)
    values = {"accuracy": right, "loss": np.zeros(len(right)) if loss is None else np.array(loss, dtype=np.float64)}
    return Outcomes(images, np.arange(len(right), dtype=np.int32), values)


def test_images_are_counted_over_the_seeds_that_both_have_and_the_most_changed_come_first():
    found = {
        ("plain", 0): outcomes([0, 0, 1, 1, 0, 1]),
        ("plain", 1): outcomes([0, 0, 1, 1, 1, 1]),
        ("plain", 2): outcomes([1, 1, 1, 1, 1, 1]),
        ("se", 0): outcomes([1, 1, 0, 1, 0, 1], [0, 0.5, 0, 0, 0, 0]),
        ("se", 1): outcomes([1, 1, 0, 0, 0, 1], [0, 0.5, 0, 0, 0, 0]),
    }
    changed = changed_images(found, "plain", "se")
    assert (changed.seeds, changed.count, changed.better, changed.worse) == (2, 6, 2, 3)
    assert [(one.number, one.label, one.plain, one.other) for one in changed.most] == [
        (1, 1, 0, 2),
        (0, 0, 0, 2),
        (2, 2, 2, 0),
        (3, 3, 2, 1),
        (4, 4, 1, 0),
    ]
    assert changed_images(found, "plain", "cbam") is None
    losses = {place: Outcomes(IMAGES, one.classes, {"loss": one.values["loss"]}) for place, one in found.items()}
    assert changed_images(losses, "plain", "se") is None


def test_images_of_folds_are_counted_each_over_the_seeds_of_its_own():
    """Three images validate with seeds 0 and 2, two with seed 1; numbers go on from fold to fold."""
    other = "cd" * 32
    found = {
        ("plain", 0): outcomes([0, 0, 1]),
        ("plain", 1): outcomes([0, 1], images=other),
        ("plain", 2): outcomes([0, 1, 1]),
        ("se", 0): outcomes([0, 1, 1]),
        ("se", 1): outcomes([1, 1], images=other),
        ("se", 2): outcomes([0, 1, 0]),
    }
    changed = changed_images(found, "plain", "se")
    assert (changed.seeds, changed.count, changed.better, changed.worse) == (3, 5, 2, 1)
    assert [(one.number, one.plain, one.other, one.seeds) for one in changed.most] == [
        (3, 0, 1, 1),
        (1, 1, 2, 2),
        (2, 2, 1, 2),
    ]
    assert changed.folds == (IMAGES, other)
    assert changed.images not in changed.folds
    shown = gallery(changed, ["a", "b", "c"], {})
    assert "There are 3 seeds of each, and an image validates with those of its fold." in shown.sentence
    assert [one.words for one in shown.shown] == [
        "right with 1 of 1 seed, the plain backbone with 0",
        "right with 2 of 2 seeds, the plain backbone with 1",
        "right with 1 of 2 seeds, the plain backbone with 2",
    ]


def test_at_most_six_of_each_are_shown():
    rng = np.random.default_rng(0)
    found = {(key, seed): outcomes(rng.uniform(size=200) < 0.5) for key in ("plain", "se") for seed in range(3)}
    changed = changed_images(found, "plain", "se")
    assert [one.other > one.plain for one in changed.most] == [True] * 6 + [False] * 6


def test_a_thumbnail_is_the_image():
    rng = np.random.default_rng(1)
    for channels in (1, 3):
        pixels = rng.integers(0, 256, (channels, 8, 10), dtype=np.uint8)
        read = np.array(Image.open(io.BytesIO(thumbnail(torch.tensor(pixels)))))
        np.testing.assert_array_equal(read.reshape(8, 10, channels), pixels.transpose(1, 2, 0))
    wide = Image.open(io.BytesIO(thumbnail(torch.zeros(5, 100, 400, dtype=torch.uint8))))
    assert (wide.size, wide.mode) == ((96, 24), "L")


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format_version": 9}', '{"format_version": 1, "images": "x", "png": 1}']
)
def test_thumbnails_that_are_damaged_or_of_other_images_are_left_out(tmp_path, content):
    write_thumbnails(tmp_path, IMAGES, {3: b"png"})
    assert read_thumbnails(tmp_path, IMAGES, [3, 4]) == {3: base64.b64encode(b"png").decode()}
    assert read_thumbnails(tmp_path, "cd" * 32, [3]) == {}
    (tmp_path / THUMBNAILS).write_text(content)
    assert read_thumbnails(tmp_path, IMAGES, [3]) == {}
    (tmp_path / THUMBNAILS).write_text(
        f'{{"format_version": 1, "images": "{IMAGES}", "png": {{"3": "x\\" onload=y"}}}}'
    )
    assert read_thumbnails(tmp_path, IMAGES, [3]) == {}


def test_a_page_shows_them_with_class_and_seeds_and_in_words_where_there_is_no_picture(tmp_path):
    found = {("plain", 0): outcomes([0, 1, 1]), ("se", 0): outcomes([1, 0, 1])}
    shown = gallery(changed_images(found, "plain", "se"), ["cat", "<dog>", "owl"], {0: "AAAA"})
    assert gallery(changed_images({**found, ("se", 0): found["plain", 0]}, "plain", "se"), [], {}) is None
    write_report(Report("t", study_table(), ["accuracy", "flops"], (), "", {}, gallery=shown), tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "Of 3 validation images, 1 gain: more seeds of se than of the plain backbone are right. 1 lose." in page
    assert '<img src="data:image/png;base64,AAAA" alt="cat"><b>cat</b>' in page
    assert "right with 1 of 1 seed, the plain backbone with 0" in page
    assert "<li><b>&lt;dog&gt;</b>" in page
