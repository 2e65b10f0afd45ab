"""Columns of Parquet files that hold several labels, values or masks; each written and read here by pyarrow alone."""

import json
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from nas_attn.data import load_data
from nas_attn.settings import Parquet
from nas_attn.space import InputError

COUNT = 20
SETS = [[0], [2], [0, 2], []]
HAS = [SETS[row % 4] for row in range(COUNT)]


def encoded(pixels):
    content = BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return {"bytes": content.getvalue(), "path": None}


def images():
    return [encoded(np.full((4, 6, 3), 10 * row, dtype=np.uint8)) for row in range(COUNT)]


def write(file, feature=None, **columns):
    table = pa.table({"image": images(), **columns})
    if feature is not None:
        metadata = {"info": {"features": {"labels": feature}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
    pq.write_table(table, file, row_group_size=7)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "images.parquet"


def load(file, task, **settings):
    return load_data(Parquet(path=file.name, **settings), file.parent, task=task)


def refuse(file, task, **settings):
    with pytest.raises(InputError) as caught:
        load(file, task, **settings)
    return str(caught.value).removeprefix(f"{file}: ")


def by_row(data):
    """The labels of each image by its row in the file."""
    found = {}
    for part in (data.train, data.validation, data.test):
        for row in range(len(part)):
            found[int(part.images[row, 0, 0, 0]) // 10] = part.labels[row].numpy()
    return [found[row] for row in range(COUNT)]


def named(data):
    return [{data.class_names[place] for place in np.flatnonzero(row)} for row in by_row(data)]


CLASSES = {"names": ["cat", "dog", "owl"], "_type": "ClassLabel"}


@pytest.mark.parametrize(
    "feature", [{"feature": CLASSES, "_type": "Sequence"}, {"feature": CLASSES, "_type": "List"}, [CLASSES]]
)
def test_lists_of_class_indices_have_the_names_of_the_metadata(file, feature):
    write(file, feature, labels=HAS)
    data = load(file, "multilabel", label_column="labels")
    assert (data.class_names, data.train.labels.dtype) == (("cat", "owl"), torch.uint8)
    assert named(data) == [{CLASSES["names"][place] for place in row} for row in HAS]


def test_lists_of_texts_name_themselves_and_lists_of_0_and_1_have_a_place_for_each(file):
    write(file, labels=[["ab"[place // 2] for place in row] for row in HAS])
    assert named(load(file, "multilabel", label_column="labels")) == [
        {"ab"[place // 2] for place in row} for row in HAS
    ]
    hot = [[int(place in row) for place in range(3)] for row in HAS]
    for vectors in (hot, np.array(hot, dtype=float).tolist(), np.array(hot, dtype=bool).tolist()):
        write(file, labels=vectors)
        data = load(file, "multilabel", label_column="labels")
        assert data.class_names == ("0", "1", "2")
        assert [row.tolist() for row in by_row(data)] == hot


def test_columns_of_0_and_1_are_labels_in_the_order_in_which_they_are_named(file):
    write(file, owl=[int(2 in row) for row in HAS], cat=[0 in row for row in HAS])
    data = load(file, "multilabel", label_columns=("cat", "owl"))
    assert data.class_names == ("cat", "owl")
    assert [row.tolist() for row in by_row(data)] == [[0 in row, 2 in row] for row in HAS]


def test_values_come_from_a_column_from_several_or_from_lists(file):
    x, y = [0.5 * row for row in range(COUNT)], [row**2 for row in range(COUNT)]
    write(file, label=x, y=y, point=[[a, b] for a, b in zip(x, y, strict=True)])
    both = np.array([x, y], dtype=np.float32).T
    for settings, names in (
        ({"label_columns": ("label", "y")}, ("label", "y")),
        ({"label_column": "point"}, ("point_0", "point_1")),
    ):
        data = load(file, "regression", **settings)
        assert (data.class_names, data.train.labels.dtype) == (names, torch.float32)
        assert np.array_equal(by_row(data), both)
    alone = load(file, "regression")
    assert np.array_equal(by_row(alone), both[:, :1])
    assert np.allclose(alone.target_std, alone.train.labels.numpy().std(0))


def test_masks_stand_in_a_column_of_their_own(file, tmp_path):
    masks = np.random.default_rng(0).integers(0, 3, (COUNT, 4, 6), dtype=np.uint8)
    write(file, mask=[encoded(mask) for mask in masks])
    data = load(file, "segmentation", mask_column="mask", class_names=("a", "b", "c"))
    assert (data.class_names, data.train.labels.dtype) == (("a", "b", "c"), torch.uint8)
    assert np.array_equal(by_row(data), masks)
    limited = load(file, "segmentation", mask_column="mask", limit=10)
    assert [len(part) for part in (limited.train, limited.validation, limited.test)] == [6, 2, 2]
    parts = tmp_path / "parts"
    parts.mkdir()
    table = pq.read_table(file)
    pq.write_table(table.slice(0, 16), parts / "train.parquet"), pq.write_table(table.slice(16), parts / "test.parquet")
    apart = load(parts, "segmentation", mask_column="mask")
    assert len(apart.test) == 4
    assert np.array_equal(by_row(apart), masks)


@pytest.mark.parametrize(
    ("task", "columns", "settings", "message"),
    [
        (
            "multilabel",
            {"labels": [[0], [-1]] * 10},
            {"label_column": "labels"},
            "row 1: labels: found -1; a class index is 0",
        ),
        (
            "multilabel",
            {"labels": [[0], [3]] * 10},
            {"label_column": "labels", "class_names": ("a", "b")},
            "row 1: labels: found 3; allowed: 0 to 1, for there are 2 names",
        ),
        (
            "multilabel",
            {"labels": [["a"], ["c"]] * 10},
            {"label_column": "labels", "class_names": ("a", "b")},
            "row 1: labels: found 'c'; class_names: allowed: a, b",
        ),
        (
            "multilabel",
            {"a": [0, 1] * 10, "b": [0.5, 1.0] * 10},
            {"label_columns": ("a", "b")},
            "row 0: b: found 0.5; allowed: 0 or 1",
        ),
        ("multilabel", {"a": [0, 1] * 10}, {}, "has no column 'label' for label_column; allowed: image, a"),
        ("regression", {"label": [1.0, float("nan")] * 10}, {}, "row 1: label: found nan; allowed: a finite number"),
        ("regression", {"label": [1.0, None] * 10}, {}, "row 1: label: found nothing; allowed: a finite number"),
        (
            "regression",
            {"label": [[1.0, 2.0], [1.0]] * 10},
            {},
            "row 1: label: found [1.0]; allowed: a list of 2 numbers",
        ),
        ("regression", {"label": ["a", "b"] * 10}, {}, "row 0: label: found 'a'; allowed: a finite number"),
        (
            "segmentation",
            {"label": [1] * 20},
            {"mask_column": "mask"},
            "has no column 'mask' for mask_column; allowed: image",
        ),
        ("segmentation", {"mask": [1] * 20}, {"mask_column": "mask"}, "mask: found int64; mask_column must hold bytes"),
        (
            "classification",
            {"label": [[0], [1]] * 10},
            {},
            "label: found list<element: int64>; label_column must hold whole",
        ),
    ],
)
def test_a_fault_names_row_column_and_what_is_allowed(file, task, columns, settings, message):
    write(file, **columns)
    assert message in refuse(file, task, **settings)
