"""How much of the true front samplers find, on simulated spaces and on published tables.

    OMP_NUM_THREADS=1 python benchmarks/samplers.py --repeats 10 [--sampler GP] [--table digits-table] [--picture FILE]

A simulated space has 8 places of 3 answers, a cost that is known, and 3 draws of the accuracy of every network, one of
which is returned at each evaluation; networks are judged by the mean of the three. Shares are of the volume of the true
front, up to the most expensive network and down to the accuracy that nine networks in ten exceed.
"""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import optuna
import pandas as pd
import typer
from scipy.stats import t

import nas_attn
from nas_attn import KnownCostSampler
from nas_attn.results import hypervolume
from nas_attn.results.pictures import write_picture

AT = (25, 50, 100, 200)
NETWORKS = np.array([*product(range(3), repeat=8)])
STAGES = np.array([0, 0, 1, 1, 1, 2, 2, 2])
OBJECTIVES = {"accuracy": "max", "cost": "min"}


@dataclass(frozen=True)
class Task:
    """What is to be found."""

    choices: Mapping[str, Sequence[str]]
    known_costs: Mapping[int, Callable[[dict[str, Any]], float]]
    directions: Sequence[str]
    objective: Callable[[optuna.Trial], tuple[float, ...]]
    share: Callable[[list[dict[str, Any]]], float]
    """Of the true front's volume, for the answers that were evaluated."""


def _added(tables: np.ndarray) -> np.ndarray:
    return sum(tables[place][NETWORKS[:, place]] for place in range(8))


def _pairs(rng: np.random.Generator, spread: float) -> np.ndarray:
    tables = rng.normal(0, spread, (8, 8, 3, 3))
    return sum(tables[a, b][NETWORKS[:, a], NETWORKS[:, b]] for a in range(8) for b in range(a))


