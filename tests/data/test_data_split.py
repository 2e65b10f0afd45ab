import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_attn.data.gallery import Gallery
from nas_attn.data.split import split
from nas_attn.space import InputError


def gallery(counts, seed=0):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    return Gallery("here", tuple(f"class{i}" for i in range(len(counts))), labels, decode=lambda rows: rows)


counts = st.lists(st.integers(10, 60), min_size=2, max_size=5)


@settings(max_examples=50, deadline=None)
@given(counts, st.sampled_from([0.1, 0.2, 0.35]), st.sampled_from([0.0, 0.15, 0.3]), st.integers(0, 9))
def test_parts_are_disjoint_whole_and_of_the_given_shares(counts, validation, test, seed):
    images = gallery(counts)
    parts = split(images, validation, test, seed)
    assert sorted(np.concatenate(parts)) == list(range(sum(counts)))
    for rows in parts:
        assert (np.diff(rows) > 0).all()
    for label, count in enumerate(counts):
        for rows, share in zip(parts[1:], (validation, test), strict=True):
            assert abs((images.labels[rows] == label).sum() - share * count) <= 0.5


@settings(max_examples=50, deadline=None)
@given(counts, st.integers(80, 300))
def test_a_limit_is_kept_to_the_image_and_moves_none_to_another_part(counts, limit):
    images = gallery(counts)
    whole, limited = split(images, 0.2, 0.2, 0), split(images, 0.2, 0.2, 0, limit)
    assert sum(map(len, limited)) == min(limit, sum(counts))
    for few, all_rows in zip(limited, whole, strict=True):
        assert set(few) <= set(all_rows)
    taken = np.bincount(images.labels[np.concatenate(limited)])
    assert (abs(taken - np.array(counts) * min(1, limit / sum(counts))) < 1).all()


def test_a_class_is_divided_without_regard_to_the_others():
    two, three = gallery([20, 20]), gallery([20, 20])
    three.labels[:] = two.labels + 1
    shifted = Gallery("here", ("another", *two.class_names), np.append(three.labels, [0] * 9), decode=lambda rows: rows)
    for few, more in zip(split(two, 0.2, 0.2, 3), split(shifted, 0.2, 0.2, 3), strict=True):
        assert set(few) == {row for row in more if row < 40}


def test_small_classes_still_are_in_every_part():
    parts = split(gallery([3, 50]), 0.1, 0.1, 0)
    labels = gallery([3, 50]).labels
    assert [(labels[rows] == 0).sum() for rows in parts] == [1, 1, 1]


def test_a_class_that_cannot_be_in_every_part_is_reported():
    with pytest.raises(InputError, match=r"here: class 'class1' has 2 images, too few .*train, validation, test"):
        split(gallery([20, 2]), 0.2, 0.2, 0)
    assert [len(rows) for rows in split(gallery([20, 2]), 0.2, 0.0, 0)] == [17, 5, 0]


def test_a_limit_that_empties_a_part_is_reported():
    with pytest.raises(InputError, match=r"limit leaves no image of class 'class0' for test; raise limit"):
        split(gallery([10, 10, 10, 10]), 0.2, 0.2, 0, limit=8)


def test_groups_that_span_classes_are_counted_where_they_leave_a_part_empty():
    """Twelve images of each class, but every group has both: the first class places the groups of the other."""
    groups = ["one"] * 6 + ["two"] * 6 + ["one"] * 6 + ["two"] * 6
    files = [bytes([number]) for number in range(24)]
    labels = np.repeat([0, 1], 12)
    gallery = Gallery("here", ("cat", "dog"), labels, lambda rows: rows, encoded=lambda: files, groups=groups)
    message = r"class 'cat' has 12 images in 2 groups, 2 of which hold other classes too, too few .* another split_seed"
    with pytest.raises(InputError, match=message):
        split(gallery, 0.2, 0.2, 0)
