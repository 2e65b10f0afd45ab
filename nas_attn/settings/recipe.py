"""How a network is trained: the `[recipe]` of a study."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """A table of a file, checked and then never changed; an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Recipe(Settings):
    """One way to train, from initialisation to the last epoch."""

    epochs: int = Field(10, ge=1, strict=True)
    """Passes over the training part."""
    batch_size: int = Field(64, ge=2, strict=True)
    """Images an iteration."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """`sgd` has Nesterov's momentum; both follow one cycle of the learning rate."""
    learning_rate: float = Field(0.1, gt=0, strict=True)
    """The highest of the cycle."""
    momentum: float = Field(0.9, ge=0, lt=1, strict=True)
    """Of `sgd`; `adamw` takes it as its first beta."""
    weight_decay: float = Field(5e-4, ge=0, strict=True)
    """Applied to every parameter with two or more dimensions: not to biases and normalisation."""
    label_smoothing: float = Field(0.0, ge=0, lt=1, strict=True)
    """Share of the target that all classes have in common."""
    horizontal_flip: bool = Field(False, strict=True)
    """Mirror every second training image; wrong for digits and letters."""
    crop_padding: int = Field(0, ge=0, strict=True)
    """Pixels of zero padding around a training image from which a crop of its size is taken; 0: none."""
    cutout: int = Field(0, ge=0, strict=True)
    """Side, in pixels, of a square of every training image that gets the mean colour; 0: none."""
