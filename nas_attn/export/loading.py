"""Networks that come back from an exported folder."""

import logging
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from nas_attn.space import InputError, in_a_line

from .standalone.folder import fault_of

_LOG = logging.getLogger(__name__)


def load_export(folder: Path | str) -> nn.Module:
    """The network (B, C, H, W) -> (B, classes) of an exported folder, with its weights, in evaluation mode.

    It is made by `model.py`, whose code runs here, as what the folder holds in `code` does; where that is not there, or
    needs what is not installed, it is the program `model.pt2`, which cannot be trained any further.

    Raises `InputError` where the folder is no export, a file is not what its checksum says, or nothing of it loads.
    """
    folder = Path(folder)
    if not folder.is_dir() or not any(folder.iterdir()):
        raise InputError(f"{folder}: is no export of a network; `nas-attn export STUDY {folder}` makes one")
    if fault := fault_of(folder):
        raise InputError(f"{folder}: is no export, whole and unchanged: {fault}")
    reasons: list[str] = []
    for name, load in _FORMS.items():
        try:
            if (folder / name).is_file():
                network = load(folder / name)
                if reasons:
                    _LOG.warning("%s: %s; the network is that of %s", folder, "; ".join(reasons), name)
                return network
            reasons.append(f"{name} is not there")
        except Exception as error:  # as of a package that is not installed, another version, or a user's own code
            reasons.append(f"{name} does not load: {in_a_line(error)}")
    raise InputError(f"{folder}: {'; '.join(reasons)}")


def _source(file: Path) -> nn.Module:
    network: nn.Module = _module(file).load(file.parent)
    return network


def _program(file: Path) -> nn.Module:
    return torch.export.load(file).module()


_FORMS: dict[str, Callable[[Path], nn.Module]] = {"model.py": _source, "model.pt2": _program}


def _module(file: Path) -> ModuleType:
    """A file of Python as a module, of which an earlier one of the same file is forgotten."""
    name = f"nas_attn_export_{abs(hash(file.resolve()))}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} is no Python file")
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
