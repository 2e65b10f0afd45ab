"""Who shall choose the few networks that are trained in full: a proxy's ranking, or a sampler that has seen it?

    OMP_NUM_THREADS=1 python benchmarks/leads.py [--repeats 20] [--table digits-table]

On a published table every network has a score that correlates with its true loss as given. So many networks are then
looked at with one seed: those that the score promotes, those that a sampler proposes that was led by the score
(`chosen_by = "sampler"`), or those that it proposes without. Shares are of the volume of the table's true front.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import optuna
import typer
from scipy.stats import t

import nas_attn
from nas_attn.results import Evaluation
from nas_attn.search import Lead, Search, lead, promoted
from nas_attn.search.tabular import Table
from nas_attn.settings import ImageFacts, StudyFile
from nas_attn.study import write_question

NETWORKS = (8, 12, 16, 24, 36)
CORRELATIONS = (0.0, 0.5, 0.8, 0.95)
FILE = {"space": "none", "objectives": ["accuracy", "flops"], "chain": ["supernet", "final"]}


def scored(table: Table, correlation: float, rng: np.random.Generator) -> list[Evaluation]:
    """A row of each network, whose loss tells so much of the true one."""
    losses = table.true["loss"]
    noise = rng.normal(size=len(losses))
    scores = correlation * (losses - losses.mean()) / losses.std() + np.sqrt(1 - correlation**2) * noise
    first = {row.key: row for row in reversed(table.rows)}
    return [replace(first[key], step="supernet", loss=float(score)) for key, score in scores.items()]


def searched(table: Table, seed: int, networks: int, led: Lead | None) -> list[str]:
    """The keys of what a sampler looks at, in their order."""
    file = StudyFile.model_validate({**FILE, "seed": seed})
    one = table.seeds[seed % len(table.seeds)]
    rows = tuple(replace(row, seed=seed) for row in table.rows if row.seed == one)
    served = Table(table.name, rows, table.objectives)
    study = optuna.create_study(directions=served.directions)
    facts = ImageFacts(1, 8, 8, ("zero", "one"), (0.5,), (0.25,))
    write_question(study, {"objectives": served.objectives}, served.space, facts)
    found: list[str] = []
    Search(study, served.space, file, file.steps[-1], served, lambda row, _: found.append(row.key), lead=led).run(
        networks
    )
    return found


def shares(table: Table, how: str, correlation: float, seed: int) -> list[float]:
    """The share after each number of networks."""
    rows, file = scored(table, correlation, np.random.default_rng([seed, 11])), StudyFile.model_validate(FILE)
    if how == "promotion":
        chosen: list[Sequence[str]] = [[a.key for a in promoted(rows, file, number, "loss")] for number in NETWORKS]
    else:
        led = {number: lead(rows, file, number, "loss") if how == "sampler, led" else None for number in NETWORKS}
        chosen = [searched(table, seed, number, led[number]) for number in NETWORKS]
    return [table.hypervolume_share(keys) for keys in chosen]


def main(repeats: int = 20, table: str = "digits-table") -> None:
    """Print a line for each worth of the score and each way to choose."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    published = nas_attn.load_table(table)
    print("| correlation | chosen by |", *(f"{number} |" for number in NETWORKS))
    print("|---|---|", *("---|" for _ in NETWORKS), sep="")
    for correlation in CORRELATIONS:
        for how in ("promotion", "sampler, led") if correlation else ("promotion", "sampler, led", "sampler, alone"):
            found = np.array([shares(published, how, correlation, seed) for seed in range(repeats)])
            half = t.ppf(0.975, repeats - 1) * found.std(axis=0, ddof=1) / np.sqrt(repeats)
            spelt = (f"{mean:.3f} ± {more:.3f} |" for mean, more in zip(found.mean(axis=0), half, strict=True))
            print(f"| {correlation} | {how} |", *spelt, flush=True)


if __name__ == "__main__":
    typer.run(main)
