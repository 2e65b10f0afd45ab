"""Files of a user's own modules and of all that they import, as they have to stand elsewhere."""

import ast
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path

from .read_files import read_files, texts

_BY_NAME = {"nas_attn", "timm", "torch", "torchvision"}  # wherever they are installed
_STANDARD = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))
_INSTALLED = {"site-packages", "dist-packages"}
_IMPORTING = {"__import__", "import_module", "iter_modules", "walk_packages"}
"""What imports without a statement."""
_NAMING = {*_IMPORTING, "files", "get_data"}
"""What takes the names of modules as texts."""
_NOT_RUN = ("TYPE_CHECKING", "'__main__'")
"""In the conditions of statements that are not run when a module is imported."""
_SPREAD = b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)  # a package that had no such file\n"


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """What goes along with modules, and what they need beside that."""

    files: dict[str, bytes] = field(default_factory=dict)
    """By path below a folder from which they can be imported, such as `shop/nets.py`."""
    packages: set[str] = field(default_factory=set)
    """The installed packages that are imported, those of the standard library aside."""
    names: set[str] = field(default_factory=set)
    """All that is imported, by its full name: modules and members of them."""
    remarks: list[str] = field(default_factory=list)
    """Files that are read and do not go along, a line each."""


def own_files(modules: Iterable[str]) -> OwnFiles:
    """The files of those of these modules that are nobody's package, of their packages, and of all that they import.

    Own is what is not installed: neither of the standard library nor in `site-packages`. What is imported is read from
    the statements, and where a module imports by other means, from what was loaded from its package or folder. Nothing
    is executed. Raises `ValueError` for a module of the user's own that has no source file.
    """
    found, waiting, seen = OwnFiles(), [*modules], set[str]()
    while waiting:
        name = waiting.pop()
        found.names.add(name)
        names = [".".join(name.split(".")[: end + 1]) for end in range(name.count(".") + 1)]
        for each in [each for each in names if each not in seen]:
            seen.add(each)
            spec = _spec(each)
            if spec is None:
                continue
            if is_own(spec):
                waiting += _carry(spec, found)
            elif not _is_standard(spec) and names[0] in sys.modules:
                found.packages.add(names[0])
    return found


def is_own(spec: ModuleSpec) -> bool:
    """Whether a module is the user's own: neither of the standard library, nor of an installed package."""
    places = [spec.origin] if spec.has_location and spec.origin else [*(spec.submodule_search_locations or ())]
    known = spec.name.partition(".")[0] in _BY_NAME or _is_standard(spec)
    return not known and not all(_INSTALLED.intersection(Path(place).parts) for place in places)


def module_spec(name: str) -> ModuleSpec:
    """The specification of a module that was imported; raises `ValueError` where it comes from no file."""
    spec = _spec(name)
    if name == "__main__" or spec is None:
        raise ValueError(f"{name} is no module with a file of its own")
    return spec


def _is_standard(spec: ModuleSpec) -> bool:
    if spec.origin in ("built-in", "frozen"):
        return True
    place = Path(spec.origin or "").resolve()
    return any(place.is_relative_to(folder) for folder in _STANDARD) and not _INSTALLED.intersection(place.parts)


def _spec(name: str) -> ModuleSpec | None:
    """The specification of a module, without importing it or a package around it."""
    known = getattr(sys.modules.get(name), "__spec__", None)
    if isinstance(known, ModuleSpec):
        return known
    package, _, _ = name.rpartition(".")
    around = _spec(package) if package else None
    if package and (around is None or around.submodule_search_locations is None):
        return None
    path = [*around.submodule_search_locations] if around and around.submodule_search_locations else None
    found = (finder.find_spec(name, path) for finder in sys.meta_path if hasattr(finder, "find_spec"))
    return next(filter(None, found), None)


def _carry(spec: ModuleSpec, found: OwnFiles) -> Iterator[str]:
    """Add the files of a module, and say what it imports."""
    stem = spec.name.replace(".", "/")
    is_package = spec.submodule_search_locations is not None
    if is_package and not spec.has_location:
        found.files[f"{stem}/__init__.py"] = _SPREAD
        return
    try:
        source = _source(spec)
        found.files[f"{stem}/__init__.py" if is_package else f"{stem}.py"] = source
        tree = ast.parse(source)
    except (ValueError, SyntaxError):
        if spec.name in sys.modules:
            raise
        return  # somewhere else it is not imported either
    read, remarks = read_files(tree, Path(spec.origin or ""), spec.name)
    found.files.update(read)
    found.remarks.extend(remarks)
    yield from _imported(tree, spec.parent or "")
    names = {getattr(node, "attr", getattr(node, "id", getattr(node, "name", None))) for node in ast.walk(tree)}
    if names & _NAMING:
        yield from (text for text in texts(tree) if _is_own_module(text))
    if names & _IMPORTING:
        yield from _loaded_near(spec)


def _source(spec: ModuleSpec) -> bytes:
    place = Path(spec.origin or "")
    if place.suffix != ".py":
        raise ValueError(f"{spec.name}: found {place.name or 'no file'}; allowed: a module with a source file")
    if place.is_file():
        return place.read_bytes()
    content: bytes = spec.loader.get_data(str(place))  # type: ignore[union-attr]  # of an archive
    return content


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    """Modules that import statements name, wherever they stand, but for those that run in no import."""
    if isinstance(node, ast.If) and any(word in ast.unparse(node.test) for word in _NOT_RUN):
        nodes: Iterable[ast.AST] = node.orelse
    else:
        nodes = ast.iter_child_nodes(node)
    for inner in nodes:
        yield from _imported(inner, package)
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        origin = "." * node.level + (node.module or "")
        if node.level > len(package.split(".")) * bool(package):
            return
        origin = importlib.util.resolve_name(origin, package) if node.level else origin
        yield origin
        for alias in node.names:
            if alias.name == "*":
                yield from [name for name in sys.modules if name.startswith(f"{origin}.")]
            else:
                yield f"{origin}.{alias.name}"


def _is_own_module(text: str) -> bool:
    spec = _spec(text) if all(part.isidentifier() for part in text.split(".")) else None
    return spec is not None and is_own(spec)


def _loaded_near(spec: ModuleSpec) -> list[str]:
    """What was loaded from the outermost package of a module, or from its folder where it is in none."""
    place = Path(spec.origin or "")
    depth = spec.name.count(".") - (spec.submodule_search_locations is None)
    near = place.parents[max(0, depth)]
    specs = {name: getattr(module, "__spec__", None) for name, module in [*sys.modules.items()]}
    return [
        name
        for name, other in specs.items()
        if isinstance(other, ModuleSpec)
        and name != "__main__"
        and other.has_location
        and Path(other.origin or "").is_relative_to(near)
        and is_own(other)
    ]
