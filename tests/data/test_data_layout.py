import logging

import pytest
import torch
from PIL import Image

from nas_attn.data import load_data
from nas_attn.settings import ImageFolder
from nas_attn.space import InputError

COLOURS = {"cat": (200, 0, 0), "dog": (0, 200, 0)}


def paint(folder, count, level=0):
    """Images of the colour of the folder's class, each of which says by its blue to which part it belongs."""
    folder.mkdir(parents=True, exist_ok=True)
    red, green, _ = COLOURS.get(folder.name, (0, 0, 0))
    for number in range(count):
        image = Image.new("RGB", (4, 4), (red, green, level))
        image.putpixel((3, 3), (number, red, len(folder.parts)))  # no image is a copy of another
        image.save(folder / f"{number}.png")


@pytest.fixture
def home(tmp_path):
    return tmp_path / "pets"


def load(home, **settings):
    return load_data(ImageFolder(path=home.name, **settings), home.parent)


def refuse(home, **settings):
    with pytest.raises(InputError) as caught:
        load(home, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def blues(part):
    return part.images[:, 2, 0, 0].tolist()


def classes_are_right(data):
    for part in (data.train, data.validation, data.test):
        shown = [tuple(colour) for colour in part.images[:, :2, 0, 0].tolist()]
        assert shown == [COLOURS[data.class_names[label]][:2] for label in part.labels]


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Training", "Validation", "Testing"),
        ("TRAIN", "valid", "evaluation"),
        ("train", "dev", "eval"),
        ("training_set", "val-images", "Test Set"),
        ("seg_train", "validset", "seg_test"),
    ],
)
def test_folders_called_as_parts_are_the_parts(home, train, validation, test, caplog):
    for level, (part, count) in enumerate([(train, 6), (validation, 3), (test, 2)], 1):
        for name in COLOURS:
            paint(home / part / name, count, level)
    data = load(home)
    assert data.class_names == ("cat", "dog")
    assert [blues(part) for part in (data.train, data.validation, data.test)] == [[1] * 12, [2] * 6, [3] * 4]
    classes_are_right(data)
    (record,) = caplog.records
    message = f"{train} is the train part, {validation} the validation part, {test} the test part"
    assert record.getMessage() == f"{home}: read as parts, not as classes: {message}"


def test_a_part_without_a_folder_is_a_share_of_the_one_that_trains_which_is_reported(home, caplog):
    """torchvision's layout of ImageNet has no test folder, Hugging Face's often no validation."""
    for name in COLOURS:
        paint(home / "train" / name, 10, 1)
        paint(home / "val" / name, 3, 2)
    data = load(home, test=0.3)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [14, 6, 6]
    assert [set(blues(part)) for part in (data.train, data.validation, data.test)] == [{1}, {2}, {1}]
    assert caplog.messages[-1].endswith("val the validation part; 0.3 of train is the test part")
    (home / "val").rename(home / "test")
    data = load(home, validation=0.3)
    assert [set(blues(part)) for part in (data.train, data.validation, data.test)] == [{1}, {1}, {2}]
    assert caplog.messages[-1].endswith("test the test part; 0.3 of train is the validation part")


def test_a_limit_is_for_what_trains_as_elsewhere(home):
    for part in ("train", "val", "test"):
        for name in COLOURS:
            paint(home / part / name, 10)
    data = load(home, limit=8)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [8, 20, 20]


def test_unlabelled_images_beside_parts_are_passed_over_and_counted(home, caplog):
    for part in ("train", "test"):
        for name in COLOURS:
            paint(home / part / name, 10)
    paint(home / "unlabeled", 7)
    paint(home / "extra" / "more", 3)
    (home / "docs").mkdir()
    assert load(home).class_names == ("cat", "dog")
    assert f"{home / 'unlabeled'}: passed over, with 7 images of no class" in caplog.text
    assert f"{home / 'extra'}: passed over, with 3 images of no class" in caplog.text


def test_a_test_folder_without_classes_as_competitions_have_it_is_passed_over_and_counted(home, caplog):
    for name in COLOURS:
        paint(home / "train" / name, 10)
    paint(home / "test", 5)
    assert [len(part) for part in (load(home).train, load(home).test)] == [12, 4]
    assert f"{home / 'test'}: passed over, with 5 images of no class" in caplog.text


def test_unlabelled_images_beside_classes_are_no_class(home, caplog):
    for name in COLOURS:
        paint(home / name, 10)
    paint(home / "Unlabeled", 7)
    assert load(home).class_names == ("cat", "dog")
    assert "passed over: 7 in Unlabeled" in caplog.text


@pytest.mark.parametrize("name", ["test", "train", "val", "extra"])
def test_a_class_that_is_called_as_a_part_stays_a_class(home, name, caplog):
    for folder in (*COLOURS, name):
        paint(home / folder, 10)
    assert load(home).class_names == tuple(sorted([*COLOURS, name]))
    assert not caplog.records


def test_a_class_called_test_may_have_sub_folders_of_its_own(home):
    for folder in (*COLOURS, "test/monday", "test/tuesday"):
        paint(home / folder, 10)
    assert load(home).class_names == ("cat", "dog", "test")


