"""Files that a module reads beside itself, as far as its source names them."""

import ast
import re
from pathlib import Path

_PLACES = {"__file__", "__path__", "files", "get_data", "resources"}  # by which a module finds what lies beside it
_DATA = re.compile(r"[\w./ -]+\.(bin|cfg|csv|ini|json|npy|npz|pkl|pt|pth|safetensors|toml|txt|ya?ml)")
_MOST_FILES, _MOST_BYTES = 64, 2**24  # of a folder that is named, rather than the files in it


def read_files(tree: ast.Module, place: Path, module: str) -> tuple[dict[str, bytes], list[str]]:
    """Files that the source of a module at this place names, by their paths below the folder it is imported from.

    A name is taken for what it is beside the module, or in a folder around it up to the one from which it is imported,
    alone or behind names of folders. Of a folder that is named, and no file in it, all goes along. In a module that
    does not find itself, only names that data have count. Second come remarks, a line each, on data that are not found
    there, or in the current folder too, and on folders that are too large.
    """
    names = {getattr(node, "attr", getattr(node, "id", getattr(node, "name", None))) for node in ast.walk(tree)}
    names |= {getattr(node, "module", None) for node in ast.walk(tree)}
    finds_itself = bool(names & {*_PLACES, "importlib.resources"})
    texts_in = texts(tree)
    remarks = [_elsewhere(module, text) for text in sorted(texts_in) if text.startswith("/") and Path(text).is_file()]
    named = {text for text in texts_in if ".." not in text and not text.startswith("/")} - {"."}
    data = {text for text in named if _DATA.fullmatch(text)}
    named |= {text.replace(".", "/") for text in named}  # packages too
    root = place.parents[module.count(".") + (place.stem == "__init__")]
    bases = [folder for folder in place.parents if folder.is_relative_to(root)]
    folders, files = [*bases], dict[str, Path]()
    for folder in folders:
        for text in named:
            path = folder / text
            if path.is_file() and (finds_itself or text in data):
                files.setdefault(text, path)
            elif path.is_dir() and path not in folders and len(folders) < _MOST_FILES:
                folders.append(path)
    wanted = {*files.values()}
    for folder in folders[len(bases) :] if finds_itself else ():
        if not any(path.is_relative_to(folder) for path in wanted) and not [*folder.glob("*.py")]:
            inner = _all_of(folder)
            wanted.update(inner)
            remarks += [] if inner else [f"{module} names the folder {folder.name}, which is too large to go along"]
    if finds_itself:
        remarks += [_elsewhere(module, text) for text in sorted(data - files.keys())]
    else:
        remarks += [
            f"{module} names {text}, found in the current folder" for text in sorted(data) if Path(text).is_file()
        ]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(wanted)}, remarks


def texts(tree: ast.Module) -> set[str]:
    """The texts in a source that may be names of files, folders or modules."""
    values = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {text for text in values if isinstance(text, str) and re.fullmatch(r"[\w./ -]{1,200}", text)}


def _elsewhere(module: str, text: str) -> str:
    return f"{module} names {text}, which is not found beside it and does not go along"


def _all_of(folder: Path) -> list[Path]:
    """The files in a folder; none where they are too many or too large."""
    found, size = [], 0
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            found.append(path)
            size += path.stat().st_size
        if len(found) > _MOST_FILES or size > _MOST_BYTES:
            return []
    return found
