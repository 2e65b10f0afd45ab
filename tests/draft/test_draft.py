"""A draft of a study reads images as they lie on people's disks, and writes files that a search takes."""

import os
import tomllib
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from nas_attn.assembly import build
from nas_attn.data import load_data
from nas_attn.draft import assumed, draft, read_budget
from nas_attn.inquiry.founding import read_backbone
from nas_attn.launch import open_study
from nas_attn.settings import read_study_file
from nas_attn.space import Architecture, InputError

small = partial(draft, backbone="resnet8(width=2)")


def picture(path, colour=0, size=(10, 8), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(str(path)))
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    Image.fromarray((rng.integers(0, 60, shape) + colour).astype("uint8"), mode).save(path)


def pictures(folder, count=10, **how):
    for number in range(count):
        picture(folder / f"{number}.png", colour=number, **how)


def read(folder):
    """The study file that was written, with its images as a search reads them."""
    file = read_study_file(folder)
    return file, load_data(file.data, folder, task=getattr(file.task, "kind", "classification"))


def table(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)


def flat(folder, **columns):
    """Thirty images in a folder, with a table of these columns beside them."""
    pictures(folder / "images", 30)
    table(folder / "info.csv", file=[f"{number}.png" for number in range(30)], **columns)
    return folder


def test_folders_of_any_name_become_classes_and_pass_the_check(tmp_path, no_program, forked_proofs):
    names = ["a\\b", "chien d'été", 'Katze "groß"', "{}[]#= %s"]
    for name in names:
        pictures(tmp_path / 'my "photos" \\ 2' / name, 12)
    made = small(tmp_path / "st udy", str(tmp_path / 'my "photos" \\ 2'), budget=["latency_ms<=1000 and params<1M"])
    file, data = read(made.folder)
    assert data.class_names == tuple(sorted(names))
    assert data.image == (3, 8, 10)
    assert file.budget.limits == {"latency_ms": 1000.0, "params": 1_000_000.0}
    assert any(line == "48 images: train 28, validation 10, test 10 (a share of the others)" for line in made.lines)
    assert open_study(made.folder).check().faults == []


def test_nothing_is_overwritten_and_what_is_refused_leaves_nothing(tmp_path, make_images):
    photos = make_images(tmp_path / "photos")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "space.toml").write_text("mine")
    with pytest.raises(InputError, match=r"there/space\.toml: is there, and nothing is overwritten"):
        small(tmp_path / "there", str(photos))
    assert [file.name for file in (tmp_path / "there").iterdir()] == ["space.toml"]
    (tmp_path / "kept").mkdir()
    for folder, wrong in (("new", {"backbone": "resnet9"}), ("kept", {"weights": "nowhere.pth"})):
        with pytest.raises(InputError, match=r"resnet9|nowhere\.pth"):
            draft(tmp_path / folder, str(photos), **{"backbone": "resnet8", **wrong})
    assert not (tmp_path / "new").exists()
    assert [*(tmp_path / "kept").iterdir()] == []


def test_a_study_does_not_lie_among_its_images(tmp_path, make_images):
    photos = make_images(tmp_path / "photos")
    for folder in (photos, photos / "study"):
        with pytest.raises(InputError, match="lies in the folder of images"):
            small(folder, str(photos))


def test_parts_have_their_own_images(tmp_path):
    for part, count in (("train", 20), ("val", 5), ("test", 4)):
        for name in ("cats", "dogs"):
            pictures(tmp_path / "photos" / part / name, count)
    made = small(tmp_path / "study", str(tmp_path / "photos"))
    assert "58 images: train 40, validation 10, test 8 (their own folders)" in made.lines
    assert [len(part) for part in (read(made.folder)[1].train, read(made.folder)[1].validation)] == [40, 10]


def test_what_an_archive_left_around_the_images_is_opened(tmp_path, make_images):
    make_images(tmp_path / "photos" / "photos-v2" / "all")
    (tmp_path / "photos" / "__MACOSX").mkdir()
    made = small(tmp_path / "study", str(tmp_path / "photos"))
    assert read_study_file(made.folder).data.path == "../photos/photos-v2/all"


