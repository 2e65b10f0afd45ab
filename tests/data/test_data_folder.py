import numpy as np
import pytest
import torch
from PIL import Image

from nas_attn.data import load_data
from nas_attn.data.pixels import decode
from nas_attn.settings import ImageFolder
from nas_attn.space import InputError

COLOURS = {"green": (0, 200, 0), "red": (200, 0, 0)}


def paint(file, colour=(9, 9, 9), size=(6, 4)):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB" if isinstance(colour, tuple) else "L", size, colour).save(file)


@pytest.fixture
def pictures(tmp_path):
    """Ten plain images of each of two colours, 6 wide and 4 high."""
    for name, colour in COLOURS.items():
        for number in range(10):
            paint(tmp_path / "pictures" / name / f"{number}.png", colour)
    return tmp_path / "pictures"


def load(pictures, **settings):
    return load_data(ImageFolder(path=pictures.name, **settings), pictures.parent)


def refuse(pictures, **settings):
    with pytest.raises(InputError) as caught:
        load(pictures, **settings)
    return str(caught.value)


def test_each_sub_folder_is_a_class_with_its_own_images(pictures):
    data = load(pictures)
    assert data.class_names == ("green", "red")
    assert data.image == (3, 4, 6)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [12, 4, 4]
    for part in (data.train, data.validation, data.test):
        expected = [COLOURS[data.class_names[label]] for label in part.labels]
        assert part.images[:, :, 0, 0].tolist() == [list(colour) for colour in expected]


def test_rows_columns_and_channels_of_an_image_stay_where_they_are(pictures):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    for file in pictures.rglob("*.png"):
        Image.fromarray(pixels).save(file)
    assert np.array_equal(load(pictures).test.images[0].numpy().transpose(1, 2, 0), pixels)


def test_nested_images_and_all_common_suffixes_count_and_hidden_ones_do_not(pictures):
    paint(pictures / "red" / "deep" / "deeper" / "a.JPG")
    paint(pictures / "red" / "b.bmp")
    paint(pictures / "red" / ".c.png")
    paint(pictures / "red" / ".deep" / "d.png")
    paint(pictures / ".cache" / "e.png")
    (pictures / "red" / "notes.txt").write_text("not an image")
    data = load(pictures)
    labels = torch.cat([part.labels for part in (data.train, data.validation, data.test)])
    assert torch.bincount(labels).tolist() == [10, 12]


def test_one_channel_makes_colours_grey_and_three_make_grey_a_colour(pictures):
    grey = load(pictures, channels=1)
    assert grey.image == (1, 4, 6)
    assert grey.train.images.unique().tolist() == [round(200 * 0.299), round(200 * 0.587)]
    for file in pictures.rglob("*.png"):
        paint(file, 77)
    assert load(pictures).train.images.unique().tolist() == [77]
    assert load(pictures).image == (3, 4, 6)


def test_sizes_that_differ_are_reported_with_the_cure_and_the_cure_works(pictures):
    paint(pictures / "red" / "big.png", size=(9, 5))
    message = refuse(pictures)
    assert "big.png is 9 x 5 pixels" in message
    assert "0.png is 6 x 4" in message
    assert "image_size" in message
    assert load(pictures, image_size=5).image == (3, 5, 5)


def test_a_limit_decodes_only_what_it_takes(pictures, monkeypatch):
    opened, whole = [], decode

    def counted(images, *more):
        named = list(images)
        opened.extend(name for name, _ in named)
        return whole(named, *more)

    monkeypatch.setattr("nas_attn.data.folder.decode", counted)
    data = load(pictures, limit=12)
    assert len(data.train) + len(data.validation) + len(data.test) == 12
    assert len(set(opened)) == len(opened) == 12


def test_images_for_testing_may_stand_apart(pictures):
    paint(pictures.parent / "apart" / "red" / "a.png", COLOURS["red"])
    data = load(pictures, test_path="apart")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [16, 4, 1]
    assert data.test.labels.tolist() == [data.class_names.index("red")]


def test_a_test_class_that_cannot_be_learnt_is_reported(pictures):
    paint(pictures.parent / "apart" / "blue" / "a.png")
    assert "apart: class 'blue' is unknown in" in refuse(pictures, test_path="apart")


def test_test_images_of_another_size_are_reported(pictures):
    paint(pictures.parent / "apart" / "red" / "a.png", size=(6, 5))
    message = refuse(pictures, test_path="apart")
    assert "apart: images are 6 x 5 pixels, but 6 x 4 in" in message
    assert "image_size" in message


@pytest.mark.parametrize("cut", [0, 20, 45])
def test_a_corrupt_image_is_named(pictures, cut):
    file = pictures / "red" / "3.png"
    paint(file, size=(6, 4))
    file.write_bytes(file.read_bytes()[:cut])
    assert refuse(pictures).startswith(f"{file}: cannot be read as an image")


def test_sixteen_bits_are_refused_rather_than_clipped(pictures):
    file = pictures / "red" / "deep.png"
    Image.fromarray(np.full((4, 6), 30000, dtype=np.uint16)).save(file)
    assert refuse(pictures) == f"{file}: has more than 8 bits a channel; save it with 8"


def test_what_is_no_folder_of_classes_is_reported(pictures):
    folder = pictures.parent
    assert refuse(folder / "nowhere") == f"{folder / 'nowhere'}: there is no such folder"
    assert "is a file, not a folder" in refuse(folder / "pictures" / "red" / "0.png")
    assert "has no sub-folders" in refuse(pictures / "red")
    assert "10 images lie in the folder itself" in refuse(pictures / "red")


def test_a_class_without_images_is_reported(pictures):
    (pictures / "blue").mkdir()
    assert refuse(pictures).startswith(f"{pictures / 'blue'}: holds no images")


def test_a_lonely_class_is_reported(pictures):
    for file in (pictures / "red").iterdir():
        file.unlink()
    (pictures / "red").rmdir()
    assert "has one class, 'green'" in refuse(pictures)


def test_parts_are_not_taken_for_classes(pictures):
    (pictures / "green").rename(pictures / "train")
    (pictures / "red").rename(pictures / "test")
    assert "which are parts, not classes" in refuse(pictures)
    assert "pictures/train" in refuse(pictures)


def test_a_class_with_too_few_images_is_reported(pictures):
    paint(pictures / "blue" / "0.png")
    assert "class 'blue' has 1 images, too few" in refuse(pictures)
