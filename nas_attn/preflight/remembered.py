"""Outcome of a preflight beside the study, which counts as long as nothing that it depends on has changed."""

import hashlib
import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import nas_attn
from nas_attn.chain import Chain
from nas_attn.evaluation import question_of
from nas_attn.settings import check_format, is_named_object, read_written, sealed, unsealed
from nas_attn.space import first_line, write_whole

from .findings import Checked, Finding

_FILE, _NEWEST = "checked.json", 1
_LOG = logging.getLogger(__name__)
_PACKAGES = ("torch", "pytorch-lightning", "timm", "torchvision", "albumentations", "onnxruntime")
_INSTALLED = {"site-packages", "dist-packages"}


def read_checked(chain: Chain) -> Checked | None:
    """What an earlier preflight of the same study found; None where there was none, or its file is damaged."""
    path = chain.folder.path / _FILE
    try:
        stored = unsealed(json.loads(path.read_text(encoding="utf-8")))
        check_format(stored["format_version"], _NEWEST, str(path))
        if stored["digest"] != digest(chain):
            return None
        return Checked(tuple(read_written(Finding, one, str(path)) for one in stored["findings"]), before=True)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        _LOG.warning("%s: is damaged, so the study is checked again: %s", path, first_line(error))
        return None


def write_checked(chain: Chain, checked: Checked) -> None:
    """Write down what a preflight found; raises `InputError` where that cannot be written."""
    found = {"format_version": _NEWEST, "digest": digest(chain), "findings": [*map(asdict, checked.findings)]}
    write_whole(chain.folder.path / _FILE, (json.dumps(sealed(found), indent=2) + "\n").encode())


def digest(chain: Chain) -> str:
    """The SHA-256 of all that the outcome depends on: questions, space, images, code of the user's own, versions."""
    file = chain.folder.file
    depends = {
        "steps": [question_of(file, step, chain.backbone, chain.timing.device) for step in file.steps],
        "space": [[slot.name, *map(str, slot.fillings())] for slot in chain.space.slots],
        "images": asdict(chain.task.fingerprint()),
        "code": {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(_own_code(chain))},
        "versions": [nas_attn.__version__, sys.version, *map(_version, _PACKAGES)],
    }
    if file.folds > 1:
        depends["seeds"] = file.steps[-1].seeds
    return hashlib.sha256(json.dumps(depends, sort_keys=True, default=str).encode()).hexdigest()


def _own_code(chain: Chain) -> set[Path]:
    """The files of the modules that the study names, and of all that was imported from the same folders."""
    homes = {file.parent for name in _named(chain) if (file := _file(sys.modules.get(name.partition(":")[0])))}
    loaded = {file for module in [*sys.modules.values()] if (file := _file(module))}
    return {file for file in loaded if any(file.is_relative_to(home) for home in homes)}


def _named(chain: Chain) -> Iterator[str]:
    """What the study names of Python: `my_package.blocks:MyAttention`."""
    said: list[Any] = [
        chain.backbone.name,
        chain.folder.file.model_dump(mode="json"),
        [kind.name for slot in chain.space.slots for kind in slot.kinds],
    ]
    while said:
        one = said.pop()
        if isinstance(one, str) and is_named_object(one):
            yield one
        elif isinstance(one, dict | list):
            said += one.values() if isinstance(one, dict) else one


def _file(module: Any) -> Path | None:
    """The source of a module that is not installed."""
    name = getattr(module, "__file__", None)
    if not isinstance(name, str) or _INSTALLED.intersection(Path(name).parts):
        return None
    path = Path(name).absolute()
    return path if path.suffix == ".py" and path.is_file() else None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
