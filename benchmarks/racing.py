"""How many trainings it takes until the front is rightly known: by one more seed for all in turn, or by a race.

    OMP_NUM_THREADS=1 python benchmarks/racing.py --runs 10 [--only digits-table] [--first 2] [--jobs 8]

Each network has its first seeds, which count. Then all get one more, or a race says which networks do, as many at
once as there are jobs. After each batch the front is taken to be the networks that are more likely on it than not. It
is known where each network by itself is right with a probability of at least 0.95, and where all of them are, by the
joint posterior. A network is right, too, where it is wrong by less than half a standard deviation of the noise: it is
taken to be on the front, and the best that costs no more is better by less than that, or the other way round. Spaces
have networks that are nearly equal, of which nothing else is ever known. What was called in or out then (0.95 or more,
0.05 or less) and is not, by more than a tenth of a standard deviation, is counted too. A run is ended, and counts as
one that never knew, where one network has had more than so many seeds, or all together 40 each.
"""

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

import nas_attn
from nas_attn.results import Evaluation
from nas_attn.search import extra_seeds
from nas_attn.search.extra_seeds import Race
from nas_attn.search.progress import Known
from nas_attn.settings import Budget, measure
from nas_attn.statistics import SURE, Membership, membership, posterior
from nas_attn.statistics.front_probability import Cheaper
from nas_attn.statistics.rank_correlation import UNKNOWN

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from made_up import evaluation
from made_up_trainings import KINDS

Numbers = NDArray[np.float64]
OBJECTIVES = ("accuracy", "flops")
OVERLOOKED = 0.5  # standard deviations of the noise
CLOSE = 0.1  # the same; what is wrong by less is not counted
MOST = 40  # seeds a network, on average; a run that needs more is ended
UNIT = 0.01  # accuracy that one standard deviation of the noise is, in simulated spaces


@dataclass(frozen=True)
class Space:
    """Networks whose true accuracy is known, and the noise of their trainings."""

    rows: Sequence[Evaluation]
    true: Numbers
    shared: float
    """Standard deviation of what a seed does to all networks."""
    residuals: Numbers
    """What else there is in a training is drawn from these."""

    @property
    def noise(self) -> float:
        return float(self.residuals.std())

    def trained(self, number: int, seed: int, run: int) -> Evaluation:
        """A training of a network with a seed, which is the same whoever wants it."""
        common = self.shared * np.random.default_rng([run, 0, seed]).standard_normal()
        own = np.random.default_rng([run, 1 + number, seed]).choice(self.residuals)
        return self.rows[number].but(accuracy=float(self.true[number] + common + own), seed=seed, state="complete")


@cache
def digits_table() -> Space:
    """A published table: what its five seeds say on average is true, and what is left of them is noise."""
    table = nas_attn.load_table("digits-table")
    keys = list(dict.fromkeys(row.key for row in table.rows))
    found = {(row.key, row.seed): row for row in table.rows}
    values = np.array([[found[key, seed]["accuracy"] for seed in table.seeds] for key in keys])
    true, seeds = values.mean(axis=1), values.mean(axis=0) - values.mean()
    left = values - true[:, None] - seeds
    left *= np.sqrt(left.size / ((len(keys) - 1) * (len(seeds) - 1)))
    return Space([found[key, table.seeds[0]] for key in keys], true, float(seeds.std(ddof=1)), left.ravel())


def simulated(run: int, slots: int, kinds: int, interactions: float) -> Space:
    """Effects of kinds at slots, as large as the noise, which add up, and interactions; costs are drawn too."""
    rng = np.random.default_rng([7, run])
    fillings = np.array([*product(range(kinds + 1), repeat=slots)])
    effects, costs = rng.standard_normal((slots, kinds)), rng.gamma(2, 1, (slots, kinds))
    effects, costs = (np.pad(one, ((0, 0), (1, 0))) for one in (effects, costs))
    true = sum(effects[slot][fillings[:, slot]] for slot in range(slots))
    cost = sum(costs[slot][fillings[:, slot]] for slot in range(slots))
    pairs = interactions * rng.standard_normal((slots, slots, kinds + 1, kinds + 1))
    pairs[:, :, 0] = pairs[:, :, :, 0] = 0
    true = true + sum(pairs[a, b][fillings[:, a], fillings[:, b]] for a in range(slots) for b in range(a))
    spelt = (
        " ".join(f"stage{slot}.block0.branch={KINDS[kind - 1]}" for slot, kind in enumerate(one, 1) if kind)
        for one in fillings.tolist()
    )
    rows = [
        evaluation(name or "none", flops=80_000_000 + round(1e6 * price), seed=0)
        for name, price in zip(spelt, cost.tolist(), strict=True)
    ]
    return Space(rows, 0.9 + UNIT * true, 0.5 * UNIT, UNIT * rng.standard_normal(20_000))


