"""Source of classes and functions with all that they need, as one module that does not import their packages."""

import ast
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from types import ModuleType
from typing import Any

_TYPE_CHECKER = re.compile(r"\s+# type: ignore.*")


def standalone_source(things: Iterable[type | Callable[..., Any]], packages: Iterable[str] = ()) -> tuple[str, str]:
    """The imports and the definitions that these classes and functions need, each once, in the order of their use.

    A definition is copied with what it uses from other modules of its package; everything else is imported, and so are
    these `packages`. Raises `ValueError` for a name of two things, and for an import from such a package under another
    name, or of a whole module.
    """
    wanted = list(things)
    collected = _Collection(frozenset(_root(thing.__module__) for thing in wanted))
    collected.imported.update(dict.fromkeys(packages))
    for thing in wanted:
        collected.add(importlib.import_module(thing.__module__), thing.__name__)
    return collected.imports(), "\n\n\n".join(collected.definitions.values()) + "\n"


def standalone_module(module: str, names: Iterable[str]) -> str:
    """The source of a module that stands for another one, and has these of its names and all that they need.

    Raises `ValueError` for a name that is defined nowhere, and as `standalone_source` does.
    """
    collected = _Collection(frozenset([_root(module)]))
    for name in names:
        place = importlib.import_module(module)
        collected.add(place, name)
        if name not in collected.homes:  # as a package hands names on that it loads when they are first used
            collected.add(importlib.import_module(getattr(getattr(place, name, None), "__module__", module)), name)
        if name not in collected.homes:
            raise ValueError(f"{name}: {module} does not define it")
    parts = (f'"""Parts of {module}."""', collected.imports(), *collected.definitions.values())
    return "\n\n\n".join(filter(None, parts)) + "\n"


@dataclass
class _Collection:
    packages: frozenset[str]  # whose definitions are copied
    definitions: dict[str, str] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)  # how each name came to be known
    imported: dict[str, str | None] = field(default_factory=dict)  # "torch" or "torch nn" -> its other name

    def add(self, module: ModuleType, name: str) -> None:
        """Add the definition or the import of a name in a module; a name that has neither is a builtin."""
        source = inspect.getsource(module)
        tree = _parsed(source)
        for position, node in enumerate(tree.body):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._follow(module, node, name)
            elif name in _defined(node):
                self._define(module, tree, position, source, name)

    def _define(self, module: ModuleType, tree: ast.Module, position: int, source: str, name: str) -> None:
        self._claim(name, f"in {module.__name__}")
        if name in self.definitions:
            return
        node = tree.body[position]
        self.definitions[name] = ""  # what it needs may need it in turn
        for used in sorted({inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)} - {name}):
            self.add(module, used)
        del self.definitions[name]
        self.definitions[name] = _text(tree, position, source)

    def _follow(self, module: ModuleType, node: ast.Import | ast.ImportFrom, name: str) -> None:
        for alias in node.names:
            if (alias.asname or alias.name.partition(".")[0]) != name:
                continue
            if isinstance(node, ast.Import):
                if _root(alias.name) in self.packages:
                    raise ValueError(f"{name}: {module.__name__} imports the whole of {alias.name}")
                self._claim(name, f"by 'import {alias.name if alias.asname else name}'")
                self.imported[alias.name] = alias.asname
                continue
            origin = "." * node.level + (node.module or "")
            origin = importlib.util.resolve_name(origin, module.__package__) if node.level else origin
            if _root(origin) in self.packages:
                self.add(importlib.import_module(origin), alias.name)
                if name != alias.name or alias.name not in self.homes:
                    raise ValueError(f"{name}: {module.__name__} must import a definition, under its own name")
            else:
                self._claim(name, f"by 'from {origin} import {alias.name}'")
                self.imported[f"{origin} {alias.name}"] = alias.asname

    def _claim(self, name: str, how: str) -> None:
        first = self.homes.setdefault(name, how)
        if first != how:
            raise ValueError(f"{name}: is one thing {first} and another {how}")

    def imports(self) -> str:
        """The import statements, the standard library's first."""
        plain, members = [], dict[str, list[str]]()
        for what, other in self.imported.items():
            origin, _, member = what.partition(" ")
            renamed = f" as {other}" if other else ""
            if member:
                members.setdefault(origin, []).append(f"{member}{renamed}")
            else:
                plain.append((origin, f"import {origin}{renamed}"))
        named = [(origin, f"from {origin} import {', '.join(sorted(names))}") for origin, names in members.items()]
        groups: dict[bool, list[str]] = {True: [], False: []}
        for origin, line in (*sorted(plain), *sorted(named, key=lambda one: one[0].lower())):
            groups[_root(origin) in sys.stdlib_module_names].append(line)
        return "\n\n".join("\n".join(lines) for lines in groups.values() if lines)


_parsed = lru_cache(maxsize=256)(ast.parse)
"""The tree of a source, which nobody changes: a module is gone through once for each of its names."""


def _root(module: str) -> str:
    return module.partition(".")[0]


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _text(tree: ast.Module, position: int, source: str) -> str:
    """The lines of a definition, its decorators and the docstring that follows a value among them."""
    node = tree.body[position]
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    last = node.end_lineno or node.lineno
    if isinstance(node, ast.Assign | ast.AnnAssign) and position + 1 < len(tree.body):
        after = tree.body[position + 1]
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
            last = after.end_lineno or last
    lines = source.splitlines()[first - 1 : last]
    return "\n".join(_TYPE_CHECKER.sub("", line) for line in lines)
