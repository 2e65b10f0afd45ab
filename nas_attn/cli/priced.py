"""For which images and classes a space is priced: those of a study, of an option, or of the space file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas_attn.space import InputError

if TYPE_CHECKING:
    from nas_attn.assembly import SpaceFile
    from nas_attn.settings import Backbone
    from nas_attn.space import SearchSpace
    from nas_attn.study import StudyFolder

_STUDY = "study.toml"
Image = tuple[int, int, int]


@dataclass(frozen=True)
class Priced:
    """A space with what its networks are priced for, and in `remarks` where that comes from."""

    said: "SpaceFile"
    space: "SearchSpace"
    image: Image
    classes: int
    remarks: tuple[str, ...]


def is_file_or_study(text: str) -> bool:
    """Whether it is a space file, a study's folder or its `study.toml`, and no network's name."""
    return text.endswith(".toml") or (Path(text) / _STUDY).is_file()


def priced(path: Path, image: Image | None, classes: int | None) -> Priced:
    """The space of a file or a study, with images and classes: the study's, else the options', else the file's.

    Raises `InputError` where an option contradicts the study.
    """
    if path.name == _STUDY or path.is_dir():
        return _of_study(path.parent if path.name == _STUDY else path, image, classes)
    return _of_file(path, None, image, classes)


def _of_study(path: Path, image: Image | None, classes: int | None) -> Priced:
    from nas_attn.assembly import load_space
    from nas_attn.study import StudyFolder

    folder = StudyFolder.open(path)
    start = "identity" if folder.file.final == "inherit" else None
    file = folder.path / folder.file.space
    try:
        size, number, own = _facts(folder)
    except InputError as error:
        found = _of_file(file, start, image, classes)
        note = f"{path}: the study's images are not known ({error})"
        return Priced(found.said, found.space, found.image, found.classes, (note, *found.remarks))
    for option, given, known in (("image", image, size), ("classes", classes, number)):
        if given is not None and given != known:
            raise InputError(f"--{option}: found {spell(given)}; the study {path} has {spell(known)}: leave it out")
    said, space = load_space(file, start=start, image=size, classes=number, backbone=own)
    return Priced(said, space, size, number, (f"Image and classes are those of the study {path}",))


def _facts(folder: "StudyFolder") -> tuple[Image, int, "Backbone | None"]:
    """As recorded where the study was begun, else as its data are; with the network of a user's own module."""
    from nas_attn.study import read_facts
    from nas_attn.tasks import open_own_task, open_task, own_backbone

    try:
        facts = read_facts(folder.study())
    except InputError:  # not begun yet
        opened = open_task(folder.file, folder.path)
        return opened.facts.image, opened.classes, own_backbone(opened)
    own = open_own_task(folder.file, folder.path, facts.image)
    return facts.image, len(facts.class_names), None if own is None else own_backbone(own)


def _of_file(path: Path, start: str | None, image: Image | None, classes: int | None) -> Priced:
    from nas_attn.assembly import load_space
    from nas_attn.settings import read_document

    said, space = load_space(path, start=start, image=image, classes=classes)
    named, remarks = read_document(path).data, []
    for option, given, used in (("image", image, said.image), ("classes", classes, said.classes)):
        if given is None and option not in named:
            remarks.append(f"{path} names no {option}: {spell(used)} is assumed; --{option} says otherwise")
        elif given is not None and option in named:
            remarks.append(f"--{option} {spell(given)} is taken, whatever {path} says")
    return Priced(said, space, said.image, said.classes, tuple(remarks))


def spell(value: Image | int) -> str:
    """As the options take it."""
    return str(value) if isinstance(value, int) else "x".join(map(str, value))
