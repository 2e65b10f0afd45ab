import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from nas_attn.data import ImageData, Part, load_data
from nas_attn.data.images import channel_stats
from nas_attn.settings import Digits
from nas_attn.space import InputError


def as_rows(part):
    return {image.tobytes() for image in part.images.numpy()}


def test_digits_are_grey_squares_of_eight_pixels_in_ten_classes(digits):
    assert digits.image == (1, 8, 8)
    assert digits.classes == 10
    assert digits.class_names == tuple("0123456789")
    assert digits.train.images.dtype == torch.uint8
    assert digits.train.labels.dtype == torch.int64
    assert digits.train.images.max() == 255


def test_every_digit_is_in_exactly_one_part_with_its_own_label(digits):
    source = load_digits()
    known = {}
    for image, label in zip(source.images, source.target, strict=True):
        known[np.rint(image[None] * 255 / 16).astype(np.uint8).tobytes()] = label
    parts = (digits.train, digits.validation, digits.test)
    assert sum(len(part) for part in parts) == len(source.target)
    assert sum(len(as_rows(part)) for part in parts) == len(known)
    for part in parts:
        assert [known[image.tobytes()] for image in part.images.numpy()] == part.labels.tolist()


def test_a_split_seed_always_gives_the_same_parts(digits, tmp_path):
    again = load_data(Digits(), tmp_path)
    other = load_data(Digits(split_seed=1), tmp_path)
    assert torch.equal(again.validation.images, digits.validation.images)
    assert torch.equal(again.test.images, digits.test.images)
    assert as_rows(other.test) != as_rows(digits.test)


def test_mean_and_std_are_those_of_the_train_part_alone(digits):
    pixels = digits.train.images.numpy() / 255
    assert digits.mean == pytest.approx((pixels.mean(),))
    assert digits.std == pytest.approx((pixels.std(),))


def test_mean_and_std_go_channel_by_channel():
    images = torch.randint(0, 256, (5, 3, 4, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mean, std = channel_stats(images)
    assert mean == pytest.approx(images.numpy().mean((0, 2, 3)) / 255)
    assert std == pytest.approx(images.numpy().std((0, 2, 3)) / 255)


def test_a_channel_that_never_varies_can_still_be_divided_by():
    assert channel_stats(torch.full((4, 1, 2, 2), 51, dtype=torch.uint8)) == (pytest.approx((0.2,)), (1 / 255,))


def test_shares_that_leave_nothing_to_train_on_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"digits: validation 0.6 and test 0.4 .* less than 1"):
        load_data(Digits(validation=0.6, test=0.4), tmp_path)


def test_height_and_width_are_not_confused():
    part = Part(torch.zeros(2, 3, 4, 6, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64))
    assert ImageData(part, part, part, ("a", "b"), (0.0,) * 3, (1.0,) * 3).image == (3, 4, 6)
