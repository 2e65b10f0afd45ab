"""Labels of every built-in task on their way into batches: types, ranges, augmentation, digests, fingerprints."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from nas_attn.data import ImageData, Part, batches_in_order, fingerprint, load_data, reduced, training_batches
from nas_attn.data.augmentation import Augmentation, augment, augment_masks
from nas_attn.settings import VOID, Digits, ImageFacts, ImageFolder, Planted, Recipe, Torchvision, complete
from nas_attn.space import InputError
from nas_attn.study.fingerprints import image_changes

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (12, 3, 6, 8), dtype=torch.uint8, generator=GENERATOR)
LABELS = {
    "classification": torch.arange(12) % 3,
    "multilabel": torch.randint(0, 2, (12, 3), dtype=torch.uint8, generator=GENERATOR),
    "segmentation": torch.randint(0, 3, (12, 6, 8), dtype=torch.uint8, generator=GENERATOR),
    "regression": torch.randn(12, 3, generator=GENERATOR),
}


def data_of(task, labels=None):
    part = Part(IMAGES, LABELS[task] if labels is None else labels)
    targets = ((0.0,) * 3, (1.0,) * 3) if task == "regression" else ((), ())
    return ImageData(part, part, part, ("a", "b", "c"), (0.5,) * 3, (0.2,) * 3, task, *targets)


@pytest.mark.parametrize("task", LABELS)
def test_batches_hand_labels_out_as_they_are(task):
    data = data_of(task)
    (images, labels), _ = batches_in_order(data.train, 8)
    assert labels.dtype == LABELS[task].dtype
    assert torch.equal(labels, LABELS[task][:8])
    assert torch.equal(images, IMAGES[:8])
    row_of = {image.numpy().tobytes(): row for row, image in enumerate(IMAGES)}
    for images, labels in training_batches(data.train, Recipe(batch_size=4), 0, 0):
        rows = [row_of[image.numpy().tobytes()] for image in images]
        assert torch.equal(labels, LABELS[task][rows])


WRONG = {
    "classification": [(LABELS["classification"] + 1, "found labels from 1 to 3; allowed: from 0 to 2")],
    "multilabel": [
        (LABELS["multilabel"] * 2, "found labels from 0 to 2; allowed: from 0 to 1"),
        (LABELS["multilabel"][:, :2], r"found labels \(12, 2\) for the task 'multilabel'; allowed: \(12, 3\)"),
    ],
    "segmentation": [
        (LABELS["segmentation"] + 1, "found labels from 1 to 3; allowed: from 0 to 2, or 255 where there is none"),
        (LABELS["segmentation"][:, :5], r"found labels \(12, 5, 8\) .* allowed: \(12, 6, 8\)"),
    ],
    "regression": [
        (LABELS["regression"] / 0, "found values that are no finite numbers"),
        (LABELS["regression"][:, 0], r"found labels \(12,\) for the task 'regression'; allowed: \(12, 3\)"),
    ],
}


@pytest.mark.parametrize("task", WRONG)
def test_labels_that_the_task_does_not_have_are_refused(task):
    for labels, message in WRONG[task]:
        with pytest.raises(ValueError, match=message):
            data_of(task, labels)


def test_void_is_no_class_and_statistics_of_values_are_needed():
    masks = LABELS["segmentation"].clone()
    masks[3] = VOID
    assert data_of("segmentation", masks).classes == 3
    with pytest.raises(ValueError, match="allowed: 3 numbers each, and target_std above 0"):
        replace(data_of("regression"), target_std=(1.0, 0.0, 1.0))
    with pytest.raises(ValueError, match="allowed: 0 numbers each"):
        replace(data_of("multilabel"), target_mean=(1.0,))


def test_masks_are_flipped_and_cropped_with_their_images_and_padding_is_void():
    """The mask is the image's first channel, so that both must come out alike; computed here by NumPy."""
    masks = IMAGES[:, 0] // 128
    images = masks[:, None].repeat(1, 3, 1, 1)
    mirrored, corners = torch.arange(12) % 2 == 0, torch.randint(0, 5, (12, 2), generator=GENERATOR)
    centres, colour = torch.full((12, 2), 0.5), torch.full((3,), 77, dtype=torch.uint8)
    drawn = Augmentation(mirrored, corners, 2, centres, 4, colour)
    rows = torch.tensor([5, 0, 11])
    moved, shown = augment_masks(masks[rows], drawn, rows), augment(images[rows], drawn, rows)
    for place, row in enumerate(rows.tolist()):
        top, left = corners[row].tolist()
        padded = np.pad(masks[row].numpy(), 2, constant_values=VOID)[top : top + 6, left : left + 8]
        expected = padded[:, ::-1] if mirrored[row] else padded
        assert np.array_equal(moved[place].numpy(), expected)
        covered = (shown[place] == 77).all(0).numpy()
        assert covered.sum() == 16
        seen = ~covered & (expected != VOID)
        assert np.array_equal(shown[place, 0].numpy()[seen], expected[seen])
    assert (moved == VOID).any()
    assert moved.dtype == torch.uint8


def test_training_batches_move_masks_with_images():
    masks = IMAGES[:, 0] // 128
    part = Part(masks[:, None].repeat(1, 3, 1, 1), masks)
    recipe = Recipe(batch_size=4, horizontal_flip=True, crop_padding=2)
    for images, labels in training_batches(part, recipe, 3, 1):
        inside = labels != VOID
        assert torch.equal(images[:, 0][inside], labels[inside])
        assert not inside.all()


