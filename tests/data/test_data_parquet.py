import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from nas_attn.data import load_data
from nas_attn.settings import Parquet
from nas_attn.space import InputError

CIFAR10 = Path(__file__).parents[3] / "shared" / "data" / "cifar10"


def encoded(level, size=(6, 4)):
    content = BytesIO()
    Image.new("RGB", size, (level, level, level)).save(content, "PNG")
    return {"bytes": content.getvalue(), "path": None}


def write(file, labels, images=None, names=(), label="label", image="image", **more):
    images = [encoded(10 * label) for label in labels] if images is None else images
    table = pa.table({image: images, label: labels, **more})
    if names:
        metadata = {"info": {"features": {label: {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
    pq.write_table(table, file, row_group_size=7)


def load(file, **settings):
    return load_data(Parquet(path=file.name, **settings), file.parent)


def refuse(file, **settings):
    with pytest.raises(InputError) as caught:
        load(file, **settings)
    message = str(caught.value)
    assert message.startswith(str(file))
    return message.removeprefix(f"{file}: ")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "images.parquet"


LABELS = [0, 1, 2] * 10


def test_images_keep_their_labels_and_names(file):
    write(file, LABELS, names=["a", "b", "c"])
    data = load(file)
    assert data.class_names == ("a", "b", "c")
    assert data.image == (3, 4, 6)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [18, 6, 6]
    for part in (data.train, data.validation, data.test):
        assert torch.equal(part.images[:, 0, 0, 0].long(), 10 * part.labels)


def test_classes_without_names_go_by_their_index_and_without_images_are_left_out(file):
    write(file, [1, 5] * 10)
    assert load(file).class_names == ("1", "5")
    assert load(file).train.labels.unique().tolist() == [0, 1]
    write(file, [1, 2] * 10, names=["a", "b", "c"])
    assert load(file).class_names == ("b", "c")


def test_metadata_that_say_something_else_do_no_harm(file):
    table = pa.table({"image": [encoded(label) for label in LABELS], "label": LABELS})
    for metadata in (b"{", b"[]", b'{"info": {"features": {"label": {"dtype": "int64"}}}}'):
        pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), file)
        assert load(file).class_names == ("0", "1", "2")


def test_test_labels_are_matched_by_name(file):
    write(file, LABELS, names=["a", "b", "c"])
    write(file.with_name("test.parquet"), [0, 0, 1], names=["c", "a"])
    data = load(file, test_path="test.parquet")
    assert data.test.labels.tolist() == [2, 2, 0]
    assert [len(part) for part in (data.train, data.validation)] == [24, 6]


def test_a_test_label_that_cannot_be_learnt_is_reported(file):
    write(file, LABELS)
    write(file.with_name("test.parquet"), [0, 3])
    with pytest.raises(InputError, match=r"test.parquet: class '3' is unknown in .*images.parquet"):
        load(file, test_path="test.parquet")


def test_a_limit_is_the_same_share_of_each_class(file):
    write(file, LABELS)
    data = load(file, limit=15)
    labels = torch.cat([part.labels for part in (data.train, data.validation, data.test)])
    assert torch.bincount(labels).tolist() == [5, 5, 5]


def test_what_is_no_parquet_file_is_reported(file):
    assert refuse(file) == "there is no such file"
    file.write_text("label,image")
    assert refuse(file).startswith("is not a Parquet file")
    file.unlink()
    file.mkdir()
    write(file / "part.parquet", LABELS)
    assert len(load(file).train) == 18
    (file / "part.parquet").unlink()
    assert refuse(file) == "holds no Parquet file"


def test_a_missing_label_column_is_reported_with_those_there(file):
    write(file, LABELS, label="labels")
    message = refuse(file)
    assert "has no column 'label' for label_column; did you mean 'labels'? allowed: image, labels" in message
    assert load(file, label_column="labels").classes == 3


def test_a_missing_image_column_is_reported_with_those_there(file):
    write(file, LABELS, image="img")
    assert "'image' for image_column; did you mean 'img'? allowed: img" in refuse(file, image_column="image")
    write(file, LABELS, images=[b"bytes"] * 30)
    assert "row 0: cannot be read as an image" in refuse(file)
    write(file, LABELS, images=["a.png"] * 30)
    assert "no column of images; found image (string), label (int64)" in refuse(file)
    assert "image: found string; image_column must hold bytes" in refuse(file, image_column="image")


def test_one_of_two_image_columns_must_be_named(file):
    write(file, LABELS, mask=[encoded(255)] * 30)
    assert "set image_column to one of image, mask" in refuse(file)
    assert load(file, image_column="mask").train.images.unique().tolist() == [255]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2, -1] * 9, "row 3: label: found -1; a class index is 0 or more"),
        ([0.0, 1.0] * 9, "label: found double; label_column must hold whole numbers"),
        ([0, 1, None] * 9, "label: 9 rows have no label"),
        ([0] * 9, "has one class, '0'"),
        ([0, 1, 1, 1] * 2, "class '0' has 2 images, too few"),
    ],
)
def test_labels_that_name_no_class_are_reported(file, labels, message):
    write(file, labels, images=[encoded(0)] * len(labels))
    assert message in refuse(file)


def test_a_label_beyond_the_names_is_reported(file):
    write(file, LABELS, names=["a", "b"])
    assert refuse(file) == "row 2: label: found 2, but there are 2 names"


def test_a_file_without_rows_is_reported(file):
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    pq.write_table(pa.table({"image": pa.array([], kind), "label": pa.array([], pa.int64())}), file)
    assert refuse(file) == "has no rows"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ({"bytes": b"broken", "path": None}, "row 17: cannot be read as an image"),
        ({"bytes": None, "path": "elsewhere.png"}, "row 17: image: holds no bytes"),
        (encoded(0, size=(3, 3)), "row 17 is 3 x 3 pixels, but"),
    ],
)
def test_a_bad_image_is_named_by_its_row(file, image, message):
    images = [encoded(0)] * 30
    images[17] = image
    write(file, LABELS, images=images)
    with pytest.raises(InputError, match=message):
        load(file)


@pytest.mark.skipif(not CIFAR10.is_dir(), reason="CIFAR-10 is not here")
def test_cifar10_is_read_as_it_is_published():
    source = Parquet(path="train-00000-of-00001.parquet", test_path="test-00000-of-00001.parquet", limit=200)
    data = load_data(source, CIFAR10)
    assert data.image == (3, 32, 32)
    assert data.class_names[:3] == ("airplane", "automobile", "bird")
    assert torch.bincount(data.train.labels).tolist() == [16] * 10
    assert torch.bincount(data.test.labels).tolist() == [1000] * 10
    assert np.allclose(data.mean, (0.49, 0.48, 0.45), atol=0.05)


def test_a_damaged_name_of_a_column_is_reported(tmp_path):
    """Found by changing bytes at random: pyarrow cannot turn the name into text."""
    path = tmp_path / "images.parquet"
    pq.write_table(pa.table({"label": [0, 1], "wörter": ["a", "b"]}), path)
    path.write_bytes(path.read_bytes().replace("wörter".encode(), b"w\xa8\xa8rter"))
    with pytest.raises(InputError, match=r"images\.parquet: is not a Parquet file: .*utf-8"):
        load_data(Parquet(path="images.parquet"), tmp_path)
