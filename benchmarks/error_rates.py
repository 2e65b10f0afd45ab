"""How often a verdict is wrong, on simulated studies whose truth is known.

    python benchmarks/error_rates.py --runs 200

Studies of networks drawn from 3 slots of nothing or one of 3 kinds, in which nothing is worth anything, or one kind in
one slot is worth as much as one standard deviation of the noise. A rate comes with its 95 % interval (Wilson).
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from scipy.stats import binomtest

from nas_attn.results import Evaluation
from nas_attn.statistics import posterior
from nas_attn.verdict.comparison import comparison
from nas_attn.verdict.conclusion import Finding, finding, nothing_gained

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from made_up_trainings import PLANTED, trained

Rows = Sequence[Evaluation]

STUDIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    name: ({**known, "effect": 0.0}, {"effect": 1.0, **known})
    for name, known in {
        "24 networks, 5 seeds": {},
        "the same, no noise is the seed's own": {"shared": 0.0},
        "the same, three quarters of the noise are": {"shared": 0.75**0.5},
        "24 networks, 3 seeds": {"seeds": 3},
        "12 networks, 5 seeds": {"networks": 12},
        "12 networks, 3 seeds": {"networks": 12, "seeds": 3},
        "64 networks, 5 seeds": {"networks": 64},
        "64 networks, 3 seeds": {"networks": 64, "seeds": 3},
        "24 networks, uneven noise": {"uneven": 0.4},
        "24 networks, raced from 2 seeds to 5": {"racing": True},
        "64 networks, raced from 2 seeds to 5": {"networks": 64, "racing": True},
        "12 networks, raced from 2 seeds to 3": {"networks": 12, "seeds": 3, "racing": True},
        "24 networks, two of three kinds harm by 1": {"harm": "some kinds"},
        "24 networks, each worse at random": {"harm": "at random"},
    }.items()
} | {
    "24 networks, all but the plain backbone worse by 1, effect of 1 or 2": (
        {"harm": "every network", "effect": 1.0},
        {"harm": "every network", "effect": 2.0},
    )
}
"""What is drawn where nothing beats the plain backbone, and where something does."""


def main(runs: Annotated[int, typer.Option(help="simulated studies of each kind")] = 200) -> None:
    print(f"{runs} studies of each kind\n")
    print("| study | false: it pays | found | found and rightly named | rightly: nothing pays | wrongly |")
    print("|---|---|---|---|---|---|")
    for name, kinds in STUDIES.items():
        begun = time.perf_counter()
        none, some = ([judged(trained(seed, **known)) for seed in range(runs)] for known in kinds)
        cells = [
            rate([told == "pays" for told, _ in none]),
            rate([told == "pays" for told, _ in some]),
            rate([told == "pays" and named for told, named in some]),
            rate([told == "pays nothing" for told, _ in none]),
            rate([told == "pays nothing" for told, _ in some]),
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
        print(f"{time.perf_counter() - begun:.0f} s", file=sys.stderr)


def judged(rows: Rows, name: str = "accuracy") -> tuple[Finding, bool]:
    """What is concluded, and whether the most promising network has what is worth something."""
    told = comparison(rows, [], name)
    concluded = finding(told, nothing_gained(told, posterior(rows, name)))
    return concluded, told.leader is not None and PLANTED in told.parts[told.leader]


def rate(found: list[bool]) -> str:
    interval = binomtest(sum(found), len(found)).proportion_ci(method="wilson")
    return f"{100 * sum(found) / len(found):.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


if __name__ == "__main__":
    typer.run(main)
