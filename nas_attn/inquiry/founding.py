"""A study that is made for one question: its `study.toml` and its `space.toml`."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from nas_attn.attention import STARTS, allowed_positions, keyword_options, usable_class
from nas_attn.backbones import network, sites
from nas_attn.settings import Backbone, Recipe, toml_lines, toml_value
from nas_attn.space import InputError, Site, allowed, make_folder, parse, write_whole
from nas_attn.study import StudyFolder

from .candidate import START
from .spelling import Wish, places, wishes, with_options

_BACKBONE = re.compile(r"(?P<name>[^()\s]+)(?:\((?P<arguments>[^()]*)\))?")
_SETS = ("digits", "planted")
_DATA = "a folder that holds a folder of images for each class, or a Parquet file"
_LONGEST = 80  # letters of a folder's name
_FINE_TUNING_RATE = 0.01


@dataclass(frozen=True, slots=True)
class Terms:
    """In which terms a question without a study is answered."""

    data: str
    """A folder of images, a Parquet file, `digits` or `planted`."""
    weights: str | None = None
    """`pretrained`, or a file with weights of the backbone."""
    image_size: int | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    """Without it that of the usual recipe, and 0.01 where there are weights."""

    @property
    def recipe(self) -> dict[str, Any]:
        """What the study file says of training."""
        usual = Recipe()
        rate = _FINE_TUNING_RATE if self.weights else usual.learning_rate
        return {
            "epochs": self.epochs or usual.epochs,
            "batch_size": usual.batch_size,
            "learning_rate": self.learning_rate or rate,
        }


def terms_of(subject: Path | str, said: Mapping[str, Any]) -> Terms:
    """The terms of a question about a backbone; raises `InputError` for another name, and without data."""
    names = [field.name for field in fields(Terms)]
    for name in said:
        if name not in names:
            raise InputError(f"{name}: is none of the terms of a question; {allowed(name, names)}")
    if said.get("data") is None:
        raise InputError(f"{subject}: is no study's folder, and a network needs data: {_DATA}")
    return Terms(**said)


@dataclass(frozen=True, slots=True)
class Founded:
    """The files of a study, as texts, and what its spellings mean with nothing left open."""

    study: str
    space: str
    wishes: Mapping[str, tuple[Wish, ...]]


def read_backbone(text: str, weights: str | None = None) -> Backbone:
    """A backbone from its name, with arguments as a kind has options.

    >>> read_backbone("resnet8(width=2)").arguments
    (('width', 2),)

    Raises `InputError` where it cannot be read.
    """
    match = _BACKBONE.fullmatch(text)
    if match is None:
        raise InputError(f"backbone: found {text!r}; allowed: NAME, or NAME(ARGUMENT=VALUE,...)")
    options = parse(f"x=x({match['arguments']})").placements[0].attention.options if match["arguments"] else ()
    return Backbone.model_validate({"name": match["name"], "arguments": dict(options), "weights": weights})


def folder_for(backbone: str, spellings: Iterable[str]) -> Path:
    """The folder of a question for which none is named, in the current one.

    >>> folder_for("timm:resnet18", ["stage3.block=cbam"])
    PosixPath('ask-timm-resnet18-stage3.block-cbam')
    """
    name = re.sub(r"[^\w.]+", "-", f"ask {backbone} {' and '.join(spellings)}").strip("-")
    return Path(name[:_LONGEST].rstrip("-."))


def founded(backbone: Backbone, spellings: Sequence[str], terms: Terms, folder: Path) -> Founded:
    """The study of a question about a backbone, for a folder that need not be there.

    Its space is the smallest file that holds what is spelt, from both starts. Raises `InputError` for a network, a
    place, a kind or an option that there is not, with those that there are.
    """
    make = network(backbone.untrained)
    here = sites(partial(_built, make))
    said: dict[str, tuple[Wish, ...]] = {}
    for spelling in spellings:
        try:
            said[spelling] = tuple(_complete(wish, here, backbone.name) for wish in wishes(spelling))
        except InputError as error:
            raise InputError(f"{spelling}: {str(error).removeprefix(f'{spelling}: ')}") from None
    every = _with_defaults([wish for some in said.values() for wish in some])
    said = {spelling: tuple(every[wish] for wish in some) for spelling, some in said.items()}
    return Founded(_study_text(terms, folder), _space_text(backbone, here, [*every.values()], folder), said)


def _built(make: Any, insert: Any) -> Any:
    return make(in_channels=3, classes=10, insert=insert)


def write_founded(made: Founded, folder: Path) -> bool:
    """Write the files of a study; whether the folder is new.

    Raises `InputError` where the folder holds another question, or anything else.
    """
    texts = {"study.toml": made.study, "space.toml": made.space}
    new = not folder.exists()
    make_folder(folder)
    there = {name: folder / name for name in texts if (folder / name).exists()}
    for name, path in there.items():
        if path.read_text(encoding="utf-8") != texts[name]:
            raise InputError(
                f"{folder}: its {name} is of another question; --study FOLDER names another folder for this one, and "
                f"`nas-attn ask {folder} SPELLING` asks in terms of the study that is there"
            )
    if not there and any(folder.iterdir()):
        raise InputError(f"{folder}: holds other things than a study; --study FOLDER names another folder")
    for name, text in texts.items():
        if name not in there:
            write_whole(folder / name, text.encode())
    return new


@contextmanager
def refused_whole(folder: Path, new: bool) -> Iterator[None]:
    """Context in which what is refused before anything is trained leaves no folder, if that is new.

    Faults of the files that were made are faults of what was spelt, and are reported without their lines.
    """
    try:
        yield
    except InputError as error:
        begun = _is_begun(folder)
        if new and not begun:
            shutil.rmtree(folder)
        made = re.escape(str(folder)) + r"/(space|study)\.toml(:\d+)?: "
        raise InputError(str(error) if begun else re.sub(made, "", str(error))) from None


def _is_begun(folder: Path) -> bool:
    """Whether anything was trained there, or was about to be."""
    try:
        return bool(StudyFolder.open(folder).studies())
    except InputError:
        return False


def is_study(subject: Path | str) -> bool:
    """Whether it is the folder of a study, and no network's name."""
    return (Path(subject) / "study.toml").is_file()


