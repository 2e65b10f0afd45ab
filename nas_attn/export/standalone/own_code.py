"""Code of a user's own that came along with an export, imported by its own names."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

OWN_CODE = Path(__file__).parent / "code"
_OWN_MODULES: dict[str, ModuleType] = {}


@contextmanager
def own_code() -> Iterator[None]:
    """Context, or decorator, in which imports find the files in `code` first, whatever else has their names.

    Afterwards their modules stay importable, but for packages of which this process has or can find another.
    """
    code, packages = str(OWN_CODE), OWN_CODE.glob("*/__init__.py")
    roots = {*(path.stem for path in OWN_CODE.glob("*.py")), *(path.parent.name for path in packages)}

    def modules() -> dict[str, ModuleType]:
        return {name: module for name, module in [*sys.modules.items()] if name.partition(".")[0] in roots}

    ours = _OWN_MODULES.items()
    others = {name: module for name, module in modules().items() if (name, module) not in ours}
    for name in others:
        del sys.modules[name]
    sys.modules.update(_OWN_MODULES)
    elsewhere = [folder for folder in sys.path if folder != code]
    sys.path[:] = [code, *elsewhere]
    try:
        yield
    finally:
        _OWN_MODULES.update(modules())
        taken = {root for root in roots if root in others or PathFinder.find_spec(root, elsewhere)}
        for name in [name for name in modules() if name.partition(".")[0] in taken]:
            del sys.modules[name]
        sys.modules.update(others)
        sys.path[:] = [folder for folder in sys.path if folder != code] + ([] if taken else [code])
