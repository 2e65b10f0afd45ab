"""Parts by what images hold: names move nothing, copies and groups stay together, and that is told."""

import shutil
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nas_attn.data import fingerprint, load_data
from nas_attn.settings import ImageFolder, Parquet
from nas_attn.space import InputError

CLASSES = ("cat", "dog")
PARTS = ("train", "validation", "test")


def png(number, label):
    """An image that no other number has, whose first pixel is its number."""
    pixels = np.random.default_rng((number, label)).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    pixels[0, 0] = number, label, 0
    content = BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def write(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


@pytest.fixture
def pets(tmp_path):
    for label, name in enumerate(CLASSES):
        for number in range(20):
            write(tmp_path / "pets" / name / f"{number:03}.png", png(number, label))
    return tmp_path / "pets"


def load(pets, **settings):
    return load_data(ImageFolder(path=pets.name, **settings), pets.parent)


def members(data):
    """The images of each part: number and class of its first pixel, with its label."""
    found = []
    for part in (data.train, data.validation, data.test):
        first = part.images[:, :2, 0, 0].tolist()
        found.append(
            sorted((number, label, int(told)) for (number, label), told in zip(first, part.labels, strict=True))
        )
    return found


RENAMED = {
    "one file": lambda pets: (pets / "cat" / "003.png").rename(pets / "cat" / "zebra.png"),
    "every file": lambda pets: [file.rename(file.with_name(f"{file.stem[::-1]}x.png")) for file in pets.rglob("*.png")],
    "into sub-folders": lambda pets: shutil.move(
        pets / "dog" / "001.png", (pets / "dog" / "deep").mkdir() or pets / "dog" / "deep"
    ),
    "with another suffix": lambda pets: (pets / "cat" / "000.png").rename(pets / "cat" / "000.PNG"),
    "the folder itself": None,
}


@pytest.mark.parametrize("renamed", RENAMED)
def test_a_name_moves_no_image_into_another_part(pets, renamed):
    before = load(pets)
    pets = RENAMED[renamed](pets) and pets if RENAMED[renamed] else pets.rename(pets.parent / "animals")
    after = load(pets)
    assert [len(part) for part in members(after)] == [24, 8, 8]
    assert members(after) == members(before)
    assert fingerprint(after) == fingerprint(before)
    assert (after.train.images == before.train.images).all()  # in the same order too


def test_another_seed_divides_otherwise_and_order_is_as_it_was(pets):
    assert members(load(pets)) != members(load(pets, split_seed=1))
    by_order = load(pets, split_by="order")
    (pets / "cat" / "003.png").rename(pets / "cat" / "zebra.png")
    assert members(load(pets, split_by="order")) != members(by_order)


def test_copies_stay_in_one_part_which_is_told(pets, caplog):
    for number in range(0, 20, 2):
        shutil.copy(pets / "cat" / f"{number:03}.png", pets / "cat" / f"copy of {number}.png")
    data = load(pets)
    parts = members(data)
    assert sum(map(len, parts)) == 50
    for number in range(20):
        assert sum((number, 0, 0) in part for part in parts) == 1
    assert caplog.messages == [
        f"{pets}: 10 images are copies of others (cat/000.png, cat/copy of 0.png); copies stay in one part"
    ]


def test_an_image_with_two_classes_is_told_and_stays_in_one_part(pets, caplog):
    shutil.copy(pets / "cat" / "005.png", pets / "dog" / "mistake.png")
    parts = members(load(pets))
    assert [{(5, 0, 0), (5, 0, 1)} <= set(part) for part in parts].count(True) == 1
    assert caplog.messages[1] == f"{pets}: images with more than one class: 1 (cat/005.png: cat, dog)"


def test_copies_in_a_part_that_stands_apart_are_told(pets, caplog):
    for name in CLASSES:
        shutil.copytree(pets / name, pets.parent / "apart" / name)
    data = load(pets, test_path="apart")
    assert len(data.test) == 40
    (told,) = caplog.messages
    assert told.startswith(
        f"{pets.parent / 'apart'}: 40 images of the test part are copies of others in {pets} (cat/000.png is"
    )


@pytest.mark.parametrize(
    "pattern",
    [r"^\w+/(p\d)", r"(?P<patient>p\d)_", r"p\d", r"(?<=/)p\d(?=_)", r"(p)(\d)_"],
)
def test_images_of_a_patient_stay_in_one_part(tmp_path, pattern):
    pets = tmp_path / "scans"
    for label, name in enumerate(CLASSES):
        for number in range(40):
            write(pets / name / f"p{number % 8}_{number}.png", png(number, label))
    parts = members(load(pets, groups=pattern))
    patients = [{number % 8 for number, _, _ in part} for part in parts]
    assert all(patients)
    assert sum(map(len, patients)) == 8
    assert sum(map(len, parts)) == 80
    for part in parts:
        assert {label for _, _, label in part} == {0, 1}
    assert len(parts[0]) > len(parts[1]) + len(parts[2])


def test_a_pattern_that_finds_nothing_is_told_with_the_file(pets):
    with pytest.raises(InputError, match=r"data\.groups: 'patient.*' finds nothing in 'cat/000\.png'"):
        load(pets, groups=r"patient(\d+)")


def test_too_few_groups_are_told(pets):
    with pytest.raises(InputError, match=r"class 'cat' has .* too few to be in every part"):
        load(pets, groups=r"^(cat|dog)")


def test_validation_images_may_stand_apart(pets, tmp_path):
    for label, name in enumerate(CLASSES):
        for number in range(100, 105):
            write(tmp_path / "mine" / name / f"{number}.png", png(number, label))
    data = load(pets, val_path="mine")
    assert [number for number, _, _ in members(data)[1]] == [n for n in range(100, 105) for _ in CLASSES]
    assert [len(part) for part in members(data)] == [32, 10, 8]


def table(numbers, labels, **more):
    return pa.table({"image": [png(number, label) for number, label in zip(numbers, labels, strict=True)], **more})


LABELS = [0, 1] * 10


def rows(file, **settings):
    return load_data(Parquet(path=str(file.relative_to(file.parents[1])), **settings), file.parents[1])


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([("cat", "dog")[label] for label in LABELS], CLASSES),
        (pa.array([("cat", "dog")[label] for label in LABELS]).dictionary_encode(), CLASSES),
        (pa.array([("cat", "dog")[label] for label in LABELS], pa.large_string()), CLASSES),
        ([bool(label) for label in LABELS], ("False", "True")),
        (pa.array(LABELS, pa.uint8()), ("0", "1")),
        (pa.array([10 + label for label in LABELS]).dictionary_encode(), ("10", "11")),
    ],
)
def test_labels_may_be_words_categories_or_booleans_and_images_plain_bytes(tmp_path, labels, names):
    (tmp_path / "set").mkdir()
    pq.write_table(table(range(20), LABELS, label=labels), tmp_path / "set" / "all.parquet")
    data = rows(tmp_path / "set" / "all.parquet")
    assert data.class_names == names
    for part in members(data):
        assert all(label == told for _, label, told in part)


