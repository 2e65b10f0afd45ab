"""How often a verdict is wrong where what judges is bounded, skewed or heavy-tailed, on simulated studies.

    python benchmarks/error_rates_of_metrics.py --runs 400 [--only AUROC]

Studies as those of `error_rates.py`, 24 networks with 5 seeds. Values are drawn as there, in standard deviations of the
noise, and written as a metric of that kind would be. A rate comes with its 95 % interval (Wilson).
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
from error_rates import judged, rate
from numpy.typing import NDArray
from scipy.special import expit, logit

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from made_up_trainings import normal, trained

Numbers = NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, int]], Numbers]

_COLLAPSES = 0.02
"""The share of trainings that go wrong."""


@dataclass(frozen=True)
class Kind:
    """A metric over seeds."""

    name: str
    measured: Callable[[Numbers], Numbers]
    """The metric of values, of which one standard deviation of the noise is 1."""
    noise: Noise = normal
    column: Literal["accuracy", "loss"] = "accuracy"
    """Whose direction and bounds it has: those of a share, or those of a loss."""
    known: dict[str, Any] = field(default_factory=dict)

    def rows(self, seed: int, effect: float, harm: str) -> Any:
        """A study's rows."""

        def both(values: Numbers) -> tuple[Numbers, Numbers]:
            written = self.measured(values)
            return (written, written)

        return trained(seed, effect=effect, harm=harm, noise=self.noise, measured=both, **self.known)


def _student(freedom: int) -> Noise:
    scale = np.sqrt((freedom - 2) / freedom)
    return lambda rng, shape: scale * rng.standard_t(freedom, shape)


def _collapsing(rng: np.random.Generator, shape: tuple[int, int]) -> Numbers:
    """Normal noise, and now and then a training that ends 10 standard deviations worse."""
    return rng.standard_normal(shape) - 10 * (rng.random(shape) < _COLLAPSES)


def _auroc(at: float, spread: float, pairs: int | None = None) -> Callable[[Numbers], Numbers]:
    def measured(values: Numbers) -> Numbers:
        exact: Numbers = expit(logit(at) + spread * values)
        return exact if pairs is None else np.round(exact * pairs) / pairs

    return measured


def _mean_ap(values: Numbers) -> Numbers:
    return np.clip(0.3 + 0.01 * values, 0.0, 1.0)


def _loss(values: Numbers) -> Numbers:
    found: Numbers = np.exp(np.log(0.4) - 0.2 * values)
    return found


KINDS = (
    Kind("accuracy at 0.9, normal", lambda values: 0.9 + 0.01 * values),
    Kind("AUROC at 0.99, logit-normal (sd 0.5)", _auroc(0.99, 0.5)),
    Kind("AUROC at 0.99, 500 pairs, so that it has a dozen values", _auroc(0.99, 0.5, 500)),
    Kind("AUROC at 0.998, 1,000 pairs, often 1 (sd 1)", _auroc(0.998, 1.0, 1000)),
    Kind("mAP at 0.3, Student's t, 5 degrees of freedom", _mean_ap, _student(5)),
    Kind("mAP at 0.3, Student's t, 3 degrees of freedom", _mean_ap, _student(3)),
    Kind("mAP at 0.3, 1 training in 50 collapses by 10 sd", _mean_ap, _collapsing),
    Kind("loss at 0.4, log-normal (sd 0.2)", _loss, column="loss"),
    Kind("loss at 0.4, log-normal, 1 training in 50 at 7 times as much", _loss, _collapsing, "loss"),
)


def main(
    runs: Annotated[int, typer.Option(help="simulated studies of each kind")] = 200,
    only: Annotated[str, typer.Option(help="what the name of a kind contains")] = "",
    seeds: Annotated[int, typer.Option(help="seeds of each network")] = 5,
) -> None:
    print(f"{runs} studies of each kind, {seeds} seeds\n")
    print(
        "| metric | false: it pays | the same, two of three kinds harm by 1 | found | rightly: nothing pays | wrongly |"
    )
    print("|---|---|---|---|---|---|")
    for kind in KINDS:
        if only not in kind.name:
            continue
        begun = time.perf_counter()
        known = Kind(kind.name, kind.measured, kind.noise, kind.column, {**kind.known, "seeds": seeds})
        none, harmed, some = (
            [judged(known.rows(seed, effect, harm), kind.column)[0] for seed in range(runs)]
            for effect, harm in ((0.0, ""), (0.0, "some kinds"), (1.0, ""))
        )
        cells = [
            rate([found == wanted for found in among])
            for among, wanted in (
                (none, "pays"),
                (harmed, "pays"),
                (some, "pays"),
                (none, "pays nothing"),
                (some, "pays nothing"),
            )
        ]
        print(f"| {kind.name} | {' | '.join(cells)} |", flush=True)
        print(f"{time.perf_counter() - begun:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
