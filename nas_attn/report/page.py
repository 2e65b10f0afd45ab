"""The page that a study ends with: one file that needs nothing else and nobody's network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nas_attn.audit import Audit, readable_audit, sentences
from nas_attn.audit.picture import audit_chart
from nas_attn.results import Front, Objectives, Slots, cell, pareto_front
from nas_attn.results.pages import page, specification
from nas_attn.results.pictures import front_chart
from nas_attn.settings import MEASURES, measure
from nas_attn.space import write_whole
from nas_attn.verdict import Conclusion, Standings

from .gallery import Gallery
from .headline import headline
from .placements import matrix
from .steps import judged, steps

_WORDS = {"front": "On the front", "role": "Role", "seed": "Seed", "step": "Step", "state": "State"}
_TIMED = (
    *("latency_source", "latency_batch", "latency_threads", "latency_dtype", "latency_layout", "latency_runtime"),
    "latency_device",
)


@dataclass(frozen=True, slots=True)
class Report:
    """Contents of a page."""

    title: str
    table: pd.DataFrame
    """Every row of the study, indexed by key; of several steps the front is that of `final`, or else of the last."""
    objectives: Objectives
    slots: Slots
    """The slots of the space, each with the names of its sites."""
    settings: str
    """The study file as it was written."""
    facts: Mapping[str, str]
    """What else is known: budget, data, devices, versions."""
    standings: Standings | None = None
    """Which networks are on the front and how sure that is, where seeds tell."""
    conclusion: Conclusion | None = None
    """Whether attention pays, where a verdict was requested."""
    audit: Audit | None = None
    """Whether the proxies of the study rank as full training does, where that was audited."""
    gallery: Gallery | None = None
    """Which images gain and lose by the attention of the most promising network, where that is known."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """A table of the page, as texts."""

    heads: tuple[str, ...]
    lines: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...]
    """Key, architecture, numbers and words of each row."""
    words: tuple[str, ...] = ()


def write_report(report: Report, path: Path) -> Front:
    """Write the page as one HTML file that loads nothing; it appears whole or not at all. Returns its front.

    The finding in words, the figure, the front, what stands where on it, every row, the settings and the facts.

    Raises `InputError` where nothing can be written there, and as `front` does.
    """
    front = pareto_front(judged(report.table), report.objectives)
    write_whole(path, page("report.html.jinja", __package__, **_contents(report, front)))
    return front


def _contents(report: Report, front: Front) -> dict[str, Any]:
    chain, compared = steps(report.table), judged(report.table)
    shown = dict.fromkeys([*(one.name for one in MEASURES.values() if one.objective), *front.objectives])
    measures = [name for name in shown if name in report.table.columns]
    words = [name for name in _WORDS if name in report.table.columns and (name != "step" or not chain.empty)]
    best = front.best if report.standings is None else report.standings.rows(front)
    networks = [(key, architecture) for key, architecture, _, _ in _listing(best, [], []).lines]
    return {
        "title": report.title,
        "sentences": headline(compared, front, report.standings),
        "figure": None if front.rows.empty else specification(front_chart(front)),
        "front": _listing(best, measures, ["front"] if "front" in best.columns else []),
        "knee": front.knee,
        "knee_word": "best" if len(front.objectives) == 1 else "knee",
        "timed": _timed(front.best),
        "matrix": matrix(networks, report.slots),
        "chain": None if chain.empty else chain,
        "conclusion": None if report.conclusion is None else _conclusion(report.conclusion),
        "audit": None if report.audit is None else _audit(report.audit),
        "gallery": report.gallery,
        "all": _listing(report.table, measures, words),
        "settings": report.settings,
        "facts": report.facts,
    }


def _conclusion(said: Conclusion) -> dict[str, Any]:
    figure = {**specification(said.picture()), "columns": 1} if said.drawn else None  # as wide as the page
    return {"sentences": said.sentences, "table": said.readable, "figure": figure}


def _audit(audit: Audit) -> dict[str, Any]:
    figure = specification(audit_chart(audit)) if audit.truth.networks else None
    return {"sentences": sentences(audit), "table": readable_audit(audit), "figure": figure}


def _listing(rows: pd.DataFrame, measures: Sequence[str], words: Sequence[str]) -> _Listing:
    lines = []
    for key, values in zip(rows.index, rows.to_dict("records"), strict=True):
        row = {str(name): value for name, value in values.items()}
        numbers = tuple(cell(name, row) for name in measures)
        lines.append((str(key), str(row.get("architecture", "")), numbers, tuple(_word(name, row) for name in words)))
    return _Listing(tuple(measure(name).head for name in measures), tuple(lines), tuple(_WORDS[name] for name in words))


def _word(name: str, row: Mapping[str, Any]) -> str:
    """A cell of words; a state with its reason."""
    reason = row.get("reason") if name == "state" else None
    word = str(row[name]).replace("_", " ")
    return f"{word}: {reason}" if reason else word


def _timed(rows: pd.DataFrame) -> list[str]:
    """How the latencies of these rows are known, a sentence for each way."""
    if rows.empty or not {"latency_ms", *_TIMED} <= set(rows.columns):
        return []
    ways = rows[rows["latency_ms"].notna()][list(_TIMED)].drop_duplicates()
    return [
        f"Latency: {source} for one pass of {batch} {'image' if batch == 1 else 'images'} with {threads} "
        f"{'thread' if threads == 1 else 'threads'} in {dtype}, {layout}, {runtime}, on {device}; "
        "in brackets its 95 % interval."
        for source, batch, threads, dtype, layout, runtime, device in ways.itertuples(index=False)
    ]
