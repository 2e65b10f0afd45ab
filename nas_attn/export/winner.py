"""A trained network with the facts for its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from nas_attn.results import Evaluation
from nas_attn.settings import Backbone, DataSource, ImageFacts
from nas_attn.space import Architecture, parse


@dataclass(frozen=True, slots=True)
class Final:
    """What is known of a network that was trained for good with several seeds, the best of which is handed out."""

    networks: Sequence[tuple[str, Evaluation]]
    """What each is, and its row: the means of the test part over its seeds, the network itself first."""
    gains: Sequence[str]
    """What it gains over each other, in sentences."""
    chosen_by: str
    """What of the hold-out part has chosen the seed, in a word."""


@dataclass(frozen=True, slots=True)
class Winner:
    """A trained network with the facts for its files."""

    network: nn.Module
    """With its trained weights."""
    backbone: Backbone
    row: Evaluation
    """Its results, over its seeds."""
    facts: ImageFacts
    study: Mapping[str, Any]
    """Data, recipe, objectives."""
    tested: Mapping[str, float]
    """The learnt measures of these weights on the part that no search has seen; none where there is no such part."""
    test_images: int
    """Number of images of that part."""
    own: Evaluation | None = None
    """The row of the one training that gave these weights; without it, `row`, which then is of one seed."""
    whole: nn.Module | None = None
    """What was trained, where the network is but a part of it, as of a user's own `LightningModule`."""
    final: Final | None = None
    """Where it was trained for good; its rows are then of the hold-out part."""
    source: DataSource | None = None
    """Where its images came from; without it nothing is said of how image files are read."""
    drawing: str = ""
    """The network as SVG; empty where there is no drawing."""

    def __post_init__(self) -> None:
        if self.own is None and self.row.seeds > 1:
            raise ValueError(f"{self.row.key}: a mean of {self.row.seeds} seeds is no accuracy of these weights")

    @property
    def architecture(self) -> Architecture:
        """Its attentions."""
        return parse(self.row.architecture)
