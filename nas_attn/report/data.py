"""Rows of a page as one compact document, which its charts, tables and drawing share."""

import base64
import gzip
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nas_attn.drawing import Outline, labels, more
from nas_attn.results import Front, Slots, read_curve, spell_cell, staircase
from nas_attn.settings import MEASURES, Measure, measure
from nas_attn.space import InputError, parse
from nas_attn.statistics import UNKNOWN
from nas_attn.verdict import Standings

from .placements import ELSEWHERE

STANDINGS = {"in": "on the front", "undecided": "undecided", "out": "not on the front"}
"""Where a network stands, in words; without a known noise it is on the front of the means, or not."""
WIDTH_MATCHED = "width-matched baseline"
_ROLES = {"search": "found by the search", "baseline": "baseline", "width-matched": WIDTH_MATCHED}
_LEVEL = 6
"""Of compression; the highest takes several times as long for a hundredth."""
_POINTS, _FEWEST_POINTS = 50_000, 8
"""Epochs of learning curves that a page holds, and of one at least."""
_LOSSES = ("train_loss", "loss")
_WORDS = {"seeds": "Seeds", "role": "Role", "step": "Step", "state": "State"}


def document(
    table: pd.DataFrame,
    front: Front,
    standings: Standings | None,
    outline: Outline,
    slots: Slots,
    limits: Mapping[str, float],
) -> dict[str, Any]:
    """Every row column by column, in plain values; what is drawn has a standing.

    An architecture is a list of its parts, each of which is there once. `limits` are those of a budget, by measure.
    """
    rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    spelt = [str(row.get("architecture", "")).split(" ") for row in rows]
    numbers = {part: number for number, part in enumerate(dict.fromkeys(part for parts in spelt for part in parts))}
    parts = [_part(part, outline, slots) for part in numbers]
    named = dict.fromkeys([*front.objectives, *(one.name for one in MEASURES.values() if one.objective)])
    names = [name for name in named if name in table.columns]
    drawn = _drawn(table, front)
    return {
        "measures": [_described(measure(name)) for name in names],
        "objectives": list(front.objectives),
        "parts": parts,
        "kinds": sorted({part["kind"] for part in parts if part["sites"]}),
        "keys": [*map(str, table.index)],
        "architectures": [[numbers[part] for part in parts] for parts in spelt],
        "values": {name: [_number(row[name]) for row in rows] for name in names},
        "texts": {name: [spell_cell(name, row) for row in rows] for name in names},
        "ends": _ends(table, drawn, standings),
        "words": {word: [_word(name, row) for row in rows] for name, word in _words(table).items()},
        "roles": [_ROLES.get(str(row.get("role")), _ROLES["search"]) for row in rows],
        "standings": _standings(table, drawn, front, standings),
        "curves": _curves(table, front),
        "spent": _spent(table),
        "lines": {f"{x} {y}": staircase(front, x, y) for x in names for y in names if x != y},
        "limits": {name: limit for name, limit in limits.items() if name in names},
    }


