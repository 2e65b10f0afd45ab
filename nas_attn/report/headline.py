"""What a study has found, in sentences that follow from its table."""

import pandas as pd

from nas_attn.results import Front
from nas_attn.settings import listed, measure
from nas_attn.space import NONE
from nas_attn.verdict import Standings

_NO_BREAK = "\N{NO-BREAK SPACE}"
_STATES = {
    "complete": "trained but lacking an objective",
    "priced": "priced but not trained",
    "over_budget": "over budget",
    "failed": "without a result",
}


def headline(table: pd.DataFrame, front: Front, standings: Standings | None = None) -> list[str]:
    """The finding first, then what it is worth.

    How many networks were trained and which are on the front, with confidence where seeds tell; the knee, and the best
    in the first objective, compared with the plain backbone where that was trained; and how noisy trainings are.
    """
    rows = front.rows
    if rows.empty:
        return [
            "No network has been trained to the end, so there is no front to show.",
            *_others(table, 0, "Of the rows"),
        ]
    counted = f"{_networks(len(rows))} trained; {_on_front(front, standings)}"
    sentences = [" ".join([counted, *_others(table, len(rows), "Of the others")]), _balanced(front)]
    if str(front.best.index[0]) != front.knee:
        sentences.append(_leader(front))
    return [*sentences, _trust(rows) if standings is None else standings.noise]


def _on_front(front: Front, standings: Standings | None) -> str:
    if standings is not None:
        return f"{standings.sentence[0].lower()}{standings.sentence[1:]}"
    best, words = len(front.best), listed([measure(name).word for name in front.objectives])
    on_front = "it is" if len(front.rows) == 1 else f"{best} of them {_are(best)}"
    return f"{on_front} on the front of {words}."


def _balanced(front: Front) -> str:
    row = front.rows.iloc[[str(name) for name in front.rows.index].index(str(front.knee))]
    role = "The best network" if len(front.objectives) == 1 else "The knee of the front, its most balanced network,"
    if row.get("architecture") == NONE:
        return f"{role} is the plain backbone {front.knee}, without any attention: {_values(row, front)}."
    return f"{role} is {front.knee}: {_values(row, front)}{_against_plain(row, front)}."


def _leader(front: Front) -> str:
    row, word = front.best.iloc[0], measure(next(iter(front.objectives))).word
    if row.get("architecture") == NONE:
        return f"No network does better than the plain backbone in {word}: {_values(row, front)}."
    return f"Best in {word} is {front.best.index[0]}: {_values(row, front)}{_against_plain(row, front)}."


def _values(row: pd.Series, front: Front) -> str:
    found = [(measure(name), float(row[name])) for name in front.objectives]
    return listed([f"{one.spell(value)} {one.word}".replace(" ", _NO_BREAK, 1) for one, value in found])


def _against_plain(row: pd.Series, front: Front) -> str:
    """What was gained over the plain backbone and what it cost: points of shares, and multiples of the rest."""
    if front.plain is None:
        return "; the plain backbone was not trained, so there is nothing to compare it with"
    parts = []
    for one in map(measure, front.objectives):
        here, there = float(row[one.name]), float(front.plain[one.name])
        if one.unit == "%":
            parts.append(f"{one.difference(here - there)} points of {one.word}")
        elif there > 0:
            parts.append(f"{here / there:.3g}{_NO_BREAK}\N{MULTIPLICATION SIGN}{_NO_BREAK}its {one.word}")
    return f"; against the plain backbone that is {listed(parts)}" if parts else ""


def _trust(rows: pd.DataFrame) -> str:
    """How far rows can be trusted whose noise is not known, by the seeds that they rest on."""
    advice = "train those you would choose from with more seeds before you choose."
    if "seeds" in rows.columns and (rows["seeds"] > 1).any():
        return f"No two networks share two seeds, so that noise is not known: {advice}"
    seeds = sorted(rows["seed"].unique().tolist()) if "seed" in rows.columns else []
    if len(seeds) > 1:
        names = ", ".join(map(str, seeds))
        return f"The rows were trained with different seeds ({names}), so part of a difference may be noise: {advice}"
    seed = f" seed, {seeds[0]}" if seeds else " seed"
    return f"Every network was trained with one{seed}: a difference between two of them may be noise; {advice}"


def _others(table: pd.DataFrame, compared: int, opening: str) -> list[str]:
    """What became of the rows that are not compared."""
    if "state" not in table.columns:
        return []
    counts = {str(state): int(count) for state, count in table["state"].value_counts().items()}
    counts["complete"] = counts.get("complete", 0) - compared
    parts = [f"{counts[state]} {_are(counts[state])} {what}" for state, what in _STATES.items() if counts.get(state)]
    return [f"{opening}, {listed(parts)}."] if parts else []


def _networks(count: int) -> str:
    return "1 network was" if count == 1 else f"{count:,} networks were"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
