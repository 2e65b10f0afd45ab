"""Folds that validate in turn: which image is in which, and what each turn trains and judges."""

import hashlib
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nas_attn.data import fingerprint, joined, load_data, reduced
from nas_attn.data.gallery import Gallery
from nas_attn.data.split import split, split_in_folds
from nas_attn.settings import Digits, ImageFolder
from nas_attn.space import InputError

SHARES = (0.2, 0.2)


def gallery(counts, files=None, groups=None, **more):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    encoded = None if files is None else lambda: files
    names = tuple(f"class{number}" for number in range(len(counts)))
    return Gallery("here", names, labels, lambda rows: rows, encoded=encoded, groups=groups, **more)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(12, 60), min_size=2, max_size=5), st.integers(2, 6), st.integers(0, 9), st.booleans())
def test_folds_are_of_one_size_and_leave_the_test_part_as_it_is(counts, number, seed, by_content):
    images = gallery(counts, [row.to_bytes(2) for row in range(sum(counts))] if by_content else None)
    train, validation, test = split(images, *SHARES, seed)
    folds, kept_apart = split_in_folds(images, number, SHARES, seed)
    np.testing.assert_array_equal(kept_apart, test)
    assert sorted(np.concatenate(folds)) == sorted(np.concatenate([train, validation]))
    assert np.ptp([len(fold) for fold in folds]) <= 1
    for label in range(len(counts)):
        assert np.ptp([(images.labels[fold] == label).sum() for fold in folds]) <= 1


def test_images_of_a_group_and_copies_share_a_fold_whatever_the_order():
    rng = np.random.default_rng(1)
    files = [bytes([row % 100]) for row in range(120)]  # of the first 20 images there are two
    groups = [f"patient{row // 4}" for row in range(120)]
    images = gallery([60, 60], files, groups)
    folds, _ = split_in_folds(images, 4, SHARES, 0)
    of = {row: place for place, fold in enumerate(folds) for row in fold}
    for first, other in zip(range(20), range(100, 120), strict=True):
        assert of.get(first) == of.get(other)
    for name in set(groups):
        assert len({of.get(row) for row in range(120) if groups[row] == name}) == 1
    order = rng.permutation(120)
    shuffled = Gallery(
        "here",
        images.class_names,
        images.labels[order],
        lambda rows: rows,
        encoded=lambda: [files[row] for row in order],
        groups=[groups[row] for row in order],
    )
    again, _ = split_in_folds(shuffled, 4, SHARES, 0)
    for one, other in zip(folds, again, strict=True):
        assert Counter(files[row] for row in one) == Counter(files[order[row]] for row in other)


def test_most_images_may_be_for_test(tmp_path):
    data = load_data(Digits(folds=2, test=0.9), tmp_path)
    apart = load_data(Digits(test=0.9, validation=0.05), tmp_path)
    assert len(data.test) == len(apart.test) == 1618
    assert [len(one.validation) for one in data.folds] == [90, 89], "the 179 others"


def test_a_limit_comes_first():
    folds, test = split_in_folds(gallery([100, 50]), 3, SHARES, 0, limit=60)
    assert sum(map(len, folds)) + len(test) == 60
    assert np.ptp([len(fold) for fold in folds]) <= 1


@pytest.mark.parametrize(
    ("images", "number", "message"),
    [
        (
            gallery([40, 5]),
            6,
            r"here: class 'class1' has 4 images that are not for test, too few .* each of 6 folds; add",
        ),
        (gallery([12, 12], [bytes([row]) for row in range(24)], ["one", "two", "six", "ten"] * 6), 5, "groups keep"),
        (gallery([12], task="regression"), 20, r"there are 10 images that are not for test, too few"),
    ],
    ids=["class", "groups", "values"],
)
def test_folds_without_an_image_are_refused(images, number, message):
    with pytest.raises(InputError, match=message):
        split_in_folds(images, number, SHARES, 0)


def pixels(part):
    return Counter(image.tobytes() for image in part.images.numpy())


def labelled(part):
    return zip(part.images.numpy(), part.labels.tolist(), strict=True)


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    return load_data(Digits(folds=3), folder), load_data(Digits(), folder)


def test_every_image_but_those_for_test_validates_once_and_trains_in_all_other_turns(folded):
    data, usual = folded
    everything = pixels(usual.train) + pixels(usual.validation)
    turns = [data.of_fold(number) for number in range(3)]
    assert sum((pixels(turn.validation) for turn in turns), Counter()) == everything
    for turn in turns:
        assert pixels(turn.train) + pixels(turn.validation) == everything
        assert torch.equal(turn.test.images, usual.test.images)
        assert (turn.folds, turn.facts) == ((), data.facts)
    assert turns[1] is data.of_fold(1)
    assert (pixels(data.train), pixels(data.validation)) == (pixels(turns[0].train), pixels(turns[0].validation))
    labels = {image.tobytes(): label for one in (usual.train, usual.validation) for image, label in labelled(one)}
    assert all(labels[image.tobytes()] == label for turn in turns for image, label in labelled(turn.validation))