SPACES: dict[str, Callable[[int], Space]] = {
    "digits-table, 216 networks": lambda _: digits_table(),
    "effects add up, 64 networks": lambda run: simulated(run, 3, 3, 0.0),
    "effects interact, 81 networks": lambda run: simulated(run, 4, 2, 0.5),
}


class ByProbability(Race):
    """The race as it was: by each network's own p (1 - p), and the number of its seeds."""

    def _helpful(self, rows: Sequence[Evaluation]) -> Iterator[str]:
        found = extra_seeds.membership(rows, self.objectives)
        if not np.isfinite(found.probability).all():
            yield from self._unseeded(rows)
            return
        seeds = np.array([len(self.known.rows[row.key]) for row in found.networks])
        value = found.probability * (1 - found.probability) / (seeds * (seeds + 1))
        for number in np.argsort(-value, kind="stable"):
            if found.standing(number) == "undecided":
                yield found.networks[number].key


RULES: dict[str, type[Race] | None] = {"equal seeds": None, "race, before": ByProbability, "race": Race}


def ahead(values: Numbers, costs: Numbers) -> Numbers:
    """By how much each is better than the best other one that costs no more, (draws, networks) as values are."""
    found = np.full_like(values, np.inf)
    best = np.full(len(values), -np.inf)
    for cost in np.unique(costs):
        here = np.flatnonzero(costs == cost)
        for one in here:
            others = values[:, here[here != one]].max(axis=1, initial=-np.inf)
            found[:, one] = values[:, one] - np.maximum(best, others)
        best = np.maximum(best, values[:, here].max(axis=1))
    return found


@dataclass(frozen=True)
class Outcome:
    """What was said of the front when it was known, and what was wrong with it."""

    trainings: int
    wrong: int
    """Networks that are wrong by more than is overlooked."""
    off_but_in: int
    """Networks that were called in and are off the front, by more than a tenth of a standard deviation of the noise."""
    on_but_out: int
    undecided: int


class Once(Membership):
    """Worked out once for all networks of a batch."""

    def value_of_training(self, noise: Numbers) -> Numbers:
        if "value" not in self.__dict__:
            self.__dict__["value"] = super().value_of_training(noise)
        return self.__dict__["value"]


