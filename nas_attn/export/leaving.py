"""How a network leaves: with its own source, with the user's files, or by the names of installed packages."""

import importlib.metadata
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from nas_attn.backbones import is_foreign, of_library, on_meta, plain_network, seeded
from nas_attn.settings import Backbone, is_named_object, listed
from nas_attn.space import first_line, reported

from .standalone.own_files import OwnFiles, is_own, module_spec, own_files
from .standalone.source import standalone_module
from .standalone.weights import check_packed

_OURS = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Leaving:
    """How the source of a network leaves, and what it needs where it arrives."""

    how: str
    """In words, such as `3 files of shop`."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """The user's own files, by their paths in the folder `code` of the export."""
    packages: tuple[str, ...] = ()
    """What is imported by name, beside torch."""
    reason: str = ""
    """Why there is no source, where there is none."""
    remarks: tuple[str, ...] = ()
    """Files that are read and do not go along, a line each."""

    def __str__(self) -> str:
        return f"leaves as: {self.how}"

    def without_source(self, reason: str) -> "Leaving":
        """The weights and `model.pt2` alone, and why."""
        return replace(self, how=f"weights and model.pt2 only: {reason}", files={}, packages=(), reason=reason)

    @property
    def path(self) -> tuple[str, ...]:
        """The folders from which packages are imported by name."""
        specs = [getattr(sys.modules.get(name), "__spec__", None) for name in self.packages]
        places = [[*(spec.submodule_search_locations or ()), spec.origin][0] for spec in specs if spec]
        return tuple(dict.fromkeys(str(Path(place).parent) for place in places if place))


def leaving(
    backbone: Backbone, kinds: Iterable[str] = (), *, in_channels: int, classes: int, by_name: bool = False
) -> Leaving:
    """How a backbone with attention of these kinds leaves; nothing is trained or written.

    A built-in network and attention leave as their source. A user's own leave as the files of their modules and of what
    those import, as they are; what is installed is imported by name, and with `by_name` the user's own modules are too.
    Where the source cannot leave, there is a reason.

    Raises `InputError` where the weights of a network cannot be kept.
    """
    library = backbone.name.partition(":")[0] if of_library(backbone.name) else ""
    names = filter(is_named_object, kinds if library else (backbone.name, *kinds))
    named = {name.partition(":")[0] for name in names}
    written = [] if is_foreign(backbone.name) else ["its own source"]
    used = _modules_used(backbone, in_channels, classes) if is_foreign(backbone.name) else set()
    try:
        own = {module for module in named if is_own(module_spec(module))}
        found = own_files(named | used) if named else OwnFiles()
        roots = sorted({module.partition(".")[0] for module in own}) if by_name else []
        if "model" in roots:
            raise ValueError("model cannot be imported by name, which model.py has; let its files go along")
    except Exception as error:  # of somebody else's source
        return Leaving("").without_source(first_line(error))
    files = {} if by_name else {**found.files, **_stand_ins(found)}
    by_names = sorted({library, *roots, *(module.partition(".")[0] for module in named - own)} - {""})
    packages = {*by_names, *found.packages} - {"torch"}
    also = sorted(packages - {*by_names})
    return Leaving(
        listed([*written, *filter(None, [_counted(files)]), *map(_versioned, by_names)])
        + (f"; needs {listed(also)} too" if also else ""),
        files,
        tuple(sorted(packages)),
        remarks=(*([] if by_name else found.remarks), *_read_arguments(backbone)),
    )


def _modules_used(backbone: Backbone, in_channels: int, classes: int) -> set[str]:
    """The names of the modules that the classes of a network stand in; the network itself is given up."""

    def built() -> nn.Module:
        return plain_network(backbone.untrained, in_channels=in_channels, classes=classes)

    with on_meta():
        network = built()
    try:
        check_packed(network)
    except ValueError:  # on the `meta` device
        with torch.device("cpu"), seeded(0), reported(f"{backbone.name}: its weights cannot be kept", ValueError):
            check_packed(built())
    modules = {type(module).__module__ for module in network.modules()}
    return {module for module in modules if module.partition(".")[0] != _OURS}  # ours is there if it is imported


def _stand_ins(found: OwnFiles) -> dict[str, bytes]:
    """Modules that stand for those of this package from which a user's import names; these packages are needed no more.

    Where a whole module is imported, or a name cannot be copied, the package itself is needed.
    """
    names = {name for name in found.names if name.partition(".")[0] == _OURS}
    members: dict[str, list[str]] = {}
    for module, _, member in (name.rpartition(".") for name in sorted(names - sys.modules.keys())):
        members.setdefault(module, []).append(member)
    if not names or names & sys.modules.keys() - members.keys():
        return {}
    try:
        texts = {module: standalone_module(module, wanted) for module, wanted in members.items()}
    except (ValueError, OSError, TypeError):
        return {}
    found.packages.discard(_OURS)
    around = {module.rsplit(".", end)[0]: "" for module in members for end in range(1, module.count(".") + 1)}
    return {f"{module.replace('.', '/')}/__init__.py": text.encode() for module, text in {**around, **texts}.items()}


def _read_arguments(backbone: Backbone) -> list[str]:
    found = [(name, value) for name, value in backbone.arguments if isinstance(value, str) and Path(value).is_file()]
    return [f"{backbone.name}: its argument {name} names {value}, which does not go along" for name, value in found]


def _counted(files: Mapping[str, bytes]) -> str:
    roots = sorted({path.partition("/")[0].removesuffix(".py") for path in files})
    return f"{len(files)} file{'' if len(files) == 1 else 's'} of {listed(roots)}" if files else ""


def _versioned(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)} by name"
    except importlib.metadata.PackageNotFoundError:
        return f"{package} by name"