@pytest.mark.parametrize("path", ["set", "set/*.parquet", "set/data*"])
def test_shards_are_read_together(tmp_path, path):
    (tmp_path / "set").mkdir()
    for shard in range(2):
        numbers = range(20 * shard, 20 * shard + 20)
        pq.write_table(table(numbers, LABELS, label=LABELS), tmp_path / "set" / f"data-0000{shard}-of-00002.parquet")
    data = load_data(Parquet(path=path), tmp_path)
    assert sorted(number for part in members(data) for number, _, _ in part) == list(range(40))
    for part in members(data):
        assert all(label == told == number % 2 for number, label, told in part)


WORDS = ["cat" if label == 0 else "dog" for label in LABELS]


@pytest.mark.parametrize(
    ("one", "other", "names"),
    [
        (pa.array(LABELS, pa.int32()), pa.array(LABELS, pa.int64()), ("0", "1")),
        (pa.array(LABELS, pa.uint8()), pa.array(LABELS).dictionary_encode(), ("0", "1")),
        (pa.array(WORDS), pa.array(WORDS).dictionary_encode(), CLASSES),
        (pa.array(WORDS, pa.large_string()), pa.array(WORDS), CLASSES),
        (
            pa.array(WORDS).dictionary_encode(),
            pa.DictionaryArray.from_arrays([1, 0] * 10, ["dog", "cat"]),
            CLASSES,
        ),
    ],
)
def test_shards_may_store_their_labels_each_in_its_way(tmp_path, one, other, names):
    (tmp_path / "set").mkdir()
    for shard, labels in enumerate((one, other)):
        written = table(range(20 * shard, 20 * shard + 20), LABELS, label=labels)
        pq.write_table(written, tmp_path / "set" / f"data-0000{shard}-of-00002.parquet")
    data = load_data(Parquet(path="set"), tmp_path)
    assert data.class_names == names
    assert sum(map(len, members(data))) == 40
    for part in members(data):
        assert all(label == told for _, label, told in part)


