"""Folder of an export, which replaces only an earlier export, and whole even when it is killed."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nas_attn.space import InputError, make_folder, reported, write_whole

_MANIFEST = "MANIFEST.sha256"
_ALWAYS = {"README.md", "config.json", "model.safetensors", _MANIFEST}
_FILES = {
    *_ALWAYS,
    "model.py",
    "model.pt2",
    "model.onnx",
    "module.safetensors",
    "predict.py",
    "predict.json",
    "network.svg",
}
_CODE = "code"
"""Folder of the user's own files that came along, which `config.json` names."""
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


def write_files(work: Path, files: Mapping[str, bytes], out: Path) -> None:
    """Write the files of the export, and no others; those in `code` after `config.json`, which names them.

    Raises `InputError`, which names the place in `out`, where that fails.
    """
    with reported(f"{out}: cannot be written", OSError):
        _remove(work / _NEW)
        (work / _NEW).mkdir()
    for name in sorted(files, key=lambda name: name.startswith(f"{_CODE}/")):
        _write(work, name, files[name], out)


def _write(work: Path, name: str, content: bytes, out: Path) -> None:
    try:
        make_folder((work / _NEW / name).parent)
        write_whole(work / _NEW / name, content)
    except InputError as error:
        raise InputError(str(error).replace(str(work / _NEW), str(out))) from None


def exchange(work: Path, out: Path) -> str:
    """Put the new folder, with its checksums, in the place of `out`; a note on what was lost there, if anything.

    A kill leaves one of the two whole. Raises `InputError` as `claimed` does, where `out` has changed since.
    """
    _write(work, _MANIFEST, _manifest(work / _NEW).encode(), out)
    with reported(f"{out}: cannot be written", OSError):
        out = out if out.name not in ("", "..") else out.resolve()
        _refuse(out)
        derived = any(out.rglob("__pycache__"))
        if out.exists():
            out.rename(work / _EARLIER)
        (work / _NEW).rename(out)
    note = "the earlier export is replaced, and the __pycache__ that Python made of its source went"
    return note if derived else ""


def _refuse(out: Path) -> None:
    if out.is_symlink() or out.exists():
        if fault := fault_of(out):
            raise InputError(
                f"{out}: exists, and is no earlier export, whole and unchanged: {fault}; name a new folder, or take "
                "away what is yours"
            )
        if Path.cwd().is_relative_to(out.resolve()) or os.path.ismount(out):
            where = "a mount point" if os.path.ismount(out) else "the current folder"
            raise InputError(f"{out}: is {where}, which cannot be replaced as a whole; name a new folder within it")
    place = out.parent.resolve()
    for folder in (place, *place.parents):
        if (folder / _MANIFEST).is_file() and not fault_of(folder):
            raise InputError(f"{out}: lies within the export {folder}; name a folder beside that")


def fault_of(folder: Path) -> str:
    """Why a folder is neither empty nor an earlier export as it was written; empty where it is one of them."""
    if folder.is_symlink():
        return "it is a link"
    if not folder.is_dir():
        return "it is no folder"
    entries = {entry.name: entry for entry in sorted(folder.iterdir())}
    if not entries:
        return ""
    for entry in entries.values():
        for strange in _strange(entry):
            return f"{strange.relative_to(folder)} is no file that an export writes"
    if lacking := sorted(_ALWAYS - entries.keys()):
        return f"{lacking[0]} is missing"
    listed = entries[_MANIFEST].read_text(encoding="utf-8", errors="replace").splitlines()
    expected = _manifest(folder).splitlines()
    if changed := [line.partition("  ")[2] for line in expected if line not in listed]:
        return f"{changed[0]} is not what {_MANIFEST} says"
    if listed != expected:
        return f"{_MANIFEST} names other files too"
    if not _config(folder).keys() >= _CONFIG:
        return "config.json is not of an export"
    source = entries["model.py"].read_bytes() if "model.py" in entries else _SOURCE
    return "" if _SOURCE in source else "model.py is not of an export"


def _config(folder: Path) -> dict[str, Any]:
    """What `config.json` says; nothing where it cannot be read."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def _carried(folder: Path) -> set[str]:
    """The user's own files of an export, as `config.json` names them."""
    leaves = _config(folder).get("leaves")
    files = leaves.get("files") if isinstance(leaves, dict) else None
    return {name for name in files if isinstance(name, str)} if isinstance(files, list) else set()


def _manifest(folder: Path) -> str:
    """A line a file, as `sha256sum -c` reads them."""
    lines = []
    for name in sorted((_FILES - {_MANIFEST}) | _carried(folder)):
        if (folder / name).exists():
            with (folder / name).open("rb") as file:
                lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    return "".join(lines)


def _strange(entry: Path) -> Iterator[Path]:
    """What of an entry of a folder no export writes, nor Python makes of what one writes."""
    files = {*_FILES, *_carried(entry.parent)}
    folders = {folder for name in files for folder in map(str, Path(name).parents)}

    def known(path: Path) -> bool:
        name = path.relative_to(entry.parent)
        if path.is_symlink():
            return False
        if path.name == "__pycache__":
            return path.is_dir() and str(name.parent) in folders
        if name.parent.name == "__pycache__":
            made_of = str(name.parent.parent / f"{name.name.partition('.')[0]}.py")
            return path.is_file() and path.suffix == ".pyc" and made_of in files
        return (str(name) in files and path.is_file()) or (str(name) in folders and path.is_dir())

    if not known(entry):
        yield entry
        return
    inner = (Path(at, name) for at, folders_in, files_in in os.walk(entry) for name in (*folders_in, *files_in))
    yield from (path for path in inner if not known(path))


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
    if _is_there(earlier) and not _is_there(out) and not fault_of(earlier):
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
            known = path.name in files and not path.is_symlink()
            for strange in _strange(path) if path is not entry else () if known else [path]:
                if path is entry or strange.is_symlink() or not _PARTIAL.fullmatch(strange.name):
                    raise InputError(f"{strange}: is in the way of an export, which did not write it; move it away")
    for name in folders:
        _remove(work / name)


def _remove(folder: Path) -> None:
    """Remove a folder of an export, the user's own files first, as they are known by the others."""
    for path in (folder / _CODE, folder):
        if path.exists():
            shutil.rmtree(path)


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()
