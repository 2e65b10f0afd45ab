"""The page that a study ends with: one file that needs nothing else and nobody's network."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nas_attn.audit import Audit, readable_audit, sentences
from nas_attn.audit.picture import audit_chart
from nas_attn.drawing import Outline, chip, drawing_svg, of_names
from nas_attn.results import Evaluation, Front, Objectives, Slots, cell, hypervolume, pareto_front
from nas_attn.results import table as table_of
from nas_attn.results.pages import page, specification
from nas_attn.settings import measure
from nas_attn.space import Architecture, Attention, parse, write_whole
from nas_attn.verdict import ClaimResult, Conclusion, Standings
from nas_attn.verdict.claim_picture import claims_chart
from nas_attn.verdict.claim_words import claim_sentences, readable_claims

from .answer import answer
from .data import document, packed
from .effects import effects_map
from .explorer import explorer, progress, volumes
from .gallery import Gallery
from .headline import headline
from .placements import matrix
from .steps import judged, steps

_TIMED = (
    *("latency_source", "latency_batch", "latency_threads", "latency_dtype", "latency_layout", "latency_runtime"),
    "latency_device",
)
_CHIP = f"<svg>{chip(Attention('kind'), 0, '')}</svg>"
"""What the page copies into its drawing for each attention of the chosen network."""
_VOLUMES = 40
"""At how many places the hypervolume is computed at most."""


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
    outline: Outline | None = None
    """What the networks look like; without it, what the names of sites say."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Limits of the budget, by measure."""
    width_matched: Sequence[Evaluation] = ()
    """Width-matched baselines, over their seeds."""
    path: str = ""
    """The study's folder, as commands name it; without it, its title."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """A table of the page, as texts."""

    heads: tuple[str, ...]
    lines: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...]
    """Key, architecture, numbers and words of each row."""
    words: tuple[str, ...] = ()


def write_report(report: Report, path: Path) -> Front:
    """Write the page as one HTML file that loads nothing; it appears whole or not at all. Returns its front.

    The answer first, then the front, the network that is chosen, what each kind adds where, how the search went, every
    row, and how to do it again.

    Raises `InputError` where nothing can be written there, and as `front` does.
    """
    front = pareto_front(judged(report.table), report.objectives)
    write_whole(path, page("report.html.jinja", __package__, **_contents(report, front)))
    return front


def _contents(report: Report, front: Front) -> dict[str, Any]:
    chain, outline = (
        steps(report.table),
        report.outline or of_names(site for _, sites in report.slots for site in sites),
    )
    first = None if front.best.empty else str(front.best.index[0])
    chosen = (report.conclusion and report.conclusion.leader) or first
    path, known = shlex.quote(report.path or report.title), _document(report, front, outline)
    best = front.best if report.standings is None else report.standings.rows(front)
    listing = _listing(best, [one["name"] for one in known["measures"]], report.standings)
    answered, ahead = answer(report.conclusion, front, path)
    return {
        "title": report.title,
        "path": path,
        "settings": report.settings,
        "facts": report.facts,
        "answer": answered,
        "ahead": ahead,
        "chosen": chosen,
        "sentences": headline(judged(report.table), front, report.standings),
        "charts": {} if front.rows.empty else _charts(front),
        "document": packed(known),
        "volumes": bool(known["volumes"]),
        "rows": len(known["keys"]),
        "drawing": _drawing(outline, known, chosen),
        "kinds": known["kinds"],
        "chip": _CHIP,
        "front": listing,
        "knee": front.knee,
        "knee_word": "best" if len(front.objectives) == 1 else "knee",
        "timed": _timed(front.best),
        "matrix": matrix([(key, architecture) for key, architecture, _, _ in listing.lines], report.slots),
        "effects": None if report.conclusion is None else effects_map(report.conclusion, outline, report.slots),
        "chain": None if chain.empty else chain,
        "conclusion": None if report.conclusion is None else _conclusion(report.conclusion),
        "audit": None if report.audit is None else _audit(report.audit),
        "gallery": report.gallery,
    }


def _document(report: Report, front: Front, outline: Outline) -> dict[str, Any]:
    everything = report.table
    if report.width_matched:
        others = table_of(report.width_matched)
        everything = pd.concat([everything, others[[name for name in others if name in everything]]])
    known = document(everything, front, report.standings, outline, report.slots, report.limits)
    return {**known, "volumes": [] if front.rows.empty else _volumes(front)}


def _charts(front: Front) -> dict[str, Any]:
    return {"explorer": explorer(), "progress": progress(), "volumes": volumes()}


def _volumes(front: Front) -> list[tuple[int, float]]:
    """The hypervolume of the front of the first so many networks, as a share of that of all; nothing without any."""
    rows, count = front.rows, len(front.rows)
    if not (whole := hypervolume(rows, front.objectives)):
        return []
    worst = {
        name: float(rows[name].min() if better == "max" else rows[name].max())
        for name, better in front.objectives.items()
    }
    places = np.unique(np.linspace(1, count, min(count, _VOLUMES)).astype(int)).tolist()
    return [(place, hypervolume(rows.iloc[:place], front.objectives, worst) / whole) for place in places]


def _drawing(outline: Outline, known: Mapping[str, Any], chosen: str | None) -> str:
    """The network that is chosen at first, with every place where any network has something."""
    sites = {site for part in known["parts"] for site in part["sites"]}
    spelt = ""
    if chosen is not None and chosen in known["keys"]:
        parts = known["architectures"][known["keys"].index(chosen)]
        spelt = " ".join(known["parts"][part]["text"] for part in parts if known["parts"][part]["sites"])
    return drawing_svg(outline.offering(sites), parse(spelt) if spelt else Architecture(), known["kinds"])


def _conclusion(said: Conclusion) -> dict[str, Any]:
    figure = (
        {**specification(said.picture()), "columns": 1, "title": ""} if said.drawn else None
    )  # the page has its own
    claims = _claims(said.claims)
    printed = claims["sentences"] if claims else ()
    sentences = [sentence for sentence in said.sentences if sentence not in printed]
    return {"sentences": sentences, "table": said.readable, "figure": figure, "claims": claims}


def _claims(results: Sequence[ClaimResult]) -> dict[str, Any] | None:
    if not results:
        return None
    drawn = any(not one.reason for one in results)
    figure = specification(claims_chart(results)) if drawn else None
    return {"sentences": [*claim_sentences(results)], "table": readable_claims(results), "figure": figure}


def _audit(audit: Audit) -> dict[str, Any]:
    figure = specification(audit_chart(audit)) if audit.truth.networks else None
    return {"sentences": sentences(audit), "table": readable_audit(audit), "figure": figure}


def _listing(rows: pd.DataFrame, measures: Sequence[str], standings: Standings | None) -> _Listing:
    lines = []
    for key, values in zip(rows.index, rows.to_dict("records"), strict=True):
        row = {str(name): value for name, value in values.items()}
        numbers = tuple(cell(name, row) for name in measures)
        words = () if standings is None else (str(row["front"]),)
        lines.append((str(key), str(row.get("architecture", "")), numbers, words))
    heads = tuple(measure(name).head for name in measures)
    return _Listing(heads, tuple(lines), () if standings is None else ("On the front",))


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