def _complete(wish: Wish, here: Sequence[Site], name: str) -> Wish:
    """A wish that says where in a block its kind stands, and whose kind can be given what it says."""
    found, kind = places(wish.place, here, name), usable_class(wish.kind)
    possible = allowed_positions(kind)
    there = {site.position for site in found.sites}
    position = found.position or next((one for one in possible if one in there), "")
    if position not in possible:
        raise InputError(f"{wish.kind}: position: found {position or ', '.join(there)}; {allowed(position, possible)}")
    known = [option.name for option in keyword_options(kind)]
    for option, value in wish.options:
        if option == START and value not in STARTS:
            raise InputError(f"{wish.kind}: {START}: found {value}; {allowed(value, STARTS)}")
        if option not in (*known, START):
            raise InputError(f"{wish.kind}: unknown option {option!r}; {allowed(option, [*known, START])}")
    return replace(wish, position=position)


def _with_defaults(every: Sequence[Wish]) -> dict[Wish, Wish]:
    """Each wish with the default of those options that another wish of its kind says."""
    found = {}
    for wish in every:
        said = {name for other in every if other.kind == wish.kind for name, _ in other.options} - {START}
        usual = {option.name: option.default for option in keyword_options(usable_class(wish.kind))}
        missing = said - dict(wish.options).keys()
        if unknown := [name for name in sorted(missing) if usual[name] is None]:
            raise InputError(f"{wish}: {unknown[0]} follows from the channels; say it, as another spelling does")
        found[wish] = with_options(wish, **{name: usual[name] for name in missing})
    return found


def _study_text(terms: Terms, folder: Path) -> str:
    lines = [
        "# Made by `nas-attn ask`. A question in other terms needs a folder of its own.",
        'space = "space.toml"',
        'objectives = ["accuracy", "flops"]',
        "",
        "[data]",
        *toml_lines(_data(terms, folder)),
        "",
        "[recipe]",
        *toml_lines(terms.recipe),
    ]
    return "\n".join(lines) + "\n"


def _data(terms: Terms, folder: Path) -> dict[str, Any]:
    path, size = Path(terms.data), {} if terms.image_size is None else {"image_size": terms.image_size}
    if path.exists() or any(letter in terms.data for letter in "*?"):
        kind = "folder" if path.is_dir() and not any(path.glob("*.parquet")) else "parquet"
        return {"kind": kind, "path": path_from(folder, path), **size}
    if terms.data in _SETS and not size:
        return {"kind": terms.data}
    raise InputError(f"data: found {terms.data!r}; {allowed(terms.data, _SETS)}, {_DATA}")


def path_from(folder: Path, path: Path) -> str:
    """A path as a file in a folder names it: relative, with slashes."""
    return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()


def _space_text(backbone: Backbone, here: Sequence[Site], every: Sequence[Wish], folder: Path) -> str:
    named = {"name": backbone.name, "arguments": dict(backbone.arguments), "weights": weights_said(backbone, folder)}
    by_block = any(_below_stage(wish, here, backbone.name) for wish in every)
    lines = [
        "# Made by `nas-attn ask`.",
        f'per = "{"block" if by_block else "stage"}"',
        f"start = {toml_value(STARTS)}",
    ]
    lines += ["", "[backbone]", *toml_lines({name: value for name, value in named.items() if value})]
    for kind in dict.fromkeys(wish.kind for wish in every):
        some = [wish for wish in every if wish.kind == kind]
        slots = dict.fromkeys(slot for wish in some for slot in _slots(wish, here, backbone.name, by_block))
        table: dict[str, Any] = {"slots": [*slots], "position": [*dict.fromkeys(wish.position for wish in some)]}
        for name in dict.fromkeys(name for wish in some for name, _ in wish.options if name != START):
            table[name] = [*dict.fromkeys(dict(wish.options)[name] for wish in some)]
        lines += ["", f"[kinds.{toml_value(kind)}]", *toml_lines(table)]
    return "\n".join(lines) + "\n"


def weights_said(backbone: Backbone, folder: Path) -> str | None:
    """The weights of a backbone as a space file in a folder names them; raises `InputError` for a missing file."""
    if backbone.weights in (None, "pretrained"):
        return backbone.weights
    if not Path(backbone.weights or "").is_file():
        raise InputError(f"weights: there is no file {backbone.weights}; allowed: a file, or 'pretrained'")
    return path_from(folder, Path(backbone.weights or ""))


def _below_stage(wish: Wish, here: Sequence[Site], name: str) -> bool:
    """Whether it means less than all of its stages' places at its position."""
    named = {site.name for site in places(wish.place, here, name).at(wish.position)}
    stages = {site.stage for site in here if site.name in named}
    return any(site.stage in stages and site.position == wish.position and site.name not in named for site in here)


def _slots(wish: Wish, here: Sequence[Site], name: str, by_block: bool) -> list[str]:
    found = places(wish.place, here, name).at(wish.position)
    return [*dict.fromkeys(site.block if by_block else site.stage for site in found)]
