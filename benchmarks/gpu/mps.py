"""NVIDIA's Multi-Process Service, by which kernels of several processes run on one GPU at a time."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
        code = _control("-d")
        if code != 0:
            raise Skipped(f"{CONTROL} -d: {'no answer' if code is None else f'exit code {code}'}")
        yield
    finally:
        end(folder)
        os.environ.clear()
        os.environ.update(before)


def end(folder: Path) -> None:
    """End the service of a folder, if there is one."""
    if not Path(_places(folder)["CUDA_MPS_PIPE_DIRECTORY"]).exists():
        return
    _control(said="quit -t 1\n", **_places(folder))
    for place in _places(folder).values():
        shutil.rmtree(place, ignore_errors=True)


def _control(*options: str, said: str = "", **variables: str) -> int | None:
    """The exit code of the control program, if it ends in time; a service that it leaves running has no pipe to us."""
    with suppress(subprocess.TimeoutExpired):
        return subprocess.run(
            [CONTROL, *options],
            input=said,
            text=True,
            env={**os.environ, **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE_SECONDS,
            check=False,
        ).returncode
    return None


def _places(folder: Path) -> dict[str, str]:
    return {f"CUDA_MPS_{name}_DIRECTORY": str(folder / f"mps-{name.lower()}") for name in ("PIPE", "LOG")}
