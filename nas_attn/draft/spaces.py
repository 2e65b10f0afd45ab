"""Space file of a draft: the usual kinds of attention, where the backbone has room for them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_attn.assembly import build, load_space
from nas_attn.attention import keyword_options, usable_class
from nas_attn.backbones import is_foreign, network, plan, sites
from nas_attn.inquiry.founding import weights_said
from nas_attn.settings import Backbone, library, toml_lines, toml_value
from nas_attn.space import Architecture, InputError, SearchSpace, Site, write_whole

_KINDS = {
    "se": "weighs each channel by what all channels are on average",
    "eca": "weighs each channel by its neighbours among the channels, at hardly any cost",
    "cbam": "weighs first the channels, then the positions",
    "coordinate": "weighs each channel by its row and by its column",
}
"""The kinds of a draft, cheap and usual, and what they do."""
_NARROWEST = 4  # channels of a hidden layer, at the thinnest place
_LIBRARY_SIDE = 48  # pixels from which on a network of a library is proposed


def usual_backbone(side: int) -> str:
    """The backbone that is proposed for images of so many pixels a side."""
    try:
        library("timm")
    except InputError:
        pass
    else:
        if side >= _LIBRARY_SIDE:
            return "timm:resnet18"
    return "resnet20" if side >= _LIBRARY_SIDE // 2 else "resnet8"


@dataclass(frozen=True)
class SpaceText:
    """The text of a space file, with what there is to know of the backbone."""

    backbone: Backbone
    image: tuple[int, int, int]
    classes: int
    folder: Path

    def written(self, path: Path) -> tuple[SearchSpace, list[str]]:
        """Write the file, without the kinds that have no place in the backbone; the space, and what was found.

        Raises `InputError` where the network cannot be built, its weights do not fit, or no kind has a place.
        """
        kinds, left = dict.fromkeys(_KINDS), []
        here = self._sites()
        while True:
            write_whole(path, self._text(here, [*kinds]).encode())
            try:
                said, space = load_space(path, image=self.image, classes=self.classes)
                break
            except InputError as error:
                failing = re.findall(r"kinds\.(\w+)", str(error))
                if not failing or failing[0] not in kinds or len(kinds) == 1:
                    raise
                del kinds[failing[0]]
                left.append(f"{failing[0]} is left out: {str(error).rpartition(': ')[2]}")
        build(Architecture(), said.backbone, in_channels=self.image[0], classes=self.classes)
        return space, [*self._found(here), *left, *space.remarks]

    def _sites(self) -> list[Site]:
        make = network(self.backbone.untrained)
        return [*sites(lambda insert: make(in_channels=self.image[0], classes=self.classes, insert=insert))]

    def _found(self, here: Sequence[Site]) -> list[str]:
        blocks, stages = ({getattr(site, of) for site in here} for of in ("block", "stage"))
        weights = f", weights from {self.backbone.weights}" if self.backbone.weights else ", from initial weights"
        said = f"{len(here)} places for attention, in {len(blocks)} blocks of {len(stages)} stages"
        lines = [f"{self.backbone.name}{weights}: {said}"]
        if is_foreign(self.backbone.name):
            planned = plan(self.backbone, in_channels=self.image[0], classes=self.classes)
            lines += planned.remarks
            if planned.own_attention:
                lines.append(
                    f"it has {len(planned.own_attention)} attention modules of its own, which stay; "
                    'attention = "strip" in space.toml removes them'
                )
        return lines

    def _text(self, here: Sequence[Site], kinds: Sequence[str]) -> str:
        named: dict[str, Any] = {
            "name": self.backbone.name,
            "arguments": dict(self.backbone.arguments),
            "weights": weights_said(self.backbone, self.folder),
        }
        thin = min(site.channels for site in here)
        lines = [
            "# What may be chosen: `nas-attn space` shows how many networks that is, and what they cost.",
            "# `nas-attn kinds` lists all kinds with their options, `nas-attn sites` the places of the backbone.",
            'per = "stage"            # one answer a stage; "block": each block has its own',
            f"image = {toml_value([*self.image])}",
            f"classes = {max(2, self.classes)}",
            "",
            "[backbone]",
            *toml_lines({name: value for name, value in named.items() if value}),
        ]
        for kind in kinds:
            lines += ["", f"[kinds.{kind}]            # {_KINDS[kind]}", *toml_lines(_options(kind, thin))]
        return "\n".join(lines) + "\n"


def _options(kind: str, thin: int) -> Mapping[str, Any]:
    """The options of a kind that do not fit a network of few channels as they are by default."""
    usual = {one.name: one.default for one in keyword_options(usable_class(kind))}
    if "reduction" not in usual:
        return {}
    return {"reduction": next(one for one in (16, 8, 4, 2, 1) if one == 1 or thin >= _NARROWEST * one)}
