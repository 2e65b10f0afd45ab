"""Draft of a study, written into a folder of its own and read back."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_attn.cost import device_name
from nas_attn.inquiry.founding import path_from, read_backbone
from nas_attn.settings import read_study_file
from nas_attn.space import InputError, make_folder, write_whole
from nas_attn.training import training_device

from .budgets import read_budget
from .images import Found, find_images
from .questions import Ask, Question, assumed
from .spaces import SpaceText, usual_backbone
from .studies import StudyText

_FILES = ("study.toml", "space.toml")
_SIDES = {"cuda": 224, "mps": 128}
_CPU_SIDE = 64  # pixels, which a few cores train in minutes


@dataclass(frozen=True, slots=True)
class Draft:
    """The files of a study that were written, and what they rest on."""

    folder: Path
    lines: tuple[str, ...]
    """What was found of the images, the backbone and the machine."""


def draft(
    folder: Path,
    images: str,
    *,
    backbone: str | None = None,
    weights: str | None = None,
    budget: Sequence[str] = (),
    ask: Ask = assumed,
) -> Draft:
    """Write the `study.toml` and the `space.toml` of a first search of some images.

    `images` is a folder of them, a Parquet file, `digits` or `planted`; `ask` answers what they, the backbone and the
    machine leave open. Raises `InputError` where a file of a study is there, for images without labels, for a network
    or weights that cannot be had, and for a budget that cannot be read; then nothing is left in the folder.
    """
    _refuse(folder, images)
    found = find_images(images, ask)
    limits = read_budget(budget, found.task)
    device, cores = training_device(), _cores()
    side = _side(found, device.type, ask)
    name = backbone or ask(Question("Which network gets attention?", usual_backbone(side or _smallest(found))))
    said = read_backbone(name, weights)
    data = _data(found, folder, side, said.weights is not None)
    image = (data.get("channels", 3), side, side) if side else _image(found, data)
    new = not folder.exists()
    make_folder(folder)
    try:
        text = SpaceText(said, image, max(2, len(found.classes)), folder)
        space, lines = text.written(folder / "space.toml")
        flip = found.task != "regression" and found.data["kind"] not in ("digits", "planted") and _flips(ask)
        study = StudyText(found, data, limits, said.weights is not None, flip, device.type)
        write_whole(folder / "study.toml", str(study).encode())
        read_study_file(folder)
    except BaseException:
        _remove(folder, new)
        raise
    machine = f"this machine: {device_name(device)}, {cores} core{'s' if cores > 1 else ''}"
    return Draft(folder, (*found.lines, *lines, f"{space.size:,} networks to choose from", machine))


def _refuse(folder: Path, images: str) -> None:
    for name in _FILES:
        if (folder / name).exists():
            raise InputError(f"{folder / name}: is there, and nothing is overwritten; name another folder")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder for the study")
    path = Path(images)
    if path.is_dir() and folder.absolute().resolve().is_relative_to(path.absolute().resolve()):
        raise InputError(
            f"{folder}: lies in the folder of images, where what the study writes would be taken for images; "
            "name a folder beside it"
        )


def _remove(folder: Path, new: bool) -> None:
    if new:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _smallest(found: Found) -> int:
    return min((min(size) for size in found.sizes), default=8)


def _side(found: Found, device: str, ask: Ask) -> int | None:
    """The side to which images are resized; None where all have one size that need not be changed."""
    if not found.sizes:
        return None
    most = _SIDES.get(device, _CPU_SIDE)
    if len(found.sizes) == 1 and max(next(iter(found.sizes))) <= 1.5 * most:
        return None
    usual = min(most, max(8, _smallest(found) // 8 * 8))
    text = "To a square of how many pixels a side is each image resized? More show more, and take longer"
    answer = ask(Question(text, str(usual)))
    if not answer.isdecimal() or not 1 <= int(answer) <= 4096:
        raise InputError(f"image_size: found {answer!r}; allowed: pixels, from 1 to 4096")
    return int(answer)


def _flips(ask: Ask) -> bool:
    text = "Does a mirrored image keep its label? (not so for letters, digits, left and right)"
    return ask(Question(text, "no", ("yes", "no"))) == "yes"


def _data(found: Found, folder: Path, side: int | None, weights: bool) -> dict[str, Any]:
    data = dict(found.data)
    if "path" in data:
        data["path"] = path_from(folder, Path(data["path"]))
        data |= {"image_size": side} if side else {}
        data |= {"channels": 1} if found.grey and not weights else {}
    return data


def _image(found: Found, data: dict[str, Any]) -> tuple[int, int, int]:
    if not found.sizes:
        return (1, 8, 8) if data["kind"] == "digits" else (1, 8, 46)
    (width, height) = next(iter(found.sizes))
    return data.get("channels", 3), height, width