def test_shards_whose_labels_have_nothing_in_common_are_refused(tmp_path):
    (tmp_path / "set").mkdir()
    for shard, labels in enumerate((LABELS, WORDS)):
        pq.write_table(table(range(20), LABELS, label=labels), tmp_path / "set" / f"data-0000{shard}-of-00002.parquet")
    with pytest.raises(InputError, match="label: differs from file to file"):
        load_data(Parquet(path="set"), tmp_path)


def test_a_part_beside_the_one_that_is_named_is_passed_over_which_is_told(tmp_path, caplog):
    for first, part in zip((0, 20, 40), PARTS, strict=True):
        (tmp_path / "set").mkdir(exist_ok=True)
        pq.write_table(table(range(first, first + 20), LABELS, label=LABELS), tmp_path / "set" / f"{part}.parquet")
    pq.write_table(table(range(60, 80), LABELS, label=LABELS), tmp_path / "mine.parquet")
    data = load_data(Parquet(path="set", test_path="mine.parquet"), tmp_path)
    assert [number for number, _, _ in members(data)[2]] == list(range(60, 80))
    assert f"{tmp_path / 'set'}: passed over, for test_path names other images" in caplog.messages


def test_one_of_several_shards_is_told(tmp_path, caplog):
    file = tmp_path / "set" / "train-00000-of-00002.parquet"
    file.parent.mkdir()
    pq.write_table(table(range(20), LABELS, label=LABELS), file)
    rows(file)
    assert f"{file}: is of 1 of 2 shards that are there" in caplog.text


@pytest.mark.parametrize(
    "layout", ["{part}-00000-of-00001.parquet", "data/{part}-00000-of-00001.parquet", "{part}/0000.parquet"]
)
def test_files_of_parts_are_the_parts(tmp_path, layout, caplog):
    for first, part in zip((0, 20, 40), PARTS, strict=True):
        file = tmp_path / "set" / layout.format(part=part)
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table(range(first, first + 20), LABELS, label=LABELS), file)
    data = load_data(Parquet(path="set"), tmp_path)
    for first, part in zip((0, 20, 40), members(data), strict=True):
        assert [number for number, _, _ in part] == list(range(first, first + 20))
    assert f"{tmp_path / 'set'}: Parquet files read, by part: train 1, validation 1, test 1" in caplog.messages


def test_a_column_keeps_groups_together(tmp_path):
    (tmp_path / "set").mkdir()
    patients = [f"p{number % 7}" for number in range(20)]
    pq.write_table(table(range(20), LABELS, label=LABELS, patient=patients), tmp_path / "set" / "all.parquet")
    groups = [
        {number % 7 for number, _, _ in part}
        for part in members(rows(tmp_path / "set" / "all.parquet", group_column="patient"))
    ]
    assert sum(map(len, groups)) == 7
    with pytest.raises(InputError, match="has no column 'person' for group_column"):
        rows(tmp_path / "set" / "all.parquet", group_column="person")
