"""What is written in Python and named in a file: a user's `my_package.blocks:MyAttention`, or a whole library."""

import importlib
from types import ModuleType
from typing import Any

from nas_attn.space import InputError, allowed


def is_named_object(text: str) -> bool:
    """Whether a text names an object of a module, rather than something built in."""
    module, colon, name = text.partition(":")
    return bool(colon) and name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def named_object(text: str) -> Any:
    """The object that `package.module:name` names.

    Raises `InputError` where the module cannot be imported, in whatever way it fails, or has no such name.
    """
    module, _, name = text.partition(":")
    try:
        home = importlib.import_module(module)
    except Exception as error:  # a user's module may fail in any way when it is imported
        raise InputError(f"{text}: {module} cannot be imported: {type(error).__name__}: {error}") from None
    if not hasattr(home, name):
        names = [known for known in vars(home) if not known.startswith("_")]
        raise InputError(f"{text}: {module} has no {name!r}; {allowed(name, names)}")
    return getattr(home, name)


def chosen(where: str, name: str, home: str = "", kind: type = object) -> Any:
    """What a setting names: a class of this kind in a library's module, or any `package.module:Class`.

    Raises `InputError` that begins with where it stands, for a name that there is not.
    """
    try:
        if is_named_object(name):
            return named_object(name)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    found = vars(importlib.import_module(home))
    names = [known for known, one in found.items() if isinstance(one, type) and issubclass(one, kind) and one != kind]
    if name not in names:
        known = [one for one in names if not one.startswith("_")]
        raise InputError(f"{where}: {home} has no {name!r}; {allowed(name, known)}")
    return found[name]


def library(name: str) -> ModuleType:
    """The library of this name, `timm` or `torchvision`.

    Raises `InputError` where it is not installed, or cannot be imported beside this torch.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise InputError(f"{name} cannot be imported: {error}") from None
        raise InputError(f"{name} is not installed; pip install 'nas-attn[{name}]'") from None
    except Exception as error:  # a torchvision that was not built for this torch fails with a RuntimeError
        raise InputError(f"{name} cannot be imported: {type(error).__name__}: {error}") from None
