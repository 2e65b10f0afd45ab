"""Parquet files of a data set: one, or the shards in a folder or of a pattern, of one part or of several."""

import logging
import re
from collections import defaultdict
from pathlib import Path

from nas_attn.space import InputError

from .layout import role_of

_LOG = logging.getLogger(__name__)
_SHARD = re.compile(r"-(\d+)-of-(\d+)$")
"""As in `train-00000-of-00002.parquet`, counted from 0."""


def find_shards(path: Path) -> dict[str, list[Path]]:
    """The files of train, validation and test part that a path names: a file, a folder, or a pattern (`a/*.parquet`).

    In a folder, or of a pattern, a file belongs to the part that its name or its folder's begins with; where none says
    that it trains, all are one part, called `train`. The log says which shards are missing.

    Raises `InputError` where there is no such file.
    """
    if path.is_file():
        found = {"train": [path]}
    elif path.is_dir():
        found = _by_part(sorted(path.rglob("*.parquet")))
    else:
        pattern = str(path.relative_to(path.anchor))
        found = _by_part(sorted(Path(path.anchor).glob(pattern)) if re.search(r"[*?\[]", pattern) else [])
    if not found:
        raise InputError(f"{path}: {'holds no Parquet file' if path.is_dir() else 'there is no such file'}")
    for files in found.values():
        _report_missing(files)
    return found


def _by_part(files: list[Path]) -> dict[str, list[Path]]:
    shown = [file for file in files if not file.name.startswith((".", "_"))]
    found = defaultdict(list)
    for file in shown:
        found[_role(file)].append(file)
    if "train" not in found:
        return {"train": shown} if shown else {}
    if others := found.pop("", []):
        _LOG.warning(
            "%s: passed over, %d files of no part beside those of %s", *(others[0], len(others), ", ".join(found))
        )
    return {role: found[role] for role in ("train", "validation", "test") if role in found}


def _role(file: Path) -> str:
    stem = _SHARD.sub("", file.stem)
    return role_of(stem) or role_of(file.parent.name) or ""


def _report_missing(files: list[Path]) -> None:
    numbers = {file: _SHARD.search(file.stem) for file in files}
    for file, number in numbers.items():
        if number and len(files) < int(number[2]):
            counted = f"{len(files)} of {int(number[2])} shards"
            _LOG.warning("%s: is of %s that are there; of the others no image is used: name the folder", file, counted)
            return