def test_parts_and_classes_side_by_side_are_refused(home):
    for folder in ("train/cat", "train/dog", "bird"):
        paint(home / folder, 10)
    assert refuse(home).startswith(f"{home}: train hold sub-folders as parts do, but bird beside them also hold images")


def test_test_images_that_lie_among_the_classes_that_train_are_refused(home):
    for folder in (*COLOURS, "test/cat", "test/dog"):
        paint(home / folder, 10)
    assert refuse(home).startswith(f"{home / 'test'}: holds sub-folders cat, dog, as the classes beside it are called")
    (home / "test").rename(home.parent / "apart")
    assert len(load(home, test_path="apart").test) == 20


def test_two_folders_for_one_part_are_refused(home):
    for folder in ("train/cat", "train/dog", "val/cat", "valid/cat"):
        paint(home / folder, 10)
    assert refuse(home) == f"{home}: val and valid are both the validation part; rename one"


def test_parts_without_one_that_trains_are_refused(home):
    for folder in ("test/cat", "val/cat"):
        paint(home / folder, 10)
    assert refuse(home).startswith(f"{home}: its sub-folders are test, val, which are parts, not classes")


def test_a_class_that_cannot_be_learnt_is_reported_and_one_that_is_not_scored_too(home, caplog):
    for folder in ("train/cat", "train/dog", "val/cat"):
        paint(home / folder, 10)
    load(home)
    assert f"{home / 'val'}: has no images of 1 of 2 classes, dog" in caplog.text
    paint(home / "val" / "owl", 2)
    assert refuse(home).startswith(f"{home / 'val'}: class 'owl' is unknown in {home / 'train'}")


def test_test_path_goes_before_a_test_folder_and_may_hold_parts_itself(home, caplog):
    for part in ("train", "test"):
        for name in COLOURS:
            paint(home / part / name, 10, 1)
            paint(home.parent / "apart" / part / name, 2, 7 + (part == "test"))
    data = load(home, test_path="apart")
    assert blues(data.test) == [8] * 4
    assert f"{home / 'test'}: passed over, for test_path names other images" in caplog.text


def test_parts_inside_of_classes_are_not_used_which_is_reported(home, caplog):
    for name in COLOURS:
        paint(home / name / "train", 6, 10 + len(name) + ord(name[0]))
        paint(home / name / "test", 4, 50 + ord(name[0]))
    data = load(home)
    assert sum(len(part) for part in (data.train, data.validation, data.test)) == 20
    assert caplog.messages == [
        f"{home}: the parts inside each class are not used; all images of a class are divided anew"
    ]


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".JPG", ".avif", ".jp2", ".tga", ".ppm"])
def test_whatever_pillow_reads_counts_as_an_image(home, suffix):
    for name in COLOURS:
        paint(home / name, 5)
        kind = {".avif": "AVIF", ".jp2": "JPEG2000", ".tga": "TGA", ".ppm": "PPM"}.get(suffix, "JPEG")
        for number in range(5):
            Image.new("RGB", (4, 4)).save(home / name / f"other{number}{suffix}", kind)
    data = load(home)
    assert sum(len(part) for part in (data.train, data.validation, data.test)) == 20


@pytest.mark.parametrize("left", ["@eaDir", "__MACOSX", "#recycle", "$RECYCLE.BIN", "lost+found"])
def test_what_programs_leave_behind_is_passed_over_and_counted(home, left, caplog):
    for name in COLOURS:
        paint(home / name, 10)
    paint(home / left / "cat", 3)
    paint(home / "cat" / left / "photo.jpg", 4)
    data = load(home)
    labels = torch.cat([part.labels for part in (data.train, data.validation, data.test)])
    assert torch.bincount(labels).tolist() == [10, 10]
    assert caplog.messages == [f"{home}: passed over: 4 in {left}"]


def test_one_line_counts_what_else_is_passed_over(home, caplog):
    for name in COLOURS:
        paint(home / name, 10)
    for file in ("cat/a.HEIC", "dog/b.heic", "dog/notes.txt", "dog/README", "dog/.hidden.txt", "labels.csv"):
        (home / file).touch()
    (home / "cat" / "gone.png").symlink_to(home / "nowhere.png")
    paint(home.parent / "elsewhere", 3)
    (home / "cat" / "linked").symlink_to(home.parent / "elsewhere")
    with caplog.at_level(logging.INFO):
        load(home)
    (line,) = caplog.messages
    head, _, counts = line.partition(": passed over: ")
    assert head == str(home)
    assert set(counts.split(", ")) == {
        "2 *.heic", "1 *.txt", "1 without a suffix", "1 beside the folders", "1 dead links", "1 links to folders",
    }  # fmt: skip


def test_a_class_of_files_that_cannot_be_read_says_what_there_is(home):
    for name in COLOURS:
        paint(home / name, 10)
    (home / "owl").mkdir()
    (home / "owl" / "a.heic").touch()
    assert refuse(home).startswith(f"{home / 'owl'}: holds no images (there are 1 *.heic); remove it, or add files")
