"""Which images a study learns from: the `[data]` of a study."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from .recipe import Settings


class _Split(Settings):
    validation: float = Field(0.2, gt=0, lt=1, strict=True)
    """Share of the images by which the search judges."""
    test: float = Field(0.2, gt=0, lt=1, strict=True)
    """Share of the images that the search never sees; not used where `test_path` names them."""
    split_seed: int = Field(0, ge=0, strict=True)
    """Fixes which image belongs to which part."""


class _Files(_Split):
    path: str = Field(min_length=1)
    """Where the images are, relative to the study file."""
    test_path: str | None = Field(None, min_length=1)
    """Where the test images are, if they stand apart."""
    limit: int | None = Field(None, ge=8, strict=True)
    """Take this many of the images of `path` at most, the same share of each class."""
    image_size: int | None = Field(None, ge=1, strict=True)
    """Resize every image to a square of this many pixels a side; without it all must have one size."""
    channels: Literal[1, 3] = 3
    """3: colour; 1: grey."""


class Digits(_Split):
    """1,797 scanned handwritten digits, 8 x 8 pixels, one channel; part of scikit-learn."""

    kind: Literal["digits"] = "digits"


class ImageFolder(_Files):
    """A folder with a sub-folder of images for each class."""

    kind: Literal["folder"] = "folder"


class Parquet(_Files):
    """A Parquet file in the Hugging Face image layout: encoded bytes in a struct, and a class index."""

    kind: Literal["parquet"] = "parquet"
    image_column: str | None = None
    """The column of images; without it the only column of structs that hold `bytes`."""
    label_column: str = "label"
    """The column of class indices."""


DataSource = Annotated[Digits | ImageFolder | Parquet, Field(discriminator="kind")]
"""Where the images of a study come from."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the images of a study are like: enough to build its networks, and to use them, without the images."""

    in_channels: int
    height: int
    width: int
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    """Of each channel over the training part, in units of the largest pixel value."""
    std: tuple[float, ...]

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.in_channels, self.height, self.width
