"""Gathers the wheels that a machine with a GPU lacks: `python -m gpu.wheels --python 3.12`.

The versions are those that are installed here, where `requirements.txt` fixes them; what comes as source is built.
"""

import argparse
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .needs import THERE, WHEELS, needed

MOST_MB = 60
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def lacking(python: str) -> dict[str, str]:
    """What the code needs, directly or in turn, and such a machine lacks, with the versions that are installed here."""
    target = {"python_version": python, "sys_platform": "linux", "platform_machine": "x86_64", "extra": ""}
    found: dict[str, str] = {}
    waiting = [canonicalize_name(name) for name in needed()]
    while waiting:
        name = waiting.pop()
        if name in THERE or name in found:
            continue
        here = distribution(name)
        found[name] = here.version
        listed = map(Requirement, here.requires or ())
        waiting += [canonicalize_name(one.name) for one in listed if one.marker is None or one.marker.evaluate(target)]
    return dict(sorted(found.items()))


def gather(python: str, folder: Path) -> None:
    """Fetch them into a folder of nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    wanted = [f"{name}=={version}" for name, version in lacking(python).items()]
    target = [f"--python-version={python}", *(f"--platform={name}" for name in _PLATFORMS)]
    _pip("download", "--no-deps", *target, f"--dest={folder}", *wanted)
    if sources := [*folder.glob("*.tar.gz")]:
        _pip("wheel", "--no-deps", f"--wheel-dir={folder}", *map(str, sources))
    for source in sources:
        source.unlink()


def main() -> int:
    """Gather, and say how much it is; exit code 1 where that is too much."""
    parser = argparse.ArgumentParser("gpu.wheels", description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="3.12", help="the other machine's (%(default)s)")
    parser.add_argument("--to", type=Path, default=WHEELS, help="the folder (%(default)s)")
    said = parser.parse_args()
    gather(said.python, said.to)
    sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(said.to.glob("*.whl"))}
    print("\n".join(f"{size:6.2f} MB  {name}" for name, size in sizes.items()))
    print(f"{sum(sizes.values()):6.2f} MB in all, of {MOST_MB} at most")
    return int(sum(sizes.values()) > MOST_MB)


def _pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main())
