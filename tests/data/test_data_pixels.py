import logging
import struct
import zlib
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from versions import PILLOW_READS_ITS_YCBCR

from nas_attn.data import load_data
from nas_attn.data.pixels import decode
from nas_attn.settings import ImageFolder, Parquet
from nas_attn.space import InputError

CORNERS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 0], [0, 255, 255], [255, 0, 255]]], np.uint8)
"""Six squares of colour, 3 wide and 2 high."""

UPRIGHT = {
    1: lambda rows: rows,
    2: lambda rows: rows[:, ::-1],
    3: lambda rows: rows[::-1, ::-1],
    4: lambda rows: rows[::-1],
    5: lambda rows: rows.transpose(1, 0, 2),
    6: lambda rows: np.rot90(rows, -1),
    7: lambda rows: rows[::-1, ::-1].transpose(1, 0, 2),
    8: lambda rows: np.rot90(rows, 1),
}
"""What each orientation of EXIF asks of stored rows and columns, as the standard says."""


def encoded(image, kind="PNG", **options):
    content = BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def decoded(*contents, channels=3, size=None, **options):
    """Rows, columns, channels of the first."""
    named = [(f"image {number}", content) for number, content in enumerate(contents)]
    return decode(named, len(contents), channels, size, **options)[0].transpose(1, 2, 0)


def oriented(orientation, kind="PNG"):
    exif = Image.Exif()
    exif[0x0112] = orientation
    squares = Image.fromarray(np.kron(CORNERS, np.ones((8, 8, 1), np.uint8)))
    options = {"quality": 98, "subsampling": 0} if kind == "JPEG" else {}
    return encoded(squares, kind, exif=exif, **options)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_photograph_stands_as_its_exif_says(orientation, kind):
    shown = decoded(oriented(orientation, kind))[4::8, 4::8].astype(int)
    expected = UPRIGHT[orientation](CORNERS)
    assert shown.shape == expected.shape
    assert abs(shown - expected).max() < 30


