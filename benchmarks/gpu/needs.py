"""Packages: what the code needs, what a machine with a GPU has by itself, and the wheels that it is given."""

import os
import re
import shutil
import tomllib
import zipfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]
WHEELS = ROOT / ".wheels"
IMPORTED_AS = {"pillow": "PIL", "scikit-learn": "sklearn", "vl-convert-python": "vl_convert"}
_THERE = """
attrs filelock fsspec jinja2 lazy-loader lightning-utilities markupsafe narwhals numpy packaging pandas pillow pyarrow
python-dateutil pytorch-lightning pyyaml rich safetensors scikit-learn scipy tabulate torch torchmetrics tqdm typer
typing-extensions
"""
THERE = frozenset(_THERE.split())
"""What a machine that trains networks has, with all that it needs in turn."""


def needed() -> dict[str, str]:
    """The packages that the code needs, with the names by which they are imported."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = [match[0] for match in (re.match(r"[\w-]+", line) for line in listed) if match]
    return {name: IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}


def environment(wheels: Path = WHEELS) -> dict[str, str]:
    """Variables of child processes, which find the source tree, and behind it the wheels' contents."""
    places = [str(ROOT), str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", ""), *_unpacked(wheels)]
    path = os.pathsep.join(filter(None, places))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "KINETO_LOG_LEVEL": "99"}


def of_one_device(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables with which a process sees nothing but the device that `NAS_ATTN_GPU_DEVICE` names, as the first."""
    place, visible = variables.get("NAS_ATTN_GPU_DEVICE") or "cuda", variables.get("CUDA_VISIBLE_DEVICES")
    if place == "cpu":
        return {"OMP_NUM_THREADS": "1", **variables, "CUDA_VISIBLE_DEVICES": ""}  # threads would wait for each other
    index = int(place.partition(":")[2] or 0)
    names = [*map(str, range(index + 1))] if visible is None else visible.split(",")
    return {**variables, "CUDA_VISIBLE_DEVICES": "".join(names[index : index + 1]), "NAS_ATTN_GPU_DEVICE": "cuda:0"}


def cure(missing: Mapping[str, str], python: str) -> str:
    """What is missing, a line each, and how to come by it."""
    lines = [f"{name} cannot be imported: {reason}" for name, reason in missing.items()]
    minor = ".".join(python.split(".")[:2])
    return "\n".join(
        [*lines, f"On a machine with a network: make gpu-wheels GPU_PYTHON={minor}; then carry {WHEELS.name}/"]
    )


def _unpacked(wheels: Path) -> list[str]:
    """The folder with the contents of the wheels of what is not installed here, if there are any."""
    site = wheels / "site"
    shutil.rmtree(site, ignore_errors=True)
    for wheel in sorted(wheels.glob("*.whl")):
        if not _installed(wheel.name.partition("-")[0]):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(site)
    return [str(site)] if site.exists() else []


def _installed(name: str) -> bool:
    try:
        return distribution(name) is not None
    except PackageNotFoundError:
        return False
