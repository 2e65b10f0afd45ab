"""NVIDIA's Multi-Process Service, by which kernels of several processes run on one GPU at a time."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .rows import Skipped

CONTROL = "nvidia-cuda-mps-control"
_PATIENCE_SECONDS = 10


@contextmanager
def serving(folder: Path) -> Iterator[None]:
    """Context in which new processes share a service of their own; raises `Skipped` where it cannot be had."""
    if shutil.which(CONTROL) is None:
        raise Skipped(f"there is no {CONTROL}")
    before = dict(os.environ)
    os.environ.update(_places(folder))
    try:
        for place in _places(folder).values():
            Path(place).mkdir()
        started = subprocess.run(
            [CONTROL, "-d"], capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
        if started.returncode:
            raise Skipped(f"{CONTROL}: {(started.stderr or started.stdout).strip()}")
        yield
    finally:
        end(folder)
        os.environ.clear()
        os.environ.update(before)


def end(folder: Path) -> None:
    """End the service of a folder, if there is one."""
    if not Path(_places(folder)["CUDA_MPS_PIPE_DIRECTORY"]).exists():
        return
    subprocess.run(
        [CONTROL],
        input="quit -t 1\n",
        env={**os.environ, **_places(folder)},
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    for place in _places(folder).values():
        shutil.rmtree(place, ignore_errors=True)


def _places(folder: Path) -> dict[str, str]:
    return {f"CUDA_MPS_{name}_DIRECTORY": str(folder / f"mps-{name.lower()}") for name in ("PIPE", "LOG")}