def stages(rng: np.random.Generator, interactions: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A first answer that is the identity, two that deepen; what depth gains becomes less; poor networks are noisy."""
    sizes = rng.uniform(2, 6, 3)[STAGES] * np.where(np.isin(np.arange(8), (0, 2, 5)), 1.6, 1) * rng.uniform(0.8, 1.2, 8)
    cost = 20 + _added(sizes[:, None] * [0, 1, 2.2])
    gains = rng.gamma(2, 0.5, 8)
    use = _added(np.stack([np.zeros(8), gains, gains * rng.uniform(0.95, 1.5, 8)], axis=1))
    depth = np.stack([(NETWORKS[:, stage == STAGES] > 0).sum(axis=1) for stage in range(3)], axis=1)
    use = use + interactions * (0.3 * np.log1p(depth.min(axis=1)) - 0.12 * (depth**1.5).sum(axis=1))
    use = use + _pairs(rng, 0.06 * interactions)
    lost = 24 * np.exp(-3.2 * (use - use.min()) / np.ptp(use))
    lost *= 1 + 0.02 * interactions * rng.normal(size=len(lost))
    return cost, 93.5 - lost, 0.25 * (1 + 0.08 * lost)


def additive(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Effects that add up and have nothing to do with cost, hardly any noise."""
    accuracy = _added(rng.normal(size=(8, 3)))
    return 10 + _added(rng.gamma(2, 1, (8, 3))), accuracy, 0.05 * accuracy.std() * np.ones(len(accuracy))


def interacting(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Effects of pairs that are stronger than those of places, and noise."""
    accuracy = 0.5 * _added(rng.normal(size=(8, 3))) + _pairs(rng, 0.7)
    return 10 + _added(rng.gamma(2, 1, (8, 3))), accuracy, 0.3 * accuracy.std() * np.ones(len(accuracy))


def harmful(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What costs more is mostly worse."""
    cost = 10 + _added(rng.gamma(2, 1, (8, 3)))
    accuracy = _added(rng.normal(0, 0.4, (8, 3))) - 0.5 * (cost - cost.mean()) / cost.std()
    return cost, accuracy + rng.normal(0, 0.2, len(cost)), 0.3 * np.ones(len(cost))


def nothing(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """No answer matters; networks differ at random, seeds by more."""
    cost = 10 + _added(rng.gamma(2, 1, (8, 3)))
    return cost, rng.normal(0, 0.3, len(cost)), np.ones(len(cost))


SPACES: dict[str, Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray, np.ndarray]]] = {
    "stages, with interactions": stages,
    "stages, without": lambda rng: stages(rng, 0.0),
    "additive, little noise": additive,
    "interacting, noise": interacting,
    "harmful": harmful,
    "nothing": nothing,
}

SAMPLERS: dict[str, Callable[[Task, int], optuna.samplers.BaseSampler]] = {
    "random": lambda _, seed: optuna.samplers.RandomSampler(seed=seed),
    "NSGA-II": lambda _, seed: optuna.samplers.NSGAIISampler(population_size=20, seed=seed),
    "TPE": lambda _, seed: optuna.samplers.TPESampler(multivariate=True, seed=seed),
    "GP": lambda _, seed: optuna.samplers.GPSampler(seed=seed),
    "known cost": lambda task, seed: KnownCostSampler(task.choices, task.known_costs, seed=seed),
}


def simulated(space: str, seed: int) -> Task:
    """A space of a family, drawn by a seed."""
    rng = np.random.default_rng([seed, 7])
    cost, accuracy, noise = SPACES[space](rng)
    draws = accuracy[:, None] + noise[:, None] * rng.normal(size=(len(cost), 3))
    true = pd.DataFrame({"accuracy": draws.mean(axis=1), "cost": cost})
    reference = {"accuracy": float(true["accuracy"].quantile(0.1)), "cost": float(cost.max())}
    whole = hypervolume(true, OBJECTIVES, reference)
    choices = {f"l{place}": ["0", "1", "2"] for place in range(8)}

    def number(answers: Mapping[str, Any]) -> int:
        return int("".join(answers[name] for name in choices), 3)

    def objective(trial: optuna.Trial) -> tuple[float, ...]:
        found = number({name: trial.suggest_categorical(name, answers) for name, answers in choices.items()})
        return float(draws[found, rng.integers(3)]), float(cost[found])

    def share(evaluated: list[dict[str, Any]]) -> float:
        return hypervolume(true.loc[[*{number(answers) for answers in evaluated}]], OBJECTIVES, reference) / whole

    return Task(choices, {1: lambda params: float(cost[number(params)])}, ["maximize", "minimize"], objective, share)


def published(name: str, seed: int) -> Task:
    """A published table, of whose seeds one is drawn at each evaluation."""
    table = nas_attn.load_table(name)

    def share(evaluated: list[dict[str, Any]]) -> float:
        return table.hypervolume_share([table.key(answers) for answers in evaluated])

    return Task(table.choices, table.known_costs, table.directions, table.objective(seed), share)


def searched(task: Task, sampler: optuna.samplers.BaseSampler, evaluations: int) -> list[float]:
    """The share after each evaluation."""
    study = optuna.create_study(directions=task.directions, sampler=sampler)
    study.optimize(task.objective, n_trials=evaluations)
    evaluated = [trial.params for trial in study.trials]
    shares = []
    for number, answers in enumerate(evaluated):
        again = answers in evaluated[:number]
        shares.append(shares[-1] if again else task.share(evaluated[: number + 1]))
    return shares


def proposal_ms(rows: int = 200, proposals: int = 20) -> np.ndarray:
    """How long proposals take, with so many rows and 10,000 candidates."""
    choices = {f"l{place}": [*map(str, range(10))] for place in range(4)}

    def cost(params: Mapping[str, Any]) -> float:
        return float(sum(map(int, params.values())))

    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=KnownCostSampler(choices, {1: cost}, seed=0)
    )
    rng, times = np.random.default_rng(0), []
    for number in range(rows + proposals):
        began = time.perf_counter()
        trial = study.ask()
        params = {name: trial.suggest_categorical(name, answers) for name, answers in choices.items()}
        if number >= rows:
            times.append(1000 * (time.perf_counter() - began))
        study.tell(trial, (cost(params) ** 0.5 + 0.1 * rng.normal(), cost(params)))
    return np.array(times)


