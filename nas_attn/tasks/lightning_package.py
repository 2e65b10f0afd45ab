"""The package `lightning` as `pytorch_lightning`, of which it is a copy under another name."""

import importlib
import importlib.util
import logging
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import lightning_fabric
import pytorch_lightning

_LOG = logging.getLogger(__name__)
_NAME = "lightning"
_ORIGINALS = {f"{_NAME}.pytorch": "pytorch_lightning", f"{_NAME}.fabric": "lightning_fabric"}


class _Finder(MetaPathFinder, Loader):
    """Finds modules of `lightning` where their originals are."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A module of `lightning`, where there is such an original; of other packages none."""
        original = _original(fullname)
        if fullname != _NAME and (original is None or importlib.util.find_spec(original) is None):
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The package itself, which is new; what is in it is created in `exec_module`."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Fill the package, or put the original in the place of a module in it."""
        if module.__name__ != _NAME:
            sys.modules[module.__name__] = importlib.import_module(str(_original(module.__name__)))
            return
        version = pytorch_lightning.__version__
        names = ("Trainer", "LightningModule", "LightningDataModule", "Callback", "seed_everything")
        taken = {name: getattr(pytorch_lightning, name) for name in names}
        fabric = {"Fabric": lightning_fabric.Fabric, "fabric": lightning_fabric, "pytorch": pytorch_lightning}
        module.__dict__.update(taken, **fabric, __version__=version)
        _LOG.warning("the package lightning is read as pytorch_lightning %s, of which it is a copy", version)


def read_lightning() -> None:
    """Let what imports `lightning` from now on get `pytorch_lightning`, whose trainer trains; it has to be new here."""
    if _NAME not in sys.modules and not any(isinstance(one, _Finder) for one in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _original(name: str) -> str | None:
    for copy, original in _ORIGINALS.items():
        if name == copy or name.startswith(f"{copy}."):
            return name.replace(copy, original, 1)
    return None
