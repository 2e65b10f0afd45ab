"""Which network asks for attention: the `backbone` of a search-space file."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from .recipe import Settings

Pixels = Annotated[int, Field(ge=1, le=65_536, strict=True)]
"""Of a side of an image, and its channels."""


class _Table(dict[str, Any]):
    """A table that is never changed, and so can be hashed."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def _frozen(value: object) -> object:
    """Lists as tuples, and tables as such that can be hashed."""
    if isinstance(value, Mapping):
        return _Table((name, _frozen(inner)) for name, inner in value.items())
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _pairs(value: object) -> object:
    """The arguments as pairs, in the order of their names, so that a backbone can be compared and hashed."""
    return (
        tuple((name, _frozen(inner)) for name, inner in sorted(value.items())) if isinstance(value, Mapping) else value
    )


class Backbone(Settings):
    """A network that is to get attention. A text stands for the network of that name, with everything else as usual.

    >>> Backbone.model_validate("resnet20") == Backbone(name="resnet20")
    True
    """

    name: str = Field(min_length=1)
    """A built-in one (`resnet20`), `timm:NAME`, `torchvision:NAME`, or `package.module:function` of your own."""
    arguments: Annotated[tuple[tuple[str, Any], ...], BeforeValidator(_pairs)] = ()
    """What it is called with beside its channels and classes: names with values, lists as tuples."""
    part: str = ""
    """The path of the module, in what the name makes, that is meant, such as `model.backbone`; then it is called with
    its arguments alone, and may give anything."""
    weights: str | None = Field(None, min_length=1)
    """`pretrained`: what its library has for it; or a file of weights. Without it, initial weights of the seed."""
    weights_key: str = ""
    """Which part of a file of weights is meant where several fit: a key or a prefix, such as `state_dict_ema`."""
    attention: Literal["keep", "strip"] = "keep"
    """What becomes of attention that it has by itself."""
    image: tuple[Pixels, Pixels] | None = None
    """Height and width of the images that it takes, for a network that takes no others and from which places are to be
    found; without it a few usual sizes are tried."""
    modules: tuple[str, ...] = ()
    """Paths of modules after which attention may stand, such as `features.3`; without them places are found."""

    auxiliary_weight: Annotated[float | None, Field(ge=0, le=10)] = None
    """For a network that gives auxiliary class scores too while it is trained, the main ones first: how much the loss
    of each of them counts, beside 1 for the main ones."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, str | Mapping | cls):
            raise ValueError(f"found {value!r}; allowed: a text, or a table with a name")
        return {"name": value} if isinstance(value, str) else value

    @property
    def untrained(self) -> "Backbone":
        """The same network with initial weights."""
        return self.with_weights(None)

    def with_weights(self, weights: str | None) -> "Backbone":
        """The same network with other weights, all of a file."""
        return self.model_copy(update={"weights": weights, "weights_key": ""})

    def identity(self) -> str | dict[str, Any]:
        """What rows depend on: its name, and all that is not as usual; of a file of weights what it holds, not where.

        Raises `OSError` where that file cannot be read.
        """
        said = self.model_dump(mode="json", exclude_defaults=True)
        if self.weights not in (None, "pretrained"):
            said["weights"] = hashlib.sha256(Path(self.weights).read_bytes()).hexdigest()
        return self.name if said.keys() == {"name"} else said
