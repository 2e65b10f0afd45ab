"""`torch.export` as this package calls it, from torch 2.6 on; what versions of torch have differently stands here."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, export
from torch.fx.experimental import _config as shape_settings

_SIZES = logging.getLogger("torch.fx.experimental.symbolic_shapes")


def exported(
    module: nn.Module, given: Sequence[Tensor], free: Sequence[int], *, one_alike: bool = False
) -> ExportedProgram:
    """The program of a module for tensors like these, whose dimensions of these numbers may have any size.

    With `one_alike`, sizes of nought and one are not set apart, where this torch can do that (2.6 cannot, and says
    nothing about them). What torch itself remarks is not shown. Raises what `torch.export` raises.
    """
    sides = dict.fromkeys(free, Dim.DYNAMIC)
    setting = {"backed_size_oblivious": True}
    known = one_alike and all(hasattr(shape_settings, name) for name in setting)
    alike: Any = shape_settings.patch(**setting) if known else nullcontext()  # type: ignore[attr-defined]
    with without_remarks(), alike:
        return export(module, tuple(given), dynamic_shapes=(sides,) * len(given), strict=False)


@contextmanager
def without_remarks() -> Iterator[None]:
    """Without the deprecations inside torch's exporters, and the conditions on sizes that torch 2.6 drops."""
    level = _SIZES.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _SIZES.setLevel(logging.ERROR)
        try:
            yield
        finally:
            _SIZES.setLevel(level)
