"""How soon `nas-attn ask` answers, and how often it is wrong.

    python benchmarks/ask.py --runs 200 [--real 10] [--minutes 2]

Simulated questions of two starts, whose gains are known in standard deviations of the seed noise, are answered seed by
seed as `ask` does, with paired seeds and a width-matched baseline. With `--real`, questions about a ResNet-8 of width 2
on scanned digits are trained, each repeat with seeds of its own: CBAM after the last stage, and an attention that does
nothing but multiply each channel by almost 1. A rate comes with its 95 % interval (Wilson).
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import numpy as np
import torch
import typer
from scipy.stats import binomtest
from torch import Tensor, nn

import nas_attn
from nas_attn.inquiry import Answers, Finding

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "inquiry"))

from made_up_inquiry import Made

FINDINGS = get_args(Finding)
Noise = Callable[[np.random.Generator], float]

NOISES: dict[str, Noise | None] = {
    "even": None,
    "skewed": lambda rng: float(1 - rng.exponential()),
    "heavy tails": lambda rng: float(rng.standard_t(4) / 2**0.5),
}
TRUTHS: dict[str, dict[str, Any]] = {
    "0": {"gains": (0.0, 0.0)},
    "1": {"gains": (1.0, 1.0)},
    "2": {"gains": (2.0, 2.0)},
    "3": {"gains": (3.0, 3.0)},
    "-2": {"gains": (-2.0, -2.0)},
    "3, all of it by width": {"gains": (3.0, 3.0), "wide": 30.0},
}
"""What attention gains, from both starts."""

STUDY = """space = "space.toml"
objectives = ["accuracy", "flops"]
seed = {seed}
[data]
kind = "digits"
validation = 0.5
test = 0.1
[recipe]
epochs = 6
[latency]
calls = 50
"""
SPACE = """start = ["paper", "identity"]
[backbone]
name = "resnet8"
arguments = {{ width = 2 }}
[kinds."{kind}"]
position = "block"
slots = ["stage3"]
{options}
"""
KNOWN, NOTHING = ("cbam", "reduction = 2"), ("ask:AlmostNothing", "")
"""Kinds with their options."""


class AlmostNothing(nn.Module):
    """Multiplies each channel by a constant within a few thousandths of 1, (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("factors", 1 + 0.003 * torch.randn(1, channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Almost the features."""
        return features * self.factors


def main(
    runs: Annotated[int, typer.Option(help="simulated questions of each kind")] = 200,
    most: Annotated[int, typer.Option(help="seeds of each network, at most")] = 40,
    real: Annotated[int, typer.Option(help="questions that are trained, of each kind")] = 0,
    minutes: Annotated[float, typer.Option(help="of training, for each")] = 2.0,
) -> None:
    print(f"{runs} simulated questions of each kind, at most {most} seeds\n")
    print(f"| gain | noise | {' | '.join(FINDINGS)} | seeds to an answer: median, quartiles |")
    print("|---|---|" + "---|" * (len(FINDINGS) + 1))
    wrong: list[bool] = []
    for truth, known in TRUTHS.items():
        for name, noise in NOISES.items():
            found = [Made(seed, noise=noise, **known).run(most) for seed in range(runs)]
            print(
                f"| {truth} | {name} | {line([one.finding for each in found for one in each.answers], found)} |",
                flush=True,
            )
            if truth == "0":
                wrong += [any(one.finding.startswith("helps") for one in each.answers) for each in found]
    print(f"\nno effect, and any is found: {rate(wrong)}")
    early = [known for seed in range(runs) for known in foretold(5000 + seed, seed % 5 / 2)]
    print(f"answers that were open after 4 seeds, and known after as many more as was said: {rate(early)}")
    if real:
        for what, (kind, options) in (("CBAM after the last stage", KNOWN), ("almost nothing", NOTHING)):
            trained(what, kind, options, real, minutes)


def foretold(seed: int, gain: float, most: int = 60) -> list[bool]:
    """Of each answer that is open after 4 seeds, whether it is known after as many more seeds as was said."""
    made = Made(seed, (gain, gain))
    said = {one.candidate.key: one.more for one in made.run(4).answers if one.open}
    known: dict[str, int] = {}
    found = made.answers()
    while (plan := made.plan(found)) and plan[0].seeds <= most and len(known) < len(said):
        for one in plan:
            made.train(one.key, one.seeds - 1)
        found = made.answers()
        for answer in found.answers:
            if not answer.open:
                known.setdefault(answer.candidate.key, answer.seeds - 4)
    return [known.get(key, most) <= more for key, more in said.items()]


def line(findings: Sequence[str], found: Sequence[Answers]) -> str:
    counts = Counter(findings)
    seeds = [one.seeds for each in found for one in each.answers if not one.open]
    quartiles = np.percentile(seeds, [25, 50, 75]) if seeds else [np.nan] * 3
    shares = " | ".join(f"{100 * counts[one] / len(findings):.1f} %" for one in FINDINGS)
    return f"{shares} | {quartiles[1]:.0f} ({quartiles[0]:.0f} to {quartiles[2]:.0f})"


def rate(found: list[bool]) -> str:
    interval = binomtest(sum(found), len(found)).proportion_ci(method="wilson")
    return f"{100 * sum(found) / len(found):.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def trained(what: str, kind: str, options: str, repeats: int, minutes: float) -> None:
    """Ask the same with other seeds, and print the answers."""
    torch.set_num_threads(1)
    print(f"\n{what}\n\n| repeat | start | answer | gain | seeds | whole time |\n|---|---|---|---|---|---|")
    false: list[bool] = []
    for number in range(repeats):
        with tempfile.TemporaryDirectory() as name:
            folder, began = Path(name), time.monotonic()
            (folder / "study.toml").write_text(STUDY.format(seed=1000 * number))
            (folder / "space.toml").write_text(SPACE.format(kind=kind, options=options))
            reply = nas_attn.ask(folder, f"stage3.block={kind}", minutes=minutes)
            seconds = time.monotonic() - began
        for one in reply.answers:
            gain = " to ".join(f"{100 * end:+.1f}" for end in (one.gain.low, one.gain.high))
            print(
                f"| {number} | {one.candidate.start} | {one.finding} | {gain} | {one.seeds} | {seconds:.0f} s |",
                flush=True,
            )
        false.append(any(one.finding.startswith("helps") for one in reply.answers))
    print(f"\nany start is said to help: {rate(false)}", flush=True)


if __name__ == "__main__":
    typer.run(main)
