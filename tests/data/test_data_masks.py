"""Images with masks, in the layouts and formats of the world; every mask is read again here by Pillow."""

import logging

import numpy as np
import pytest
import torch
from PIL import Image

from nas_attn.data import load_data, reduced, undecodable
from nas_attn.settings import ImageFolder
from nas_attn.space import InputError

COUNT = 10
SIZE = (6, 4)
"""Width and height."""


def numbers(classes=3, void=False, seed=0):
    """A mask for each image, with every class in it."""
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, classes, (COUNT, SIZE[1], SIZE[0]), dtype=np.uint8)
    masks[:, 0, :classes] = np.arange(classes)
    masks[:, 1, 0] = np.where(void, 255, masks[:, 1, 0])
    return masks


def save(file, pixels, mode=None, **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if mode == "P":
        image = Image.fromarray(pixels, "L").convert("P")
        image.putdata(pixels.ravel().tolist())
        image.putpalette([value for colour in range(256) for value in (colour * 7 % 256, 255 - colour, 30)])
    elif mode:
        image = image.convert(mode)
    image.save(file, **options)


def make(folder, masks=None, image="images/{}.png", mask="masks/{}.png", rows=range(COUNT), **options):
    """Images, each of one grey level by which it is known again, and their masks."""
    masks = numbers() if masks is None else masks
    for row in rows:
        name = f"{row:02}"
        level = np.full((*masks[row].shape[:2], 3), 20 * row, dtype=np.uint8)
        save(folder / "data" / image.format(name), level)
        if mask:
            save(folder / "data" / mask.format(name), masks[row], **options)
    return masks


def mode_of(file):
    with Image.open(file) as image:
        return image.mode


def load(folder, path="data", masks="masks", **settings):
    return load_data(ImageFolder(path=path, masks=masks, **settings), folder, task="segmentation")


def refuse(folder, **settings):
    with pytest.raises(InputError) as caught:
        load(folder, **settings)
    return str(caught.value)


def by_image(data):
    """The mask of each image by its number."""
    found = {}
    for part in (data.train, data.validation, data.test):
        for row in range(len(part)):
            found[int(part.images[row, 0, 0, 0]) // 20] = part.labels[row].numpy()
    return found


def same(data, masks):
    found = by_image(data)
    return sorted(found) == list(range(len(masks))) and all(np.array_equal(found[n], masks[n]) for n in found)


LAYOUTS = {
    "beside": ({}, {}),
    "path_of_images": ({}, {"path": "data/images"}),
    "whole_path_of_masks": ({}, {"path": "data/images", "masks": "data/masks"}),
    "another_suffix": ({"image": "images/{}.bmp"}, {}),
    "ending": ({"mask": "masks/{}_mask.png"}, {}),
    "ending_segmentation": ({"mask": "masks/{}_Segmentation.png"}, {}),
    "prefixes": ({"image": "images/image_{}.png", "mask": "masks/mask_{}.png"}, {}),
    "cityscapes": (
        {"image": "leftImg8bit/a/a_{}_leftImg8bit.png", "mask": "gtFine/a/a_{}_gtFine_labelIds.png"},
        {"path": "data/leftImg8bit", "masks": "gtFine"},
    ),
    "deep_globe": ({"image": "images/{}_sat.png", "mask": "masks/{}_mask.png"}, {}),
    "side_by_side": ({"image": "{}.png", "mask": "{}_mask.png"}, {"masks": "."}),
    "voc": (
        {"image": "JPEGImages/{}.png", "mask": "SegmentationClass/{}.png"},
        {"path": "data/JPEGImages", "masks": "SegmentationClass"},
    ),
    "deeper": ({"image": "images/a/b/{}.png", "mask": "masks/a/b/{}.png"}, {}),
    "masks_without_folders": ({"image": "images/a/b/{}.png", "mask": "masks/x/{}.png"}, {}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_image_has_its_own_mask_in_whatever_usual_layout(tmp_path, layout):
    where, settings = LAYOUTS[layout]
    masks = make(tmp_path, **where)
    data = load(tmp_path, **settings)
    assert same(data, masks)
    assert (data.task, data.class_names, data.train.labels.dtype) == ("segmentation", ("0", "1", "2"), torch.uint8)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [6, 2, 2]


PARTS = {
    "train/images": ("{}/images/{{}}.png", "{}/masks/{{}}.png", {}),
    "images/train": ("images/{}/{{}}.png", "masks/{}/{{}}.png", {}),
    "images/train, by path": ("images/{}/{{}}.png", "masks/{}/{{}}.png", {"path": "data/images", "masks": "masks"}),
    "train_masks": ("{}/{{}}.png", "{}_masks/{{}}.png", {}),
    "camvid": ("{}/{{}}.png", "{}annot/{{}}.png", {"masks": "annot"}),
    "train_images": ("{}_images/{{}}.png", "{}_masks/{{}}.png", {}),
    "val_path": (
        "{}/images/{{}}.png",
        "{}/masks/{{}}.png",
        {"path": "data/train/images", "val_path": "data/val/images", "test_path": "data/test/images"},
    ),
}


@pytest.mark.parametrize("layout", PARTS)
def test_parts_have_their_masks_in_both_usual_layouts(tmp_path, layout):
    image, mask, settings = PARTS[layout]
    masks = numbers()
    for part, rows in (("train", range(6)), ("val", (6, 7)), ("test", (8, 9))):
        make(tmp_path, masks, image.format(part), mask.format(part), rows)
    data = load(tmp_path, **settings)
    assert same(data, masks)
    assert sorted(int(level) // 20 for level in data.test.images[:, 0, 0, 0]) == [8, 9]
    assert sorted(int(level) // 20 for level in data.validation.images[:, 0, 0, 0]) == [6, 7]


@pytest.mark.parametrize("mode", ["L", "P", "I;16", "F", "RGB", "gif", "tif"])
def test_the_numbers_of_a_mask_are_never_turned_into_colours(tmp_path, mode, caplog):
    masks = numbers(void=True)
    if mode == "P":
        make(tmp_path, masks, mode="P")
        assert mode_of(tmp_path / "data" / "masks" / "00.png") == "P"
    elif mode == "I;16":
        make(tmp_path, masks.astype(np.uint16))
        assert mode_of(tmp_path / "data" / "masks" / "00.png") == "I;16"
    elif mode == "F":
        make(tmp_path, masks.astype(np.float32), mask="masks/{}.tif")
        assert mode_of(tmp_path / "data" / "masks" / "00.tif") == "F"
    elif mode == "RGB":  # as OpenCV saves a grey image of three channels
        make(tmp_path, masks[..., None].repeat(3, 3))
    else:
        make(tmp_path, masks, mask="masks/{}." + (mode if mode != "L" else "png"))
    data = load(tmp_path)
    assert same(data, masks)
    assert ("of three equal channels the first counts" in caplog.text) == (mode == "RGB")
    assert f"{100 * np.mean(masks == 255):.3g} % of all pixels of masks are 255, and do not count" in caplog.text


def test_masks_of_one_bit_are_0_and_1(tmp_path):
    masks = numbers(2)
    make(tmp_path, 255 * masks, mode="1")
    assert mode_of(tmp_path / "data" / "masks" / "00.png") == "1"
    assert same(load(tmp_path), masks)


def test_black_and_white_masks_are_two_classes_which_the_log_says(tmp_path, caplog):
    masks = numbers(2)
    masks[3] = 0
    make(tmp_path, 255 * masks)
    data = load(tmp_path, class_names=("ground", "house"))
    assert same(data, masks)
    assert data.class_names == ("ground", "house")
    assert "masks hold nothing but 0 and 255, which are classes 0 and 1" in caplog.text


def test_black_and_white_is_decided_for_all_parts_at_once(tmp_path):
    """The test masks alone are all black; among 0, 1 and 255 the last is void."""
    masks = 255 * numbers(2)
    masks[8:] = 0
    for part, rows in (("train", range(8)), ("test", (8, 9))):
        make(tmp_path, masks, f"{part}/images/{{}}.png", f"{part}/masks/{{}}.png", rows)
    assert same(load(tmp_path), masks // 255)
    masks[9, 0, 0] = 1
    save(tmp_path / "data" / "test" / "masks" / "09.png", masks[9])
    assert "has one class, '0'" in refuse(tmp_path)


def test_blurred_black_and_white_is_cleared_and_other_jpegs_are_refused(tmp_path, caplog):
    masks = np.zeros((COUNT, 16, 16), dtype=np.uint8)
    masks[:, :, 8:] = 1
    make(tmp_path, 255 * masks, mask="masks/{}.jpg", quality=90)
    assert same(load(tmp_path), masks)
    make(tmp_path, 255 * masks[..., None].repeat(3, 3), mask="masks/{}.jpg", quality=70)
    assert same(load(tmp_path), masks)
    assert "10 masks: JPEG: every level counts as the nearer of black and white" in caplog.text
    make(tmp_path, np.tile(np.arange(256, dtype=np.uint8).reshape(16, 16), (COUNT, 1, 1)), mask="masks/{}.jpg")
    assert "for JPEG blurs the numbers; save masks as PNG" in refuse(tmp_path)


def test_colours_are_counted_and_refused(tmp_path):
    masks = make(tmp_path)
    colours = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0]], dtype=np.uint8)
    save(tmp_path / "data" / "masks" / "04.png", colours[masks[4]])
    message = refuse(tmp_path)
    file = tmp_path / "data" / "masks" / "04.png"
    assert (
        message == f"{file}: has 3 colours (RGB); allowed: one channel with a class number for each pixel; save it so"
    )


def test_levels_of_grey_are_not_taken_for_hundreds_of_classes(tmp_path):
    masks = make(tmp_path, 60 * numbers(4))
    message = refuse(tmp_path)
    assert "masks hold 0, 60, 120, 180 alone, as if they were levels of grey; allowed: class numbers from 0" in message
    message = refuse(tmp_path, class_names=("a", "b", "c", "d"))
    assert "masks hold 0, 60, 120, 180, but there are 4 class_names, for 0 to 3" in message
    assert masks.max() == 180


def test_classes_without_a_pixel_keep_their_place_and_are_counted(tmp_path, caplog):
    masks = make(tmp_path, numbers() + 1)
    data = load(tmp_path)
    assert (data.class_names, same(data, masks)) == (("0", "1", "2", "3"), True)
    assert "no pixel of a mask is of 0" in caplog.text


def test_a_mask_has_the_size_of_its_image_also_where_both_are_resized(tmp_path):
    make(tmp_path)
    save(tmp_path / "data" / "masks" / "04.png", np.zeros((5, 6), dtype=np.uint8))
    for settings in ({}, {"image_size": 3}):
        message = refuse(tmp_path, **settings)
        assert "04.png is 6 x 4 pixels, but its mask is 6 x 5; they must have one size" in message


def test_a_photo_that_exif_turns_is_compared_upright(tmp_path):
    masks = make(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    for row in range(COUNT):
        level = np.full((SIZE[0], SIZE[1], 3), 20 * row, dtype=np.uint8)
        Image.fromarray(level).save(tmp_path / "data" / "images" / f"{row:02}.png", exif=exif)
    assert same(load(tmp_path), masks)
    Image.fromarray(np.zeros((4, 6, 3), dtype=np.uint8)).save(tmp_path / "data" / "images" / "04.png", exif=exif)
    assert "04.png is 4 x 6 pixels, after its EXIF orientation has turned it, but its mask is 6 x 4" in refuse(tmp_path)


def test_masks_are_resized_to_the_nearest_pixel(tmp_path):
    masks = make(tmp_path, numbers(3, void=True))
    data = load(tmp_path, image_size=8)
    assert data.image == (3, 8, 8)
    expected = [np.asarray(Image.fromarray(mask).resize((8, 8), Image.Resampling.NEAREST)) for mask in masks]
    assert same(data, expected)
    half = reduced(data, 0.5, 0.5)
    assert (len(half.train), half.image) == (3, (3, 4, 4))
    halved = [np.asarray(Image.fromarray(mask).resize((4, 4), Image.Resampling.NEAREST)) for mask in expected]
    found = by_image(half)
    assert all(np.array_equal(found[number], halved[number]) for number in found)
    assert {*by_image(reduced(data, 0.3, 1))} < {*found}


def test_what_has_no_other_half_is_passed_over_and_counted(tmp_path, caplog):
    masks = make(tmp_path)
    save(tmp_path / "data" / "images" / "99.png", np.zeros((4, 6, 3), dtype=np.uint8))
    save(tmp_path / "data" / "masks" / "77.png", masks[0])
    assert same(load(tmp_path), masks)
    assert "passed over: 1 images without a mask, as 99.png" in caplog.text
    assert "passed over: 1 masks without an image, as 77.png" in caplog.text


@pytest.mark.parametrize(
    ("where", "settings", "message"),
    [
        ({"mask": "other/{}.png"}, {}, "data.masks: found 'masks', but there is no such folder in"),
        ({"mask": "Masks/{}.png"}, {}, "did you mean 'Masks'? allowed: Masks, images"),
        ({"mask": "masks/x{}.png"}, {}, "no mask has the name of an image in"),
        ({"mask": ""}, {"masks": "images"}, "holds no images"),
    ],
)
def test_masks_that_are_not_found_are_reported(tmp_path, where, settings, message):
    make(tmp_path, **where)
    assert message in refuse(tmp_path, **settings)


def test_two_masks_for_an_image_are_reported(tmp_path):
    make(tmp_path, mask="masks/{}_mask.png")
    save(tmp_path / "data" / "masks" / "04_seg.png", numbers()[4])
    assert "04_mask.png, 04_seg.png may be the mask of 04.png; leave one for each image" in refuse(tmp_path)


def test_a_broken_mask_and_void_alone_are_reported(tmp_path):
    make(tmp_path, np.full((COUNT, 4, 6), 255, dtype=np.uint8))
    data = load(tmp_path)  # black and white, all white
    assert data.class_names == ("0", "1")
    (tmp_path / "data" / "masks" / "04.png").write_bytes(b"broken")
    assert f"{tmp_path / 'data' / 'masks' / '04.png'}: cannot be read as a mask" in refuse(tmp_path)


def test_copies_with_another_mask_are_counted(tmp_path, caplog):
    masks = make(tmp_path)
    assert not np.array_equal(masks[0], masks[9])
    (tmp_path / "data" / "images" / "09.png").write_bytes((tmp_path / "data" / "images" / "00.png").read_bytes())
    with caplog.at_level(logging.WARNING):
        load(tmp_path)
    assert "images with more than one mask: 1 (images/00.png)" in caplog.text


def test_masks_are_no_images_to_a_check_of_all_files(tmp_path):
    make(tmp_path)
    save(tmp_path / "data" / "masks" / "04.png", np.zeros((5, 6), dtype=np.uint8))
    (tmp_path / "data" / "images" / "03.png").write_bytes(b"broken")
    lines = list(undecodable(ImageFolder(path="data", masks="masks"), tmp_path))
    assert len(lines) == 1
    assert "03.png: cannot be read as an image" in lines[0]
