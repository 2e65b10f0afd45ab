"""How often a verdict is wrong, on simulated studies whose truth is known.

    python benchmarks/error_rates.py --runs 200
    python benchmarks/error_rates.py --looks

Studies of networks drawn from 3 slots of nothing or one of 3 kinds, in which nothing is worth anything, or one kind in
one slot is worth as much as one standard deviation of the noise. A rate comes with its 95 % interval (Wilson).

With `--looks` a verdict is drawn after each seed from the 3rd to the 20th, by one who stops as soon as attention pays.
"""

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.stats import binomtest

from nas_attn.results import Evaluation
from nas_attn.statistics import posterior, simultaneous
from nas_attn.verdict.comparison import beating, comparison
from nas_attn.verdict.conclusion import Finding, finding, nothing_gained

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from made_up_trainings import PLANTED, trained

Rows = Sequence[Evaluation]


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Noise of which a few values are far below the others."""
    return 1 - rng.exponential(size=shape)


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


NULLS: dict[str, dict[str, Any]] = {
    f"{others} {'network' if others == 1 else 'networks'}, {kind} noise": {"networks": others + 1, **slots, **noise}
    for others, slots in ((1, {}), (3, {}), (24, {}), (200, {"slots": 4}))
    for kind, noise in (("even", {}), ("uneven", {"uneven": 0.4}), ("skewed", {"noise": skewed}))
} | {
    "24 networks, raced": {"networks": 25, "racing": True},
    "24 networks, each worse at random": {"networks": 25, "harm": "at random"},
    "24 networks, all worse by 1, an effect of 1": {"networks": 25, "harm": "every network", "effect": 1.0},
}
"""Studies in which nothing beats the plain backbone."""

LOOKS = range(3, 21)
"""After how many seeds a verdict is drawn."""


def main(
    runs: Annotated[int, typer.Option(help="simulated studies of each kind")] = 200,
    looks: Annotated[bool, typer.Option(help="draw a verdict after each seed, not once")] = False,
    only: Annotated[str, typer.Option(help="only studies whose name has this")] = "",
) -> None:
    print(f"{runs} studies of each kind\n")
    if looks:
        at_any_look(runs, only)
    else:
        once(runs, only)


def once(runs: int, only: str) -> None:
    """The rates of verdicts that are drawn once."""
    print("| study | false: it pays | found | found and rightly named | rightly: nothing pays | wrongly |")
    print("|---|---|---|---|---|---|")
    for name, kinds in ((name, kinds) for name, kinds in STUDIES.items() if only in name):
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


def at_any_look(runs: int, only: str) -> None:
    """The rate of false findings at any look, and how many seeds a right one takes."""
    print("| study | false at any look |\n|---|---|")
    false: list[bool] = []
    for name, known in NULLS.items():
        if only in name:
            studies = range(runs // 5 if known["networks"] > 100 else runs)
            found = [any(pays(rows) for rows in after_each_seed(seed, **known)) for seed in studies]
            print(f"| {name} | {rate(found)} |", flush=True)
            false += found
    print("\n| 24 networks, an effect of | seeds until it is found, median | once, for half to find it |")
    print("|---|---|---|")
    for effect in (effect for effect in (1.0, 2.0) if only in f"an effect of {effect:g}"):
        sequences = [list(after_each_seed(seed, networks=25, effect=effect)) for seed in range(runs // 2)]
        right = [[named_rightly(rows) for rows in sequence] for sequence in sequences]
        stopped = [next((n for n, one in zip(LOOKS, looked, strict=True) if one), math.inf) for looked in right]
        with at_one_look():
            single = np.mean([[named_rightly(rows) for rows in sequence] for sequence in sequences], axis=0)
        fewest = next((n for n, share in zip(LOOKS, single, strict=True) if share >= 0.5), math.inf)
        print(f"| {effect:g} sd | {np.median(stopped):g} | {fewest:g} |", flush=True)
    print(f"\nfalse pays at any look: {rate(false)}" if false else "")


@contextmanager
def at_one_look() -> Iterator[None]:
    """Intervals hold for the seeds at hand, and for no other number of them."""
    kept, simultaneous.widening = simultaneous.widening, lambda *_: 1.0
    try:
        yield
    finally:
        simultaneous.widening = kept


def after_each_seed(study: int, **known: Any) -> Iterator[Rows]:
    """The rows that there are at each look."""
    rows = trained(study, seeds=max(LOOKS), **known)
    for seeds in LOOKS:
        yield [row for row in rows if row.seed < seeds]


def pays(rows: Rows) -> bool:
    return bool(beating(rows, "accuracy"))


def named_rightly(rows: Rows) -> bool:
    told = comparison(rows, [], "accuracy")
    return told.leader in told.beating and PLANTED in told.parts[told.leader]


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
