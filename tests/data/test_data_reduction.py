import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_attn.data import ImageData, Part, reduced
from nas_attn.data.images import channel_stats


def data(counts=(20, 5, 1), size=(6, 8)):
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))]
    pixels = torch.randint(
        0, 256, (len(labels), 2, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    train, other = Part(pixels, labels), Part(pixels[:4], labels[:4])
    return ImageData(train, other, other, tuple("abc"[: len(counts)]), *channel_stats(pixels))


def rows(part, whole):
    """Where the images of a part stand in the whole."""
    known = {image.tobytes(): row for row, image in enumerate(whole.images.numpy())}
    return [known[image.tobytes()] for image in part.images.numpy()]


def test_whole_data_are_the_data_themselves():
    whole = data()
    assert reduced(whole, 1, 1) is whole
    assert reduced(whole, 1.0, 1.0) is whole


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=2, max_size=3), st.floats(0.01, 0.99))
def test_a_share_of_each_class_stays_with_its_labels(counts, share):
    whole = data(counts)
    few = reduced(whole, share, 1)
    taken = torch.bincount(few.train.labels, minlength=len(counts)).tolist()
    assert taken == [max(1, round(share * count)) for count in counts]
    kept = rows(few.train, whole.train)
    assert kept == sorted(set(kept))
    assert torch.equal(few.train.labels, whole.train.labels[kept])
    assert few.validation is whole.validation
    assert few.test is whole.test


def test_a_share_is_the_same_every_time_and_part_of_a_larger_one():
    whole = data((40, 30, 20))
    some, again, more = (set(rows(reduced(whole, share, 1).train, whole.train)) for share in (0.2, 0.2, 0.6))
    assert some == again
    assert some < more


def test_images_of_all_parts_are_interpolated_with_care_for_what_falls_between():
    whole = data(size=(6, 9))
    half = reduced(whole, 1, 0.5)
    assert half.image == (2, 3, 4)
    for part, full in ((half.train, whole.train), (half.validation, whole.validation), (half.test, whole.test)):
        assert part.images.dtype == torch.uint8
        expected = F.interpolate(full.images.double(), (3, 4), mode="bilinear", antialias=True)
        assert (part.images - expected).abs().max() <= 0.5 + 1e-4
        assert torch.equal(part.labels, full.labels)


def test_half_the_resolution_weighs_neighbours_as_a_triangle_does():
    ramp = torch.arange(8, dtype=torch.uint8).mul(16).expand(1, 1, 8, 8)
    part = Part(ramp, torch.tensor([0]))
    half = reduced(ImageData(part, part, part, ("a", "b"), (0.0,), (1.0,)), 1, 0.5)
    weights = np.array([1, 3, 3, 1]) / 8
    inner = [weights @ (16 * np.arange(2 * at - 1, 2 * at + 3)) for at in (1, 2)]
    assert half.train.images[0, 0, 0, 1:3].tolist() == np.rint(inner).tolist()


def test_no_side_is_ever_without_pixels():
    assert reduced(data(size=(6, 8)), 1, 0.01).image == (2, 1, 1)


def test_mean_and_std_are_those_of_what_stays():
    few = reduced(data(), 0.3, 0.5)
    pixels = few.train.images.numpy() / 255
    assert few.mean == pytest.approx(pixels.mean((0, 2, 3)))
    assert few.std == pytest.approx(pixels.std((0, 2, 3)))