def test_one_normalisation_serves_all_turns(folded):
    data, usual = folded
    every = torch.cat([usual.train.images, usual.validation.images]).double() / 255
    assert data.mean == pytest.approx((float(every.mean()),))
    assert data.std == pytest.approx((float(every.std(correction=0)),))


def test_turns_are_views_of_one_copy_that_is_twice_as_long(folded):
    storages = {
        part.images.untyped_storage().data_ptr() for one in folded[0].folds for part in (one.train, one.validation)
    }
    assert len(storages) == 1
    whole = sum(len(one.validation) for one in folded[0].folds)
    assert folded[0].train.images.untyped_storage().nbytes() == 64 * (2 * whole - len(folded[0].folds[-1].validation))


def test_without_folds_data_are_themselves_and_known_by_what_they_always_were(folded):
    usual = folded[1]
    assert usual.of_fold(0) is usual
    facts = (usual.train.digest, usual.validation.digest, usual.class_names, usual.mean, usual.std)
    assert usual.digest == hashlib.sha256(repr(facts).encode()).hexdigest()
    assert set(fingerprint(folded[1]).parts) == {"train", "validation", "test"}


def test_which_image_is_in_which_fold_is_part_of_what_is_remembered(folded, tmp_path):
    data = folded[0]
    assert set(fingerprint(data).parts) == {"fold1", "fold2", "fold3", "test"}
    others = [load_data(Digits(folds=3, split_seed=1), tmp_path), load_data(Digits(folds=4), tmp_path), folded[1]]
    assert len({one.digest for one in (data, *others)}) == 4
    same = load_data(Digits(folds=3), tmp_path)
    assert (same.digest, fingerprint(same)) == (data.digest, fingerprint(data))


def test_a_proxy_takes_a_share_of_each_turn_s_train_part(folded):
    few = reduced(folded[0], 0.25, 0.5)
    for number in range(3):
        whole, some = folded[0].of_fold(number), few.of_fold(number)
        assert some.image == (1, 4, 4)
        assert len(some.validation) == len(whole.validation)
        assert len(some.train) == pytest.approx(len(whole.train) / 4, abs=5)
    kept = reduced(folded[0], 0.25, 1).of_fold(2)
    assert pixels(kept.train) <= pixels(folded[0].of_fold(2).train)


def test_what_trains_for_good_takes_no_turns(folded):
    data = joined(folded[0], 0.25)
    assert data.folds == ()
    assert data.of_fold(1) is data
    assert pixels(data.train) + pixels(data.validation) == pixels(folded[1].train) + pixels(folded[1].validation)
    assert len(data.validation) == pytest.approx(len(folded[0].validation) / 4, abs=10)


def draw(folder, classes, each):
    rng = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(each):
            Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).save(folder / name / f"{number}.png")


def test_a_folder_that_validates_all_the_time_is_refused(tmp_path):
    for part in ("train", "val"):
        draw(tmp_path / "images" / part, ("cat", "dog"), 10)
    source = ImageFolder(path="images", folds=2)
    with pytest.raises(InputError, match=r"images/val: these images validate all the time, .* leave out folds = 2"):
        load_data(source, tmp_path)


def test_images_that_test_may_stand_apart(tmp_path):
    for part in ("train", "test"):
        draw(tmp_path / "images" / part, ("cat", "dog"), 9)
    data = load_data(ImageFolder(path="images", folds=3), tmp_path)
    assert [len(one.validation) for one in data.folds] == [6, 6, 6]
    assert len(data.test) == 18
    assert all(torch.bincount(one.validation.labels).tolist() == [3, 3] for one in data.folds)


def test_values_and_several_labels_take_turns_too(tmp_path):
    draw(tmp_path / "photos", ("all",), 40)
    rng = np.random.default_rng(1)
    values = rng.normal(5, 2, 40)
    lines = [f"all/{number}.png,{value:.6f}" for number, value in enumerate(values)]
    (tmp_path / "values.csv").write_text("\n".join(["file,age", *lines]))
    tags = [f"all/{number}.png,{'a|b' if number % 3 == 0 else 'ab'[number % 2]}" for number in range(40)]
    (tmp_path / "tags.csv").write_text("\n".join(["file,tags", *tags]))
    source = ImageFolder(path="photos", labels="../values.csv", label_column="age", folds=4)
    data = load_data(source, tmp_path, task="regression")
    every = torch.cat([one.validation.labels for one in data.folds]).double()
    assert [len(one.validation) for one in data.folds] == [8, 8, 8, 8]
    assert data.target_mean == pytest.approx((float(every.mean()),))
    assert data.of_fold(3).target_std == pytest.approx((float(every.std(correction=0)),))
    source = ImageFolder(path="photos", labels="../tags.csv", label_column="tags", folds=4)
    data = load_data(source, tmp_path, task="multilabel")
    assert all((one.validation.labels.sum(0) > 0).all() for one in data.folds)
