"""Folder of an export, which replaces only an earlier export, and whole even when it is killed."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from nas_attn.space import InputError, reported, write_whole

_MANIFEST = "MANIFEST.sha256"
_ALWAYS = {"README.md", "config.json", "model.py", "model.safetensors", _MANIFEST}
_FILES = {*_ALWAYS, "model.pt2"}
_CONFIG = {"key", "architecture", "backbone", "placements", "class_names", "metrics"}  # of every version
_SOURCE = b"Written by nas_attn;"  # in the docstring of every `model.py`
_PARTIAL = re.compile(r"\.[0-9a-f]{16}\.part")  # of a file that was being written
_NEW, _EARLIER, _LOCK = "new", "earlier", "lock"


@contextmanager
def claimed(out: Path) -> Iterator[Path]:
    """Context of an export to `out`, with a hidden folder `.NAME-export` beside it whose `new` `exchange` makes `out`.

    Within it no other process exports there. What a killed export has left is put right first: an earlier export that
    it had moved aside comes back, and the rest goes. In the end nothing is left beside `out`.

    Raises `InputError` where `out` exists and is neither an empty folder nor an earlier export, whole and unchanged;
    where it is a link, the current folder, or within an export; where another export writes there, and where nothing
    can be written.
    """
    with reported(f"{out}: cannot be written", OSError):
        out = out if out.name not in ("", "..") else out.resolve()
        _refuse(out)
        work = out.with_name(f".{out.name}-export")
        made = [folder for folder in out.parents if not folder.exists()]
        lock = _locked(out, work)
    try:
        with reported(f"{out}: cannot be written", OSError):
            _put_right(out, work)
            _refuse(out)
            (work / _NEW).mkdir()
        yield work
        with reported(f"{out}: cannot be written", OSError):
            _put_right(out, work)
    finally:
        with suppress(OSError, InputError):  # after a failure; its own message is the one to be read
            _put_right(out, work)
        with suppress(OSError):
            (work / _LOCK).unlink()
        lock.release()
        with suppress(OSError):
            work.rmdir()
            for folder in made if not out.exists() else ():
                folder.rmdir()


def write_file(work: Path, name: str, content: bytes, out: Path) -> None:
    """Write a file of the export; raises `InputError`, which names its place in `out`, where that fails."""
    try:
        write_whole(work / _NEW / name, content)
    except InputError as error:
        raise InputError(str(error).replace(str(work / _NEW), str(out))) from None


def exchange(work: Path, out: Path) -> str:
    """Put the new folder, with its checksums, in the place of `out`; a note on what was lost there, if anything.

    A kill leaves one of the two whole. Raises `InputError` as `claimed` does, where `out` has changed since.
    """
    write_file(work, _MANIFEST, _manifest(work / _NEW).encode(), out)
    with reported(f"{out}: cannot be written", OSError):
        out = out if out.name not in ("", "..") else out.resolve()
        _refuse(out)
        derived = (out / "__pycache__").is_dir()
        if out.exists():
            out.rename(work / _EARLIER)
        (work / _NEW).rename(out)
    note = "the earlier export is replaced, and the __pycache__ that Python made of its model.py went"
    return note if derived else ""


def _refuse(out: Path) -> None:
    if out.is_symlink() or out.exists():
        if fault := _fault(out):
            raise InputError(
                f"{out}: exists, and is no earlier export, whole and unchanged: {fault}; name a new folder, or take "
                "away what is yours"
            )
        if Path.cwd().is_relative_to(out.resolve()) or os.path.ismount(out):
            where = "a mount point" if os.path.ismount(out) else "the current folder"
            raise InputError(f"{out}: is {where}, which cannot be replaced as a whole; name a new folder within it")
    place = out.parent.resolve()
    for folder in (place, *place.parents):
        if (folder / _MANIFEST).is_file() and not _fault(folder):
            raise InputError(f"{out}: lies within the export {folder}; name a folder beside that")


def _fault(folder: Path) -> str:
    """Why a folder is neither empty nor an earlier export as it was written; empty where it is one of them."""
    if folder.is_symlink():
        return "it is a link"
    if not folder.is_dir():
        return "it is no folder"
    entries = {entry.name: entry for entry in sorted(folder.iterdir())}
    if not entries:
        return ""
    for name, entry in entries.items():
        if not _is_written(entry):
            return f"{name} is no file that an export writes"
    if lacking := sorted(_ALWAYS - entries.keys()):
        return f"{lacking[0]} is missing"
    listed = entries[_MANIFEST].read_text(encoding="utf-8", errors="replace").splitlines()
    expected = _manifest(folder).splitlines()
    if changed := [line.partition("  ")[2] for line in expected if line not in listed]:
        return f"{changed[0]} is not what {_MANIFEST} says"
    if listed != expected:
        return f"{_MANIFEST} names other files too"
    try:
        config = json.loads(entries["config.json"].read_bytes())
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict) or not config.keys() >= _CONFIG:
        return "config.json is not of an export"
    return "" if _SOURCE in entries["model.py"].read_bytes() else "model.py is not of an export"


def _manifest(folder: Path) -> str:
    """A line a file, as `sha256sum -c` reads them."""
    lines = []
    for name in sorted(_FILES - {_MANIFEST}):
        if (folder / name).exists():
            with (folder / name).open("rb") as file:
                lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    return "".join(lines)


def _is_written(path: Path) -> bool:
    """Whether this is a file of an export by its name, or what Python makes of one when `model.py` is imported."""
    if path.is_symlink():
        return False
    if path.name == "__pycache__" and path.is_dir():
        plain = {one.name for one in path.iterdir() if one.is_file() and not one.is_symlink()}
        return all(one.name in plain and re.fullmatch(r"model\..+\.pyc", one.name) for one in path.iterdir())
    return path.name in _FILES and path.is_file()


def _locked(out: Path, work: Path) -> FileLock:
    if work.is_symlink():
        raise InputError(f"{work}: is a link, and in the way; move it away")
    work.mkdir(parents=True, exist_ok=True)
    lock = FileLock(work / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"{out}: another export is writing there; wait for it, or stop it") from None
    return lock


def _put_right(out: Path, work: Path) -> None:
    """Bring an earlier export back that was moved aside while nothing is in its place, and clear all that is left.

    Raises `InputError` where something is left that no export wrote.
    """
    earlier = work / _EARLIER
    if _is_there(earlier) and not _is_there(out) and not _fault(earlier):
        earlier.rename(out)
    _clear(work, {_NEW, _EARLIER}, {_LOCK})
    before = re.compile(rf"\.{re.escape(out.name)}-[a-z0-9_]{{8}}")  # of version 0.1.0
    for left in [path for path in out.parent.iterdir() if before.fullmatch(path.name)]:
        if (left / "export").is_dir() and not left.is_symlink():
            with suppress(InputError):  # somebody else's
                _clear(left, {"export"}, {"probes.pt", "outputs.pt"})
                shutil.rmtree(left)


def _clear(work: Path, folders: set[str], files: set[str]) -> None:
    for entry in work.iterdir():
        inner = [*entry.iterdir()] if entry.name in folders and entry.is_dir() and not entry.is_symlink() else [entry]
        for path in inner:
            known = path.name in files if path is entry else _is_written(path) or _PARTIAL.fullmatch(path.name)
            if not known or path.is_symlink():
                raise InputError(f"{path}: is in the way of an export, which did not write it; move it away")
    for name in folders:
        if (work / name).exists():
            shutil.rmtree(work / name)


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()