@dataclass
class Study:
    """A run of one rule in one space."""

    space: Space
    run: int
    first: int
    jobs: int
    most: int
    known: Known = field(init=False)
    _last: tuple[int, Membership | None] = (0, None)

    def __post_init__(self) -> None:
        self.numbers = {row.key: number for number, row in enumerate(self.space.rows)}
        self.costs = np.array([row["flops"] for row in self.space.rows])
        self.truth = ahead(self.space.true[None], self.costs)[0] / self.space.noise
        self.known = Known(Budget(), range(self.first))
        self.train((key, seed) for key in self.numbers for seed in range(self.first))

    def train(self, batch: Iterable[tuple[str, int]]) -> None:
        self.known.add(self.space.trained(self.numbers[key], seed, self.run) for key, seed in batch)

    def membership(self, rows: Sequence[Evaluation], objectives: Sequence[str] = OBJECTIVES) -> Membership:
        """As `membership` says, once for each batch; without the front's volume, which nobody needs here."""
        if self._last[0] != len(rows):
            known = posterior(rows, "accuracy")
            fronts = Cheaper.of(self.costs[:, None]).front(-known.draws)
            found = Once(measure("accuracy"), known, (), fronts.mean(axis=0), fronts, UNKNOWN)
            if not np.isfinite(known.draws).all() or not self._last[0]:
                found = membership(rows, objectives)
            self._last = len(rows), found
        return self._last[1]

    def batch(self, race: Race | None) -> list[tuple[str, int]]:
        if race is None:
            seed = len(self.known.rows[self.space.rows[0].key])
            return [(key, seed) for key in self.numbers]
        running: dict[str, int] = {}
        while len(running) < self.jobs and (chosen := race.next(running)):
            running[chosen[0]] = chosen[1]
        return list(running.items())

    def outcomes(self, rule: type[Race] | None) -> dict[str, Outcome]:
        """By what is wanted: each network right with 95 %, or the whole front."""
        extra_seeds.membership, reached = self.membership, {}
        race = rule and rule(self.known, OBJECTIVES, sys.maxsize)
        while len(reached) < 2 and self.spent <= MOST * len(self.numbers) and self.longest <= self.most:
            found = self.membership([row for rows in self.known.rows.values() for row in rows.values()])
            for name in self.reached(found) - reached.keys():
                reached[name] = self.outcome(found)
            if not (batch := self.batch(race)):
                break
            self.train(batch)
        return reached

    @property
    def spent(self) -> int:
        return sum(map(len, self.known.rows.values()))

    @property
    def longest(self) -> int:
        return max(map(len, self.known.rows.values()))

    def reached(self, found: Membership) -> set[str]:
        if not np.isfinite(found.probability).all():
            return set()
        better, least = ahead(found.posterior.draws, self.costs), OVERLOOKED * self.space.noise
        right = np.where(found.probability > 0.5, better > -least, better < least)
        sure = {"each network": right.mean(axis=0).min(), "the whole front": right.all(axis=1).mean()}
        return {name for name, probability in sure.items() if probability >= SURE}

    def outcome(self, found: Membership) -> Outcome:
        standing = np.array([found.standing(number) for number in range(len(self.numbers))])
        wrong = (found.probability > 0.5) != (self.truth > 0)
        return Outcome(
            self.spent,
            int((wrong & (abs(self.truth) > OVERLOOKED)).sum()),
            int(((standing == "in") & (self.truth < -CLOSE)).sum()),
            int(((standing == "out") & (self.truth > CLOSE)).sum()),
            int((standing == "undecided").sum()),
        )


def line(name: str, rule: str, wanted: str, found: Sequence[dict[str, Outcome]], equal: float) -> tuple[str, float]:
    """A row of the table, and the median number of trainings."""
    known = [one[wanted] for one in found if wanted in one]
    spent = sorted([one.trainings for one in known] + [math.inf] * (len(found) - len(known)))
    median = float(np.median(spent))
    share = f"{median / equal:.2f}" if math.isfinite(median / equal) else "-"
    right = sum(not one.wrong for one in known)
    networks, runs = [sum(getattr(one, of) for one in known) for of in ("off_but_in", "on_but_out")], len(found)
    undecided = f"{np.mean([one.undecided for one in known]):.0f}" if known else "-"
    said = f"{median:.0f} ({spent[0]:.0f} to {spent[-1]:.0f})".replace("inf", "never")
    cells = [
        name,
        wanted,
        rule,
        said,
        share,
        f"{len(known)} of {runs}",
        f"{right} of {len(known)}",
        *map(str, networks),
        undecided,
    ]
    return f"| {' | '.join(cells)} |", median


def main(
    runs: Annotated[int, typer.Option(help="Of each space and rule.")] = 10,
    only: Annotated[str, typer.Option(help="Spaces with this in their names.")] = "",
    first: Annotated[int, typer.Option(help="Seeds that each network has before.")] = 2,
    jobs: Annotated[int, typer.Option(help="Trainings at once.")] = 8,
    most: Annotated[int, typer.Option(help="Seeds of one network, after which a run is ended.")] = 60,
    rule: Annotated[str, typer.Option(help="This rule alone.")] = "",
) -> None:
    """Print the table."""
    print(f"{runs} runs, {first} seeds first, {jobs} trainings at once, at most {most} seeds of one network")
    columns = ["space", "95 % sure of", "rule", "trainings, median (range)", "of equal seeds'", "known", "right"]
    columns += ["in but off", "out but on", "undecided"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for name, space in SPACES.items():
        if only in name:
            start, equal = time.process_time(), {}
            for title, race in ((title, RULES[title]) for title in RULES if rule in ("", title)):
                found = [Study(space(run), run, first, jobs, most).outcomes(race) for run in range(runs)]
                for wanted in ("each network", "the whole front"):
                    text, median = line(name, title, wanted, found, equal.get(wanted, math.nan))
                    equal.setdefault(wanted, median)
                    print(text if race else text.replace("| - |", "| 1 |", 1), flush=True)
            print(f"{name}: {time.process_time() - start:.0f} s of CPU time", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
