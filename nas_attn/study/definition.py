"""Definition of a study in its storage: its files, so that a process elsewhere can work on it without its folder."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from pydantic import TypeAdapter, ValidationError

from nas_attn.settings import StudyFile, read_study_file
from nas_attn.space import InputError, make_folder, write_whole

from .identity import read_study_id, write_study_id
from .storage import leases_of

_STUDY = "study.toml"
_DEFINITION = "definition"
_CODE = re.compile(r"(?!timm:|torchvision:|smp:)[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_STORAGE = "{storage}"
"""Stands for the storage's URL, which may have a password."""


def write_definition(leases: optuna.Study, folder: Path, file: StudyFile) -> None:
    """Write down the texts of a study's files; nothing where its own folder's files or another URL are meant."""
    url, space = file.search.storage or "", Path(file.space)
    text = (folder / _STUDY).read_text(encoding="utf-8")
    if not url or url not in text or space.is_absolute() or ".." in space.parts:
        return
    texts = {_STUDY: text.replace(url, _STORAGE), space.as_posix(): (folder / space).read_text(encoding="utf-8")}
    if leases.user_attrs.get(_DEFINITION) != texts:
        leases.set_user_attr(_DEFINITION, texts)


def make_worker_folder(url: str, name: str, folder: Path, data: Path | None = None, *, trust: bool = False) -> None:
    """Write the files of a study in a storage into a folder, where they are not there, to work on it.

    `data` is where its images lie on this machine; a link in the folder leads there.

    Raises `InputError` where the storage has no such study, or its files are not there; where they name code that would
    be imported, without `trust`; where the folder is of another study; and where the images' path leads out of the
    folder, for which there is no link.
    """
    texts = _definition(url, name)
    if (code := _named_code(texts)) and not trust:
        raise InputError(
            f"study {name}: names code that is imported and called: {', '.join(code)}; with --trust it is, where you "
            "know who wrote the study"
        )
    if (known := read_study_id(folder)) and known != name:
        raise InputError(f"{folder}: is of the study {known}, and not of {name}; name another folder")
    for relative, text in texts.items():
        path = folder / relative
        if Path(relative).is_absolute() or ".." in Path(relative).parts:
            raise InputError(f"study {name}: {relative}: leads out of its folder")
        if not path.exists():
            make_folder(path.parent)
            write_whole(path, text.replace(_STORAGE, url).encode())
            path.chmod(0o600)  # the URL may have a password
    if not known:
        write_study_id(folder, name)
    if data is not None:
        _link(folder, data)


def _definition(url: str, name: str) -> dict[str, str]:
    leases = leases_of(url, name)
    try:
        texts = TypeAdapter(dict[str, str]).validate_python(leases.user_attrs.get(_DEFINITION, {}))
    except ValidationError:
        texts = {}
    if _STUDY not in texts:
        raise InputError(
            f"study {name}: its storage does not have its files, as its study.toml does not name the storage by this "
            "URL, or its space file lies outside its folder; copy the folder here, and search there"
        )
    return texts


def _named_code(texts: Mapping[str, str]) -> list[str]:
    """What looks like a name of code, such as `package.module:Class`, in the values of some TOML files."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, Mapping):
            value = list(value.values())
        if isinstance(value, list):
            for one in value:
                yield from walk(one)
        elif isinstance(value, str) and _CODE.fullmatch(value):
            yield value

    return [*dict.fromkeys(name for text in texts.values() for name in walk(tomllib.loads(text)))]


def _link(folder: Path, data: Path) -> None:
    said = getattr(read_study_file(folder).data, "path", None)
    if said is None:
        raise InputError(f"--data: found {data}; allowed: none, as the study reads no images from a path")
    place = folder / said
    if Path(said).is_absolute() or ".." in Path(said).parts:
        raise InputError(f"--data: found {data}, but the study reads {said}, which is not in its folder; put it there")
    if not data.exists():
        raise InputError(f"--data: found {data}; there is no such file or folder")
    make_folder(place.parent)
    if not place.exists():
        place.symlink_to(data.absolute())