def reached(shares: np.ndarray, goal: float = 0.95) -> str:
    """The median of the evaluations that it takes, and what half of the repeats lie between."""
    taken = [next((n + 1 for n, share in enumerate(one) if share >= goal), np.inf) for one in shares]
    low, middle, high = np.quantile(taken, (0.25, 0.5, 0.75), method="higher")
    spelt = [f"{value:.0f}" if np.isfinite(value) else f">{shares.shape[1]}" for value in (middle, low, high)]
    return f"{spelt[0]} ({spelt[1]} to {spelt[2]})"


def summary(space: str, sampler: str, shares: np.ndarray) -> list[dict[str, Any]]:
    """A row an evaluation, with the mean share and its 95 % interval."""
    half = t.ppf(0.975, len(shares) - 1) * shares.std(axis=0, ddof=1) / np.sqrt(len(shares))
    mean = shares.mean(axis=0)
    return [
        {"space": space, "sampler": sampler, "evaluations": n + 1, "share": m, "low": m - h, "high": m + h}
        for n, (m, h) in enumerate(zip(mean.tolist(), half.tolist(), strict=True))
    ]


def picture(rows: list[dict[str, Any]]) -> alt.FacetChart:
    """Shares against evaluations, a panel a space."""
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("evaluations:Q", title="evaluations"), color=alt.Color("sampler:N", title=None)
    )
    share = alt.Scale(domain=[0.5, 1.0], clamp=True)
    line = base.mark_line().encode(y=alt.Y("share:Q", title="share of the true front's volume", scale=share))
    band = base.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", scale=share), y2="high:Q")
    return (
        alt.layer(band, line).properties(width=260, height=180).facet(facet=alt.Facet("space:N", title=None), columns=3)
    )


def main(
    repeats: int = 10,
    evaluations: int = 200,
    sampler: list[str] = typer.Option([], help="Some of the samplers; without it, all but GP, which takes minutes."),  # noqa: B008
    space: list[str] = typer.Option([], help="Some of the simulated spaces; without it, all."),  # noqa: B008
    table: list[str] = typer.Option([], help="Published tables."),  # noqa: B008
    simulate: bool = True,
    picture_path: Path | None = typer.Option(None, "--picture"),  # noqa: B008
) -> None:
    """Search every space with every sampler, and say how much of its front is found."""
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    times = proposal_ms()
    print(
        f"a proposal at 200 rows and 10,000 candidates: median {np.median(times):.0f} ms, most {times.max():.0f} ms\n"
    )
    tasks = dict.fromkeys(space or SPACES, simulated) if simulate else {}
    at = [number for number in AT if number <= evaluations]
    print("| space | sampler |", *(f"at {number} |" for number in at), "evaluations to 95 % |")
    print("|---|---|", *("---|" for _ in at), "---|", sep="")
    rows: list[dict[str, Any]] = []
    for name, task in {**tasks, **dict.fromkeys(table, published)}.items():
        for chosen in sampler or [name for name in SAMPLERS if name != "GP"]:
            drawn = [task(name, seed) for seed in range(repeats)]
            made = [SAMPLERS[chosen](one, seed) for seed, one in enumerate(drawn)]
            shares = np.array([searched(one, by, evaluations) for one, by in zip(drawn, made, strict=True)])
            found = summary(name, chosen, shares)
            spelt = (f"{found[n - 1]['share']:.3f} ± {found[n - 1]['high'] - found[n - 1]['share']:.3f} |" for n in at)
            print(f"| {name} | {chosen} |", *spelt, f"{reached(shares)} |", flush=True)
            rows += found
    if picture_path:
        write_picture(picture(rows), picture_path)


if __name__ == "__main__":
    typer.run(main)
