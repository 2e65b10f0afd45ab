"""What a study has found, in sentences that follow from its table."""

import pandas as pd

from nas_attn.results import Objectives, candidates, directions, front, knee, listed, spell, word
from nas_attn.space import NONE

_KEPT = "\N{NO-BREAK SPACE}"
_STATES = {
    "complete": "trained but lacking an objective",
    "priced": "priced but not trained",
    "over_budget": "over budget",
    "failed": "without a result",
}


def headline(table: pd.DataFrame, objectives: Objectives) -> list[str]:
    """The finding first, then what it is worth.

    How many networks were trained and how many are on the front; the knee, and the best in the first objective, held
    against the bare network where that was trained; and how far one seed can be trusted.

    Raises `InputError` as `front` does.
    """
    rows = candidates(table, objectives)
    if rows.empty:
        return [
            "No network has been trained to the end, so there is no front to show.",
            *_others(table, 0, "Of the rows"),
        ]
    best, chosen = front(rows, objectives), knee(rows, objectives)
    names = list(directions(objectives))
    counted = (
        f"{_networks(len(rows))} trained; {'it is' if len(rows) == 1 else f'{len(best)} of them {_are(len(best))}'} "
        f"on the front of {listed([word(name) for name in names])}."
    )
    sentences = [" ".join([counted, *_others(table, len(rows), "Of the others")]), _balanced(rows, chosen, names)]
    if str(best.index[0]) != chosen:
        sentences.append(_leader(rows, best, names))
    return [*sentences, trust(rows)]


def _balanced(rows: pd.DataFrame, chosen: str, names: list[str]) -> str:
    row = _row(rows, chosen)
    role = "The best network" if len(names) == 1 else "The knee of the front, its most balanced network,"
    if row.get("architecture") == NONE:
        return f"{role} is the bare network {chosen}, without any attention: {_told(row, names)}."
    return f"{role} is {chosen}: {_told(row, names)}{_against(rows, row, names)}."


def _leader(rows: pd.DataFrame, best: pd.DataFrame, names: list[str]) -> str:
    leader = best.iloc[0]
    if leader.get("architecture") == NONE:
        return f"No network does better than the bare network in {word(names[0])}: {_told(leader, names)}."
    return f"Best in {word(names[0])} is {best.index[0]}: {_told(leader, names)}{_against(rows, leader, names)}."


def _told(row: pd.Series, names: list[str]) -> str:
    return listed([f"{spell(name, float(row[name]))} {word(name)}".replace(" ", _KEPT, 1) for name in names])


def _against(rows: pd.DataFrame, row: pd.Series, names: list[str]) -> str:
    """What was gained over the bare network and what it cost: points of accuracy, and multiples of the rest."""
    bare = rows[rows["architecture"] == NONE] if "architecture" in rows.columns else rows.iloc[:0]
    if bare.empty:
        return "; the bare network was not trained, so there is nothing to hold it against"
    parts = []
    for name in names:
        here, there = float(row[name]), float(bare.iloc[0][name])
        if name == "accuracy":
            parts.append(f"{100 * (here - there):+.2f} points of accuracy".replace("-", "\N{MINUS SIGN}"))
        elif there > 0:
            parts.append(f"{here / there:.3g}{_KEPT}\N{MULTIPLICATION SIGN}{_KEPT}its {word(name)}")
    return f"; against the bare network that is {listed(parts)}" if parts else ""


def trust(rows: pd.DataFrame) -> str:
    """How far the accuracies of rows can be trusted, by the seeds that they rest on."""
    advice = "train those you would choose from with more seeds before you choose."
    several = rows[rows["seeds"] > 1] if "seeds" in rows.columns else rows.iloc[:0]
    if len(several):
        return f"{_several(rows, several)}; differences that are not much larger may be noise."
    seeds = sorted(rows["seed"].unique().tolist()) if "seed" in rows.columns else []
    if len(seeds) > 1:
        told = ", ".join(map(str, seeds))
        return f"The rows were trained with different seeds ({told}), so part of a difference may be noise: {advice}"
    seed = f" seed, {seeds[0]}" if seeds else " seed"
    return f"Every network was trained with one{seed}: a difference between two of them may be noise; {advice}"


def _several(rows: pd.DataFrame, several: pd.DataFrame) -> str:
    """How many seeds the means are of, and by how much these differ."""
    who = "Every network" if len(several) == len(rows) else f"{len(several)} of the {len(rows)} networks"
    fewest, most = int(several["seeds"].min()), int(several["seeds"].max())
    were = "were" if len(several) < len(rows) and len(several) > 1 else "was"
    seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
    spread = 100 * float(several["accuracy_std"].median())
    return (
        f"{who} {were} trained with {seeds} seeds, and their mean is shown; the accuracy of one network differs "
        f"between seeds by {spread:.2f} points (standard deviation, the median over networks)"
    )


def _others(table: pd.DataFrame, compared: int, lead: str) -> list[str]:
    """What became of the rows that are not compared."""
    if "state" not in table.columns:
        return []
    counts = {str(state): int(count) for state, count in table["state"].value_counts().items()}
    counts["complete"] = counts.get("complete", 0) - compared
    parts = [f"{counts[state]} {_are(counts[state])} {told}" for state, told in _STATES.items() if counts.get(state)]
    return [f"{lead}, {listed(parts)}."] if parts else []


def _row(rows: pd.DataFrame, key: str) -> pd.Series:
    return rows.iloc[[str(name) for name in rows.index].index(key)]


def _networks(count: int) -> str:
    return "1 network was" if count == 1 else f"{count:,} networks were"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
