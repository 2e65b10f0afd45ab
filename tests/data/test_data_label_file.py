"""A folder of images with a table of labels, as people write such tables; read again here by pandas and by hand."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from nas_attn.data import load_data
from nas_attn.settings import ImageFolder
from nas_attn.space import InputError

COUNT = 20
TAGS = [{"cat"}, {"dog"}, {"cat", "dog"}, set()]


def level(part, row):
    """The grey level by which the image of a row is known again."""
    return int(part.images[row, 0, 0, 0])


@pytest.fixture
def photos(tmp_path):
    """Twenty images 000.png to 019.png, each of a grey level of its own, ten times its number."""
    (tmp_path / "photos").mkdir()
    for number in range(COUNT):
        paint(tmp_path / "photos" / f"{number:03}.png", 10 * number)
    return tmp_path


def paint(file, grey):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (5, 4), (grey, grey, grey)).save(file)


def names():
    return [f"{number:03}.png" for number in range(COUNT)]


def load(folder, task, **settings):
    source = ImageFolder(path="photos", **{"labels": "labels.csv", **settings})
    return load_data(source, folder, task=task)


def refuse(folder, task, **settings):
    with pytest.raises(InputError) as caught:
        load(folder, task, **settings)
    return str(caught.value)


def tagged(data):
    """The names of the labels of each image, by its number."""
    found = {}
    for part in (data.train, data.validation, data.test):
        for row in range(len(part)):
            has = {data.class_names[place] for place in torch.nonzero(part.labels[row]).flatten().tolist()}
            found[level(part, row) // 10] = has
    return found


def tags():
    return {number: TAGS[number % 4] for number in range(COUNT)}


def joined(separator, nothing=""):
    return [separator.join(sorted(TAGS[number % 4])) or nothing for number in range(COUNT)]


TABLES = {
    "planet": ({"image_name": [f"{n:03}" for n in range(COUNT)], "tags": joined(" ")}, {}),
    "chest_x_ray": (
        {"Image Index": names(), "Finding Labels": joined("|", "No Finding"), "Patient Age": [4] * COUNT},
        {"label_column": "Finding Labels"},
    ),
    "commas": ({"filename": names(), "labels": joined(", ")}, {}),
    "semicolons": ({"id": [f"{n:03}" for n in range(COUNT)], "labels": joined(";")}, {}),
    "one_hot": (
        {
            "file_name": names(),
            "cat": [int("cat" in TAGS[n % 4]) for n in range(COUNT)],
            "dog": [int("dog" in TAGS[n % 4]) for n in range(COUNT)],
        },
        {"label_columns": ("cat", "dog")},
    ),
    "booleans": (
        {
            "file_name": names(),
            "cat": ["cat" in TAGS[n % 4] for n in range(COUNT)],
            "dog": ["yes" if "dog" in TAGS[n % 4] else "no" for n in range(COUNT)],
        },
        {"label_columns": ("cat", "dog")},
    ),
    "python_lists": (
        {"path": [f"photos/{name}" for name in names()], "labels": [str(sorted(TAGS[n % 4])) for n in range(COUNT)]},
        {},
    ),
    "an_index_too": ({"Unnamed: 0": range(COUNT), "image": names(), "tags": joined(" ")}, {}),
    "windows_paths": ({"image": [f"C:\\me\\photos\\{name}" for name in names()], "tags": joined(" ")}, {}),
    "another_suffix": ({"image": [name.replace("png", "jpg") for name in names()], "tags": joined(" ")}, {}),
}


@pytest.mark.parametrize("form", TABLES)
def test_any_number_of_labels_in_the_forms_of_the_world(photos, form):
    columns, settings = TABLES[form]
    pd.DataFrame(columns).to_csv(photos / "labels.csv", index=False)
    data = load(photos, "multilabel", **settings)
    assert (data.task, data.class_names, data.train.labels.dtype) == ("multilabel", ("cat", "dog"), torch.uint8)
    assert data.train.labels.shape == (len(data.train), 2)
    assert tagged(data) == tags()


@pytest.mark.parametrize("suffix", [".tsv", ".jsonl", ".json", ".parquet"])
def test_the_suffix_says_how_a_table_is_read(photos, suffix):
    lists = [sorted(TAGS[n % 4]) for n in range(COUNT)]
    frame = pd.DataFrame({"file_name": names(), "objects": joined(" ") if suffix == ".tsv" else lists})
    file = photos / f"labels{suffix}"
    if suffix == ".tsv":
        frame.to_csv(file, sep="\t", index=False)
    elif suffix == ".parquet":
        frame.to_parquet(file)
    else:
        frame.to_json(file, orient="records", lines=suffix == ".jsonl")
    assert tagged(load(photos, "multilabel", labels=file.name)) == tags()


def test_spreadsheets_of_other_countries_and_their_byte_order_mark_are_read(photos):
    frame = pd.DataFrame({"file_name": names(), "labels": joined(" ")})
    (photos / "labels.csv").write_text(frame.to_csv(sep=";", index=False), encoding="utf-8-sig")
    assert tagged(load(photos, "multilabel")) == tags()


def test_a_row_for_each_label_is_joined_by_image(photos, caplog):
    rows = [(f"{n:03}.png", tag) for n in range(COUNT) for tag in sorted(TAGS[n % 4]) or [""]]
    pd.DataFrame(rows, columns=["image", "label"]).to_csv(photos / "labels.csv", index=False)
    assert tagged(load(photos, "multilabel")) == tags()
    assert "5 images have several rows, whose labels are joined" in caplog.text


def test_no_finding_is_no_label_which_the_log_says_unless_it_has_a_name(photos, caplog):
    pd.DataFrame({"image": names(), "label": joined("|", "No Finding")}).to_csv(photos / "labels.csv", index=False)
    assert load(photos, "multilabel").class_names == ("cat", "dog")
    assert "label: 'No Finding' stands for no label, in 5 rows" in caplog.text
    named = load(photos, "multilabel", class_names=("dog", "No Finding", "cat"))
    assert named.class_names == ("dog", "No Finding", "cat")
    assert tagged(named)[3] == {"No Finding"}


def test_labels_that_are_numbers_go_by_their_names(photos):
    pd.DataFrame({"id": range(COUNT), "target": ["3 0", "3"] * 10}).to_csv(photos / "labels.csv", index=False)
    assert "row 0: id: found '0', which is no image in" in refuse(photos, "multilabel")
    table = pd.DataFrame({"id": [f"{n:03}" for n in range(COUNT)], "target": ["3 0", "3"] * 10})
    table.to_csv(photos / "labels.csv", index=False)
    data = load(photos, "multilabel")
    assert data.class_names == ("0", "3")
    assert tagged(data)[0] == {"0", "3"}
    named = load(photos, "multilabel", class_names=("a", "b", "c", "d"))
    assert (named.class_names, tagged(named)[0]) == (("a", "d"), {"a", "d"})


def test_each_image_may_have_one_class_by_name_by_number_or_by_columns(photos):
    words = [("low", "high")[n % 2] for n in range(COUNT)]
    for column, expected in ((words, ("high", "low")), ([n % 2 for n in range(COUNT)], ("0", "1"))):
        pd.DataFrame({"image": names(), "label": column}).to_csv(photos / "labels.csv", index=False)
        data = load(photos, "classification")
        assert (data.class_names, data.train.labels.dtype) == (expected, torch.int64)
        for row in range(len(data.train)):
            number = level(data.train, row) // 10
            assert data.class_names[data.train.labels[row]] == str(column[number])
    hot = {"low": [float(n % 2 == 0) for n in range(COUNT)], "high": [float(n % 2) for n in range(COUNT)]}
    pd.DataFrame({"image": names(), **hot}).to_csv(photos / "labels.csv", index=False)
    data = load(photos, "classification", label_columns=("low", "high"))
    assert data.class_names == ("low", "high")
    assert all(data.train.labels[row] == level(data.train, row) // 10 % 2 for row in range(len(data.train)))


def test_values_keep_their_units_and_their_statistics_are_of_the_part_that_trains(photos):
    ages, heights = [20.5 + n for n in range(COUNT)], [-(n**2) for n in range(COUNT)]
    frame = pd.DataFrame({"image": names(), "age": ages, "height": heights})
    frame.to_csv(photos / "labels.csv", index=False)
    data = load(photos, "regression", label_columns=("age", "height"))
    assert (data.class_names, data.train.labels.dtype) == (("age", "height"), torch.float32)
    for part in (data.train, data.validation, data.test):
        for row in range(len(part)):
            assert part.labels[row].tolist() == frame.loc[level(part, row) // 10, ["age", "height"]].tolist()
    trained = data.train.labels.numpy().astype(float)
    assert np.allclose(data.target_mean, trained.mean(0))
    assert np.allclose(data.target_std, trained.std(0))
    assert data.facts.target_std == data.target_std
    one = load(photos, "regression", label_column="age")
    assert (one.class_names, one.train.labels.shape) == (("age",), (len(one.train), 1))


FAULTS = [
    (
        "multilabel",
        {"image": names(), "cat": [0, 1, 2, 0] * 5, "dog": [1] * 20},
        {"label_columns": ("cat", "dog")},
        "002.png: cat: found 2; allowed: 0 or 1",
    ),
    (
        "multilabel",
        {"image": names(), "cat": [0, 1, None, 0] * 5, "dog": [1] * 20},
        {"label_columns": ("cat", "dog")},
        "002.png: cat: found nothing; allowed: 0 or 1",
    ),
    (
        "multilabel",
        {"image": names(), "cat": [1] * 20, "dog": [1] * 20},
        {"label_columns": ("cat", "dogs")},
        "has no column 'dogs' for label_columns; did you mean 'dog'? allowed: image, cat, dog",
    ),
    (
        "multilabel",
        {"image": names(), "cat": [1] * 20, "dog": [1] * 20},
        {},
        "label_column is missing; allowed: cat, dog, or several as label_columns",
    ),
    ("multilabel", {"image": names(), "label": ["cat"] * 20}, {}, "has one label, 'cat'; there must be two or more"),
    ("multilabel", {"image": names(), "label": [""] * 20}, {}, "has no label; there must be two or more"),
    (
        "multilabel",
        {"picture": names(), "image": names(), "label": [1] * 20},
        {},
        "has columns of files: picture, image; name it as file_column",
    ),
    ("multilabel", {"foo": names(), "label": [1] * 20}, {}, "has no column that is named as one of files; name it as"),
    (
        "multilabel",
        {"image": ["x.png", *names()[1:]], "label": ["a b"] * 20},
        {},
        "row 0: image: found 'x.png', which is no image in",
    ),
    (
        "classification",
        {"image": names(), "label": ["a", ""] * 10},
        {},
        "001.png: label: found nothing; allowed: a class",
    ),
    (
        "classification",
        {"image": names(), "a": [1, 0] * 10, "b": [1, 1] * 10},
        {"label_columns": ("a", "b")},
        "000.png: a, b: found ['a', 'b']; allowed: a 1 in one of them; any number of labels an image is the task",
    ),
    ("regression", {"image": names(), "age": [3, "x"] * 10}, {}, "001.png: age: found 'x'; allowed: a finite number"),
    ("regression", {"image": names(), "age": [3, None] * 10}, {}, "001.png: age: found nothing; allowed: a finite"),
    ("regression", {"image": names(), "age": [3] * 20}, {}, "age is 3 for every image that trains"),
    (
        "regression",
        {"image": [*names()[1:], "001.png"], "age": range(20)},
        {},
        "rows 0 and 19 are both of 001.png, but age is 0 and 19; leave one of them",
    ),
]


@pytest.mark.parametrize(("task", "columns", "settings", "message"), FAULTS)
def test_a_fault_names_row_column_and_what_is_allowed(photos, task, columns, settings, message):
    pd.DataFrame(columns).to_csv(photos / "labels.csv", index=False)
    assert message in refuse(photos, task, **settings)


def test_a_table_that_is_not_there_or_is_none_is_reported(photos):
    assert "data.labels: found 'labels.csv', but there is no such file; sought:" in refuse(photos, "multilabel")
    (photos / "labels.xlsx").write_bytes(b"PK")
    message = refuse(photos, "multilabel", labels="labels.xlsx")
    assert "is no table of labels; allowed: .csv, .tsv, .json, .jsonl, .parquet" in message
    (photos / "labels.csv").write_text("image,label\n")
    assert "has no rows" in refuse(photos, "multilabel")


def test_parts_have_a_table_of_their_own_or_one_for_all(photos):
    for part, numbers in (("train", range(14)), ("val", range(14, 17)), ("test", range(17, 20))):
        for number in numbers:
            file = photos / "photos" / f"{number:03}.png"
            (photos / "photos" / part).mkdir(exist_ok=True)
            file.rename(file.parent / part / file.name)
        rows = {"file_name": [f"{n:03}.png" for n in numbers], "label": [joined(" ")[n] for n in numbers]}
        pd.DataFrame(rows).to_csv(photos / "photos" / part / "metadata.csv", index=False)
    own = load(photos, "multilabel", labels="metadata.csv")
    assert [len(part) for part in (own.train, own.validation, own.test)] == [14, 3, 3]
    assert tagged(own) == tags()
    for form in ("{:03}.png", "{part}/{:03}.png"):
        parts = ["train"] * 14 + ["val"] * 3 + ["test"] * 3
        files = [form.format(n, part=parts[n]) for n in range(COUNT)]
        pd.DataFrame({"file_name": files, "label": joined(" ")}).to_csv(photos / "labels.csv", index=False)
        shared = load(photos, "multilabel")
        assert torch.equal(shared.test.labels, own.test.labels)
        assert tagged(shared) == tags()


def test_rows_and_images_that_have_no_other_half(photos, caplog):
    pd.DataFrame({"image": names()[:15], "label": joined(" ")[:15]}).to_csv(photos / "labels.csv", index=False)
    data = load(photos, "multilabel")
    assert sum(map(len, (data.train, data.validation, data.test))) == 15
    assert "passed over: 5 images without a row in" in caplog.text


def test_a_rare_label_is_in_every_part_and_the_shares_hold(tmp_path):
    count = 100
    rng = np.random.default_rng(0)
    for number in range(count):
        file = tmp_path / "photos" / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).save(file)
    often, seldom = (np.arange(count) % 2 == 0).astype(int), (np.arange(count) < 10).astype(int)
    pd.DataFrame({"id": range(count), "often": often, "seldom": seldom}).to_csv(tmp_path / "labels.csv", index=False)
    data = load(tmp_path, "multilabel", label_columns=("often", "seldom"))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [60, 20, 20]
    assert [int(part.labels[:, 1].sum()) for part in (data.train, data.validation, data.test)] == [6, 2, 2]
    again = load(tmp_path, "multilabel", label_columns=("often", "seldom"))
    assert torch.equal(data.train.labels, again.train.labels)


def test_copies_with_other_labels_are_counted(photos, caplog):
    (photos / "photos" / "019.png").write_bytes((photos / "photos" / "000.png").read_bytes())
    pd.DataFrame({"image": names(), "label": joined(" ")}).to_csv(photos / "labels.csv", index=False)
    with caplog.at_level(logging.WARNING):
        load(photos, "multilabel")
    assert "1 images are copies of others (000.png, 019.png)" in caplog.text
    assert "images with more than one set of labels: 1 (000.png)" in caplog.text


def test_groups_and_a_limit_count_for_labels_too(photos):
    pd.DataFrame({"image": names(), "age": range(COUNT)}).to_csv(photos / "labels.csv", index=False)
    data = load(photos, "regression", groups=r"(\d)\.png")  # of the same last digit: ten groups of two
    parts = [
        {level(part, row) // 10 % 10 for row in range(len(part))} for part in (data.train, data.validation, data.test)
    ]
    assert sorted(digit for part in parts for digit in part) == list(range(10))
    message = refuse(photos, "regression", groups=r"^(\d\d)")
    assert "there are 20 images in 2 groups, too few to be in every part" in message
    limited = load(photos, "regression", limit=10)
    assert [len(part) for part in (limited.train, limited.validation, limited.test)] == [6, 2, 2]


WRITTEN = [
    ("regression", "datei;höhe\n", "{:03}.png;{},5\n", "cp1252", {"file_column": "datei", "label_column": "höhe"}),
    ("regression", "file;value\n", "{:03}.png;{},5\n", "utf-8", {}),
    ("regression", '"file", "value"\n', '"{:03}.png", "{}.5"\n\n', "utf-8", {}),
    ("regression", "file,value\r\n", "{:03}.png,{}.50\r\n", "utf-8-sig", {}),
]


@pytest.mark.parametrize(("task", "head", "line", "encoding", "settings"), WRITTEN)
def test_texts_are_read_as_programs_and_countries_write_them(photos, task, head, line, encoding, settings):
    text = head + "".join(line.format(number, number) for number in range(COUNT))
    (photos / "labels.csv").write_bytes(text.encode(encoding))
    data = load(photos, task, **settings)
    assert all(data.train.labels[row, 0] == level(data.train, row) // 10 + 0.5 for row in range(len(data.train)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("000.png,1\n001.png,2\n", "its first line is ['000.png', '1']; it must name the columns, as image,label"),
        ("image,label\n000.png,a\n001.png,a,b\n", "a cell with ',' in it must stand in double quotes"),
        ("image,label\n000.png,a,b\n001.png,a,b\n", "found rows with more cells than the 2 columns of its first line"),
    ],
)
def test_lines_that_make_no_table_are_reported(photos, text, message):
    (photos / "labels.csv").write_text(text)
    assert message in refuse(photos, "multilabel")


def test_a_column_that_names_parts_and_objects_that_are_no_labels_are_reported(photos, caplog):
    parts = ["train", "test"] * 10
    pd.DataFrame({"image": names(), "label": joined(" "), "split": parts}).to_csv(photos / "labels.csv", index=False)
    load(photos, "multilabel")
    assert "its column split is not used; give each part a folder of its own" in caplog.text
    boxes = pd.DataFrame({"image": names(), "objects": [{"bbox": [1, 2]}] * COUNT})
    boxes.to_json(photos / "labels.jsonl", orient="records", lines=True)
    message = refuse(photos, "multilabel", labels="labels.jsonl")
    assert "000.png: objects: found {'bbox': [1, 2]}; allowed: labels, as texts or as whole numbers" in message


def test_a_part_inside_another_keeps_its_images(photos):
    """The validation images lie in a folder of the one that trains."""
    for number in range(16, 20):
        file = photos / "photos" / f"{number:03}.png"
        (photos / "photos" / "later").mkdir(exist_ok=True)
        file.rename(file.parent / "later" / file.name)
    pd.DataFrame({"image": names(), "label": joined(" ")}).to_csv(photos / "labels.csv", index=False)
    data = load(photos, "multilabel", val_path="photos/later")
    assert (len(data.validation), len(data.train) + len(data.test)) == (4, 16)
    assert {level(data.validation, row) // 10 for row in range(4)} == {16, 17, 18, 19}
    assert tagged(data) == tags()