def test_photographs_in_folders_and_in_parquet_files_are_upright_before_their_size_is_read(tmp_path, caplog):
    """Those that stand upright are 16 wide and 24 high, and so are those that lie."""
    upright, lying = Image.fromarray(np.kron(np.rot90(CORNERS, -1), np.ones((8, 8, 1), np.uint8))), oriented(6)
    contents = [lying, encoded(upright)] * 10
    for row, content in enumerate(contents):
        file = tmp_path / "photos" / "ab"[row // 10] / f"{row}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    table = {"image": [{"bytes": one} for one in contents], "label": [row // 10 for row in range(20)]}
    pq.write_table(pa.table(table), tmp_path / "photos.parquet")
    for source in (ImageFolder(path="photos"), Parquet(path="photos.parquet")):
        caplog.clear()
        data = load_data(source, tmp_path)
        assert data.image == (3, 24, 16)
        assert torch.equal(data.train.images.unique(dim=0), torch.tensor(np.asarray(upright)).permute(2, 0, 1)[None])
        told = [record.getMessage() for record in caplog.records if "EXIF" in record.getMessage()]
        assert [line.partition(": ")[2].split(": ")[-1] for line in told] == ["turned as the EXIF orientation says"]
        assert " and 9 more: " in caplog.text


def test_damaged_exif_leaves_a_photograph_as_it_lies():
    image = Image.fromarray(CORNERS)
    assert np.array_equal(decoded(encoded(image, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")), CORNERS)


def transparent_pictures():
    """The same two pixels, black paint on the left and nothing on the right, in every way in which PNG says nothing."""
    rgba = Image.fromarray(np.array([[[0, 0, 0, 255], [200, 10, 10, 0]]], np.uint8))
    grey = Image.fromarray(np.array([[[0, 255], [90, 0]]], np.uint8), "LA")
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 200, 10, 10])
    palette.putdata([0, 1])
    plain, plain_grey = Image.new("RGB", (2, 1)), Image.new("L", (2, 1))
    plain.putpixel((1, 0), (200, 10, 10))
    plain_grey.putpixel((1, 0), 90)
    return {
        "RGBA": encoded(rgba),
        "RGBA of WebP": encoded(rgba, "WEBP", lossless=True),
        "LA": encoded(grey),
        "palette, one colour": encoded(palette, transparency=1),
        "palette, by colour": encoded(palette, transparency=bytes([255, 0])),
        "GIF": encoded(palette, "GIF", transparency=1),
        "RGB, one colour": encoded(plain, transparency=(200, 10, 10)),
        "grey, one level": encoded(plain_grey, transparency=90),
        "premultiplied": rgba.convert("RGBa"),
        "grey, premultiplied": grey.convert("La"),
        "PA": palette_with_alpha(),
    }


def palette_with_alpha():
    image = Image.new("PA", (2, 1))
    image.putpalette([0, 0, 0, 200, 10, 10])
    image.putdata([(0, 255), (1, 0)])
    return image


@pytest.mark.parametrize("way", transparent_pictures())
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("background", "level"), [("white", 255), ("black", 0), ("grey", 128)])
def test_the_background_shows_where_a_picture_is_transparent(way, channels, background, level):
    shown = decoded(transparent_pictures()[way], channels=channels, background=background)
    assert shown.tolist() == [[[0] * channels, [level] * channels]]


def test_half_transparent_pixels_are_mixed_with_the_background():
    half = Image.new("RGBA", (1, 1), (0, 0, 200, 128))
    assert decoded(encoded(half)).tolist() == [[[127, 127, 227]]]


def test_a_study_says_what_its_transparent_pictures_are_laid_on_and_is_warned(tmp_path, caplog):
    for row in range(20):
        file = tmp_path / "icons" / "ab"[row % 2] / f"{row}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(Image.new("RGBA", (3, 2), (9, 9, 9, 255 * (row > 3)))))
    assert load_data(ImageFolder(path="icons"), tmp_path).train.images.unique().tolist() == [9, 255]
    assert 'a/0.png and 3 more: transparent pixels are laid on background = "white"' in caplog.text
    assert load_data(ImageFolder(path="icons", background="black"), tmp_path).train.images.unique().tolist() == [0, 9]


def test_opaque_pictures_with_an_alpha_channel_are_as_without_and_nothing_is_reported(caplog):
    with_alpha = Image.fromarray(CORNERS).convert("RGBA")
    assert np.array_equal(decoded(encoded(with_alpha)), CORNERS)
    assert not caplog.records


@pytest.mark.parametrize(
    ("image", "kind", "shown"),
    [
        (Image.new("1", (1, 1), 1), "PNG", (255, 255, 255)),
        (Image.new("L", (1, 1), 77), "PNG", (77, 77, 77)),
        (Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "TIFF", (255, 0, 0)),
        (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", (254, 0, 0)),
        pytest.param(
            Image.new("RGB", (1, 1), (255, 0, 0)).convert("YCbCr"), "TIFF", (254, 0, 0), marks=PILLOW_READS_ITS_YCBCR
        ),
        (Image.new("RGB", (1, 1), (200, 10, 10)).convert("P"), "PNG", (204, 0, 0)),
        (Image.new("LAB", (1, 1), (138, 209, 198)), "TIFF", (255, 0, 0)),
    ],
    ids=lambda value: getattr(value, "mode", str(value)),
)
def test_every_way_of_storing_eight_bits_shows_its_colour(image, kind, shown):
    content = encoded(image, kind)
    assert decoded(content)[0, 0].tolist() == pytest.approx(shown, abs=5)
    grey = 0.299 * shown[0] + 0.587 * shown[1] + 0.114 * shown[2]
    assert int(decoded(content, channels=1)[0, 0, 0]) == pytest.approx(grey, abs=5)


def test_of_sixteen_bits_of_colour_the_higher_eight_show():
    """A PNG of one pixel, written by hand, for Pillow writes no such thing."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    row = b"\0" + struct.pack(">HHH", 0x80FF, 0x1000, 0xFF01)
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    assert decoded(file).tolist() == [[[0x80, 0x10, 0xFF]]]


@pytest.mark.parametrize(
    ("image", "kind", "message"),
    [
        (Image.fromarray(np.full((2, 2), 30000, np.uint16)), "PNG", "has more than 8 bits a channel"),
        (Image.fromarray(np.full((2, 2), 30000, np.uint16)), "TIFF", "has more than 8 bits a channel"),
        (Image.fromarray(np.full((2, 2), 30000, np.int32)), "TIFF", "has more than 8 bits a channel"),
        (Image.fromarray(np.full((2, 2), 0.5, np.float32)), "TIFF", "has more than 8 bits a channel"),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else str(value),
)
def test_what_would_not_show_as_it_is_meant_is_refused_by_name(image, kind, message):
    for channels in (1, 3):
        with pytest.raises(InputError, match=f"^image 0: {message}"):
            decoded(encoded(image, kind), channels=channels)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_the_first_frame_counts_and_that_is_reported_once(kind, caplog):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    moving = encoded(
        frames[0], kind, save_all=True, append_images=frames[1:], **{"WEBP": {"lossless": True}}.get(kind, {})
    )
    assert decoded(moving, encoded(frames[0]), moving, moving)[0, 0].tolist() == [255, 0, 0]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == "image 0 and 2 more: of several frames or pages the first counts"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM"])
@pytest.mark.parametrize("share", [0, 0.02, 0.3, 0.9])
def test_a_file_that_was_cut_off_is_named_in_one_line(kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    whole = encoded(Image.fromarray(noise), kind)
    with pytest.raises(InputError) as caught:
        decoded(whole[: int(share * len(whole))])
    assert str(caught.value).startswith("image 0: cannot be read as an image: ")
    assert "\n" not in str(caught.value)
