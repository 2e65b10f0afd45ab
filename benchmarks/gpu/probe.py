"""What there is: `python -m gpu.probe` prints the device, the versions and what cannot be imported, as JSON."""

import hashlib
import importlib
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from .needs import ROOT, needed

_SOURCES = ("nas_attn/**/*.py", "benchmarks/**/*.py", "tests/cuda/*.py", "tests/conftest.py")


def facts() -> dict[str, Any]:
    """Facts about this machine, of which `device` is None where the device that is wanted is not here."""
    missing: dict[str, str] = {}
    known: dict[str, Any] = {"device": None, "python": platform.python_version(), "missing": missing}
    torch, place = _imported("torch", missing), os.environ["NAS_ATTN_GPU_DEVICE"]
    if torch is None:
        return known if place == "cpu" or Path("/proc/driver/nvidia").exists() else {**known, "missing": {}}
    if place != "cpu" and not torch.cuda.is_available():
        return known
    for name, module in needed().items():
        _imported(module, missing, name)
    if not missing:
        _imported("nas_attn.launch", missing, "nas_attn")
    return {
        **known,
        "place": place,
        "device": f"{platform.machine()} CPU" if place == "cpu" else torch.cuda.get_device_name(),
        "driver": None
        if place == "cpu"
        else _printed("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        "torch": torch.__version__,
        "cuda": None if place == "cpu" else torch.version.cuda,
        "cores": len(os.sched_getaffinity(0)),
        "commit": _printed("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"),
        "sources": _digest(),
    }


def _imported(module: str, missing: dict[str, str], name: str = "") -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing[name or module] = str(error)
        return None


def _printed(*command: str) -> str | None:
    """The first line that a command prints, if it can be run here."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return next(iter(done.stdout.splitlines()), None)


def _digest() -> str:
    """Of the code that is measured, committed or not."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _SOURCES for path in ROOT.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    print(json.dumps(facts()))