@pytest.mark.parametrize("task", ["multilabel", "segmentation", "regression"])
def test_a_share_is_seeded_of_all_and_part_of_a_larger_one(task):
    data = data_of(task)
    few, more = reduced(data, 0.25, 1), reduced(data, 0.5, 1)
    assert (len(few.train), len(more.train), len(few.validation)) == (3, 6, 12)
    contents = [{image.numpy().tobytes() for image in one.train.images} for one in (few, more)]
    assert contents[0] < contents[1]
    assert torch.equal(few.train.labels, reduced(data, 0.25, 1).train.labels)
    assert few.target_std == data.target_std


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("multilabel", "the label of 1 image changed (from {} to {})"),
        ("segmentation", "the label of 1 image changed (from mask "),
        ("regression", "the label of 1 image changed (from "),
    ],
)
def test_a_changed_label_changes_digest_and_fingerprint_and_is_named(task, message):
    data, labels = data_of(task), LABELS[task].clone()
    labels[4].view(-1)[0] = 1 - labels[4].view(-1)[0].clamp(0, 1)
    changed = replace(data, test=Part(IMAGES, labels))
    assert data.digest == changed.digest  # on which no test image has an effect
    assert replace(data, train=Part(IMAGES, labels)).digest != data.digest
    before, now = fingerprint(data), fingerprint(changed)
    assert [part for part in now.parts if now.parts[part] != before.parts[part]] == ["test"]
    names = [
        ", ".join(name for name, has in zip("abc", row[4].tolist(), strict=True) if has) or "no label"
        for row in (LABELS[task], labels)
        if task == "multilabel"
    ]
    (line,) = image_changes(before, now, data.class_names, data.class_names)
    assert message.format(*names) in line


def test_the_same_labels_of_another_task_are_another_question():
    """0 and 1 as labels, or as values."""
    values = LABELS["multilabel"].float()
    assert data_of("multilabel").digest != data_of("regression", values).digest


def test_facts_name_the_task_and_old_ones_are_read():
    facts = data_of("regression").facts
    assert (facts.task, facts.target_std) == ("regression", (1.0, 1.0, 1.0))
    reader = TypeAdapter(ImageFacts)
    assert reader.validate_python(asdict(facts)) == facts
    old = {name: value for name, value in asdict(facts).items() if name not in ("task", "target_mean", "target_std")}
    read = reader.validate_python(old)
    assert (read.task, read.target_mean, read.target_std) == ("classification", (), ())
    stored = complete({"images": old, "data": {"kind": "folder"}})
    assert stored["images.task"] == "classification"
    assert (stored["images.target_std"], stored["data.masks"], stored["data.label_columns"]) == ([], None, [])


@pytest.mark.parametrize("source", [Digits(), Planted(), Torchvision(name="CIFAR10", path="p")])
def test_images_with_a_class_each_are_refused_for_other_tasks(source, tmp_path):
    with pytest.raises(InputError, match=f"found '{source.kind}' with the task 'segmentation'.* allowed: 'folder'"):
        load_data(source, tmp_path, task="segmentation")
    with pytest.raises(InputError, match="found the task 'segmentation' without masks, the folder of them"):
        load_data(ImageFolder(path="p"), tmp_path, task="segmentation")


GEOMETRIC = [
    {"name": "RandomHorizontalFlip", "p": 1.0},
    {"name": "RandomRotation", "degrees": [90, 90]},
    {"name": "RandomRotation", "degrees": [45, 45], "fill": 200},
    {"name": "RandomResizedCrop", "size": [8, 8], "interpolation": 0},
    {"name": "RandomErasing", "p": 1.0},
    "ColorJitter",
]


@pytest.mark.parametrize("said", GEOMETRIC)
def test_transforms_of_torchvision_move_masks_with_images_and_what_comes_in_is_void(said):
    """A mask of large numbers is the image's first channel, so that both must be moved alike."""
    pytest.importorskip("torchvision")
    masks = torch.randint(1, 5, (12, 8, 8), dtype=torch.uint8, generator=GENERATOR)
    masks[0, 0, 0] = VOID
    part = Part(masks[:, None].repeat(1, 3, 1, 1), masks)
    moved = 0
    for images, labels in training_batches(part, Recipe(batch_size=4, transforms=(said,)), 0, 0):
        assert (labels.dtype, labels.shape) == (torch.uint8, (4, 8, 8))
        inside = (labels != VOID) & (images[:, 0] != 0)
        if said != "ColorJitter":
            assert torch.equal(images[:, 0][inside], labels[inside])
            assert {*labels.unique().tolist()} <= {1, 2, 3, 4, VOID}
        moved += int((labels == VOID).sum())
    assert (moved > 20) == (isinstance(said, dict) and said.get("degrees") == [45, 45])


def test_transforms_that_move_images_alone_are_refused_where_there_are_masks():
    pytest.importorskip("torchvision")
    part = Part(IMAGES, LABELS["segmentation"])
    for name, message in (
        (
            "torchvision.transforms:RandomVerticalFlip",
            "is called with an image alone, and its mask would stay; allowed:",
        ),
        ("RandAugment", "recipe.transforms: RandAugment: .*Mask are not supported by RandAugment"),
    ):
        batches = training_batches(part, Recipe(transforms=(name,)), 0, 0)
        with pytest.raises(InputError, match=message):
            list(batches)