def test_images_of_many_sizes_are_resized_and_grey_ones_stay_grey(tmp_path):
    for name, size in (("one", (90, 70)), ("two", (70, 130))):
        pictures(tmp_path / "photos" / name, size=size, mode="L")
    made = small(tmp_path / "study", str(tmp_path / "photos"), ask=lambda one: "24" if "pixels" in one.text else "no")
    assert read(made.folder)[1].image == (1, 24, 24)
    assert any("2 sizes, 70 to 90 wide and 70 to 130 high, 20 grey" in line for line in made.lines)


@pytest.mark.parametrize(
    ("columns", "task", "settings"),
    [
        ({"label": ["a", "b", "c"] * 10}, "classification", {"label_column": "label"}),
        ({"site": [1] * 30, "dx": ["mel", "nv"] * 15, "age": [*range(30)]}, "classification", {"label_column": "dx"}),
        ({"stage": [0, 1, 2] * 10}, "classification", {"label_column": "stage"}),
        ({"price": [*range(30)]}, "regression", {"label_column": "price"}),
        ({"weight": np.linspace(0, 3, 30)}, "regression", {"label_column": "weight"}),
        ({"tags": ["sun|sea", "sea", "sun"] * 10}, "multilabel", {"label_column": "tags"}),
        ({"sun": [0, 1, 1] * 10, "sea": [1, 1, 0] * 10}, "multilabel", {"label_columns": ("sun", "sea")}),
        ({"cat": [0, 1] * 15, "dog": [1, 0] * 15}, "classification", {"label_columns": ("cat", "dog")}),
    ],
    ids=["names", "several columns", "few numbers", "many numbers", "decimals", "tags", "flags", "one flag each"],
)
def test_a_table_says_what_images_show(tmp_path, columns, task, settings):
    made = small(tmp_path / "study", str(flat(tmp_path / "photos", **columns)))
    file, data = read(made.folder)
    assert data.task == task == file.task.kind
    assert {name: getattr(file.data, name) for name in settings} == settings


def test_which_column_counts_can_be_answered(tmp_path):
    questions = []

    def answer(question):
        questions.append(question)
        return {"Which column": "age", "Are the 30": "values"}.get(question.text[:12].strip(), "no")

    photos = flat(tmp_path / "photos", dx=["mel", "nv"] * 15, age=[*range(30)])
    made = small(tmp_path / "study", str(photos), ask=lambda one: "values" if "Are" in one.text else answer(one))
    assert questions[0].choices == ("dx", "age")
    assert questions[0].assumed == "dx"
    assert read(made.folder)[1].class_names == ("age",)


def test_folders_that_are_batches_of_one_table_are_no_classes(tmp_path):
    for part in ("images_part_1", "images_part_2"):
        for number in range(15):
            picture(tmp_path / "photos" / part / f"{part}-{number}.png")
    files = [f"images_part_{part}-{number}" for part in (1, 2) for number in range(15)]
    table(tmp_path / "photos" / "metadata.csv", image_id=files, dx=["mel", "nv", "bcc"] * 10)
    made = small(tmp_path / "study", str(tmp_path / "photos"))
    assert read(made.folder)[1].class_names == ("bcc", "mel", "nv")


def test_masks_make_a_segmentation_and_a_class_of_masked_faces_does_not(tmp_path):
    pictures(tmp_path / "scans" / "images")
    for number in range(10):
        (tmp_path / "scans" / "masks").mkdir(exist_ok=True)
        mask = (np.arange(80).reshape(8, 10) % 3).astype("uint8")
        Image.fromarray(mask).save(tmp_path / "scans" / "masks" / f"{number}_mask.png")
    made = small(tmp_path / "study", str(tmp_path / "scans"))
    file, data = read(made.folder)
    assert (file.task.kind, file.data.masks, len(data.class_names)) == ("segmentation", "masks", 3)
    for name in ("mask", "no_mask"):
        pictures(tmp_path / "faces" / name)
    faces = small(tmp_path / "of faces", str(tmp_path / "faces"))
    assert read(faces.folder)[1].class_names == ("mask", "no_mask")


