"""The gallery of a page: which validation images gain and lose by the attention of the most promising network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas_attn.verdict import ChangedImages


@dataclass(frozen=True, slots=True)
class Shown:
    """One image of the gallery, in words and as a picture."""

    title: str
    """Its class."""
    words: str
    """`right with 5 of 5 seeds, plain 1`."""
    better: bool
    png: str
    """In base64; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """The images that changed most, those that gain first."""

    sentence: str
    shown: tuple[Shown, ...]


def gallery(changed: ChangedImages | None, classes: Sequence[str], pngs: Mapping[int, str]) -> Gallery | None:
    """What a page shows of changed images; None where none changes. `pngs` are pictures by the images' numbers."""
    if changed is None or not changed.most:
        return None
    seeds = _seeds(changed.seeds)
    turns = ", and an image validates with those of its fold" if len(changed.folds) > 1 else ""
    sentence = (
        f"Of {changed.count:,} validation images, {changed.better:,} gain: more seeds of {changed.key} than of the "
        f"plain backbone are right. {changed.worse:,} lose. There are {seeds} of each{turns}. Those that change most:"
    )
    shown = tuple(
        Shown(
            classes[one.label] if 0 <= one.label < len(classes) else f"class {one.label}",
            f"right with {one.other} of {_seeds(one.seeds)}, the plain backbone with {one.plain}",
            one.other > one.plain,
            pngs.get(one.number, ""),
        )
        for one in changed.most
    )
    return Gallery(sentence, shown)


def _seeds(number: int) -> str:
    return f"{number} {'seed' if number == 1 else 'seeds'}"
