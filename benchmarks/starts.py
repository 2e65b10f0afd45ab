"""How long one waits for a command that trains nothing, beside an import which it cannot do without.

    OMP_NUM_THREADS=1 python benchmarks/starts.py [--rounds 5]

Each command runs in a fresh process, in turn with the imports, and the least CPU time of each counts: other work on the
machine only adds to it. `front` is that of a small study, which is searched first. Ratios are of one run.
"""

import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import typer

_STUDY = 'space = "space.toml"\n[recipe]\nepochs = 1\nbatch_size = 256\n[latency]\ncalls = 50\n[search]\ntrials = 3\n'
_SPACE = 'backbone = "resnet8"\nimage = [1, 8, 8]\n[kinds.se]\nreduction = 4\n'
_TORCH, _TABLES = "import torch", "import pandas, optuna"
_NEEDS = {"sites": _TORCH, "space": _TORCH, "front": _TABLES}
"""What a command needs, and is compared with; the others are compared with half a second."""
_HALF_S = 0.5


def main(rounds: int = 5) -> None:
    """Run them in turn, and print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        study.mkdir()
        (study / "study.toml").write_text(_STUDY)
        (study / "space.toml").write_text(_SPACE)
        _cpu_s([sys.executable, "-m", "nas_attn", "search", "--no-check", str(study)])
        commands = _commands(study)
        least: dict[str, float] = defaultdict(lambda: float("inf"))
        for _ in range(rounds):
            for name, command in commands.items():
                least[name] = min(least[name], _cpu_s(command))
    typer.echo(f"least CPU time of {rounds} runs each, load {os.getloadavg()[0]:.1f}")
    for name, seconds in least.items():
        needed = _NEEDS.get(name.split()[0])
        other = least[needed] if needed else _HALF_S
        ratio = "" if name in (_TORCH, _TABLES) else f"{seconds / other:.2f} x {needed or 'half a second'}"
        typer.echo(f"{name:<22}{seconds:6.2f} s  {ratio}")


def _commands(study: Path) -> dict[str, list[str]]:
    called = {
        "--help": ["--help"],
        "--version": ["--version"],
        "kinds": ["kinds"],
        "front": ["front", str(study)],
        "sites": ["sites", "resnet20"],
        "space": ["space", str(study / "space.toml")],
    }
    imports = {code: [sys.executable, "-c", code] for code in (_TORCH, _TABLES)}
    return imports | {name: [sys.executable, "-m", "nas_attn", *arguments] for name, arguments in called.items()}


def _cpu_s(command: list[str]) -> float:
    """User and system time of a process that has to succeed."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    typer.run(main)