def packed(content: Mapping[str, Any]) -> str:
    """A document as a page holds it: compressed JSON, in base64."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), _LEVEL, mtime=0)).decode()


def _described(one: Measure) -> dict[str, Any]:
    return {"name": one.name, "title": one.title, "unit": one.unit, "better": one.better, "ticks": one.ticks}


def _part(part: str, outline: Outline, slots: Slots) -> dict[str, Any]:
    """What a part of a spelling places; without sites where it places nothing, or cannot be read."""
    try:
        placements = parse(part).placements
    except InputError:
        placements = ()
    if not placements:
        return {"text": part, "kind": "", "options": "", "sites": [], "prices": [], "cells": []}
    attention, sites = placements[0].attention, [placement.site for placement in placements]
    kind, options = labels(attention)
    slot_of = {site: name for name, places in slots for site in places}
    return {
        "text": part,
        "kind": attention.kind,
        "label": kind,
        "options": options,
        "sites": sites,
        "prices": [more(outline.share(site, attention)) for site in sites],
        "cells": [f"{attention.kind} at {slot_of.get(site, ELSEWHERE)}" for site in sites],
    }


def _curves(table: pd.DataFrame, front: Front) -> dict[str, Any] | None:
    """Learning curves row by row, of the losses and the leading measure; None where no row has one.

    `epochs` and `lines`, a list for each of the `measures`, are None where there is none.
    """
    texts: Any = table["learning_curve"] if "learning_curve" in table.columns else []
    curves = [read_curve(text) for text in texts]
    wanted = [name for name in dict.fromkeys((*_LOSSES, *front.objectives)) if name in MEASURES]
    learnt = [name for name in wanted if measure(name).source == "learnt"]
    shown = [name for name in learnt[:3] if any(name in curve for curve in curves)]
    if not shown:
        return None
    most = max(_FEWEST_POINTS, _POINTS // len(curves))
    having = [_thinned(curve, most) if any(name in curve for name in shown) else {} for curve in curves]
    return {
        "measures": [
            {"title": measure(name).title, "loss": name in _LOSSES, "training": name == "train_loss"} for name in shown
        ],
        "epochs": [curve.get("epoch") for curve in having],
        "lines": [[curve.get(name) for name in shown] if curve else None for curve in having],
    }


def _thinned(curve: Mapping[str, list[Any]], most: int) -> dict[str, list[Any]]:
    """A curve of so many epochs at most, the first and the last among them."""
    epochs = len(curve["epoch"])
    if epochs <= most:
        return dict(curve)
    places = [round(number * (epochs - 1) / (most - 1)) for number in range(most)]
    return {name: [values[place] for place in places] for name, values in curve.items()}


def _spent(table: pd.DataFrame) -> dict[str, list[Any]]:
    """The trainings of each row, and the seconds that they took; None where that is not known."""
    seeds = table["seeds"].tolist() if "seeds" in table.columns else [1] * len(table)
    seconds = table["train_seconds"].tolist() if "train_seconds" in table.columns else [math.nan] * len(table)
    spent = [_number(float(f"{count * each:.4g}")) for count, each in zip(seeds, seconds, strict=True)]
    return {"trainings": seeds, "seconds": spent}


def _words(table: pd.DataFrame) -> dict[str, str]:
    """The columns of words, with their titles; the step where there are several."""
    alone = table["step"].nunique() < 2 if "step" in table.columns else True
    return {name: word for name, word in _WORDS.items() if name in table.columns and not (name == "step" and alone)}


def _number(value: float) -> float | None:
    """A value with as many digits as a chart and an order of rows need; None where it is not known."""
    return None if not math.isfinite(value) else value if isinstance(value, int) else float(f"{value:.8g}")


def _drawn(table: pd.DataFrame, front: Front) -> list[bool]:
    """Which rows are compared on the front: those of its step."""
    keys = set(map(str, front.rows.index))
    steps = set(front.rows["step"]) if "step" in front.rows.columns else set()
    rows = zip(map(str, table.index), table["step"] if steps else [""] * len(table), strict=True)
    return [key in keys and (step in steps or not steps) for key, step in rows]


def _standings(
    table: pd.DataFrame, drawn: Sequence[bool], front: Front, standings: Standings | None
) -> list[str | None]:
    """Where each row stands; None for what is not drawn."""
    best = {str(key): "in" for key in front.best.index}
    if standings is not None:
        member = standings.membership
        best = {key: member.standing(number) for number, key in enumerate(member.posterior.keys)}
    found = [STANDINGS[best.get(str(key), "out")] if own else None for key, own in zip(table.index, drawn, strict=True)]
    if "role" not in table.columns:
        return found
    outside = (table["role"] == "width-matched") & (table["state"] == "complete")
    return [WIDTH_MATCHED if other else own for own, other in zip(found, outside, strict=True)]


def _ends(table: pd.DataFrame, drawn: Sequence[bool], standings: Standings | None) -> dict[str, list[Any]]:
    """The ends of the 95 % intervals of the measures that have some, row by row."""
    found: dict[str, list[Any]] = {}
    if {"latency_ms_low", "latency_ms_high"} <= set(table.columns):
        lows, highs = table["latency_ms_low"], table["latency_ms_high"]
        found["latency_ms"] = [_interval(low, high) for low, high in zip(lows, highs, strict=True)]
    if standings is not None:
        member = standings.membership
        known = dict(zip(member.posterior.keys, member.estimates, strict=True))
        within = zip(map(str, table.index), drawn, strict=True)
        ends = [known[key] if own else standings.baselines.get(key, UNKNOWN) for key, own in within]
        found[member.measure.name] = [_interval(one.low, one.high) for one in ends]
    return found


def _interval(low: float, high: float) -> list[float | None] | None:
    return [_number(low), _number(high)] if math.isfinite(low) and math.isfinite(high) else None


def _word(name: str, row: Mapping[str, Any]) -> str:
    """A cell of words; a state with its reason, or with what was unusual in the training."""
    parts = int(row.get("batch_parts", 1))
    unusual = f"with each batch in {parts} parts, for want of memory" if parts > 1 else None
    reason = (row.get("reason") or unusual) if name == "state" else None
    word = str(row[name]).replace("_", " ")
    return f"{word}: {reason}" if reason else word