def test_a_parquet_file_of_another_label_column(tmp_path):
    images = []
    for number in range(20):
        picture(tmp_path / "one.png", colour=number)
        images.append({"bytes": (tmp_path / "one.png").read_bytes()})
    pd.DataFrame({"image": images, "fine_label": [0, 1] * 10}).to_parquet(tmp_path / "train.parquet")
    made = small(tmp_path / "study", str(tmp_path / "train.parquet"))
    file, data = read(made.folder)
    assert (file.data.label_column, data.image, len(data.class_names)) == ("fine_label", (3, 8, 10), 2)


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({}, "holds no images"),
        ({"a.txt": b""}, r"holds no images; found 1 \*\.txt"),
        ({"0.png": None, "1.png": None}, "2 images without labels; allowed: a sub-folder for each class, a table"),
        ({"one/0.png": None}, "1 images without labels"),
        ({"one/0.png": b"broken", "two/1.png": b"broken"}, "no image can be read, as .*0.png"),
    ],
    ids=["empty", "no images", "loose", "one class", "broken"],
)
def test_what_has_no_labels_is_refused(tmp_path, layout, message):
    (tmp_path / "photos").mkdir()
    for name, content in layout.items():
        picture(tmp_path / "photos" / name) if content is None else None
        if content is not None:
            (tmp_path / "photos" / name).parent.mkdir(exist_ok=True)
            (tmp_path / "photos" / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        small(tmp_path / "study", str(tmp_path / "photos"))
    assert not (tmp_path / "study").exists()


def test_an_image_that_cannot_be_read_is_said(tmp_path, make_images):
    photos = make_images(tmp_path / "photos")
    (photos / "dark" / "3.png").write_bytes(b"\x89PNG and then nothing")
    made = small(tmp_path / "study", str(photos))
    assert any("dark/3.png (UnidentifiedImageError) cannot be read" in line for line in made.lines)


def test_a_path_that_is_not_utf_8_is_refused_in_a_line(tmp_path, make_images):
    photos = make_images(tmp_path / "photos")
    strange = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")
    try:
        photos.rename(strange)
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(InputError, match="is not UTF-8"):
        small(tmp_path / "study", strange)
    assert not (tmp_path / "study").exists()


def test_trained_weights_are_tuned_on_and_their_path_is_kept(tmp_path, make_images):
    network = build(Architecture(), read_backbone("resnet8(width=2)"), in_channels=3, classes=5)
    torch.save(network.state_dict(), tmp_path / "we'ights é.pth")
    made = small(
        tmp_path / "study", str(make_images(tmp_path / "photos")), weights=str(tmp_path / "we'ights é.pth"), ask=assumed
    )
    file = read_study_file(made.folder)
    space = tomllib.loads((made.folder / "space.toml").read_text())
    assert (file.final, file.base.epochs, space["backbone"]["weights"]) == ("inherit", 10, "../we'ights é.pth")


def test_digits_need_no_files(tmp_path):
    made = small(tmp_path / "study", "digits")
    assert "1,797 images: train 1,079, validation 359, test 359 (a share of the others)" in made.lines
    assert read(made.folder)[1].image == (1, 8, 8)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("latency_ms<=2", {"max_latency_ms": 2.0}),
        ("params < 1,500,000", {"max_params": 1_500_000}),
        ("flops=2.5G and accuracy>90%", {"max_flops": 2_500_000_000, "min_accuracy": 0.9}),
        ("loss <= 0.5", {"max_loss": 0.5}),
    ],
)
def test_a_budget_is_spelt_as_people_write_it(text, found):
    assert read_budget([text]) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latency<=2", "found 'latency'; did you mean 'latency_ms'"),
        ("accuracy<=0.9", "allowed: accuracy >= "),
        ("params>=5", "allowed: params <= "),
        ("small", "found 'small'; allowed: a measure, <= or >=, and a number"),
        ("flops<=1.2.3", "'1.2.3' is no number"),
    ],
)
def test_what_is_no_budget_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        read_budget([text])
