"""The figure of an audit: each ranking's scores against what full training says, a panel each."""

import math
import textwrap
from collections.abc import Sequence

import altair as alt
import numpy as np

from nas_attn.results import Record
from nas_attn.results.pictures import FRONT, KNEE, TOOLTIP, dressed
from nas_attn.space import NONE, InputError

from .ranking import Audit, Ranked
from .words import sentences

_WIDTH, _HEIGHT, _COLUMNS = 310, 240, 3
_PLAIN, _OTHER = "plain backbone", "with attention"
_ROLES = alt.Scale(domain=[_PLAIN, _OTHER], range=[KNEE, FRONT])
_POWERS = 100
"""How many times the lowest score the highest is where an axis counts in powers of ten."""


def audit_chart(audit: Audit, title: str | None = None) -> alt.ConcatChart:
    """Score against the mean over seeds, with bars of one standard error of it; further up and right is better.

    The plain backbone has a colour and a line of its own. Each panel says its rank correlation with the interval, and
    what share of the ceiling that is. A ranking that ranks none of the networks is left out.

    Raises `InputError` where no network was trained in full.
    """
    if not audit.truth.networks:
        raise InputError("nothing to draw: no network was trained in full")
    shown = [ranked for ranked in audit.ranked if ranked.networks]
    panels = [_panel(audit, ranked, number % _COLUMNS == 0) for number, ranked in enumerate(shown)]
    chart = alt.concat(*panels, columns=_COLUMNS, spacing=30).resolve_scale(color="shared")
    seeds, networks = len(audit.truth.seeds), len(audit.truth.networks)
    counted = f"{networks} {'network' if networks == 1 else 'networks'} trained in full with {seeds} "
    subtitle = textwrap.wrap(sentences(audit)[0], 150)
    return dressed(chart, title or counted + ("seed" if seeds == 1 else "seeds"), subtitle)


def _panel(audit: Audit, ranked: Ranked, first: bool) -> alt.LayerChart:
    values = _records(audit, ranked)
    x, color = _x([record["score"] for record in values]), alt.Color("role:N", title=None, scale=_ROLES)
    data = alt.Chart(alt.InlineData(values=values)).encode(color=color, tooltip=TOOLTIP)
    less = audit.measure.better == "min"
    scale = alt.Scale(zero=False, padding=14, reverse=less)
    upwards = f"{audit.measure.head.removesuffix(' (%)')}{', less is up' if less else ''}"
    axis = alt.Axis(format=audit.measure.ticks, tickCount=5)
    y = alt.Y("low:Q", title=upwards if first else None, scale=scale, axis=axis)
    bars = data.mark_rule(opacity=0.45, strokeWidth=1.4).encode(x=x, y=y, y2="high:Q")
    level = data.transform_filter(f"datum.role == '{_PLAIN}'").mark_rule(strokeDash=[4, 4], opacity=0.6)
    dots = data.mark_point(filled=True, size=70, stroke="white", strokeWidth=0.8, opacity=1)
    title = alt.TitleParams(
        ranked.ranking.name,
        subtitle=_subtitle(audit, ranked),
        anchor="start",
        fontSize=14,
        subtitleFontSize=12,
        offset=10,
    )
    layers = [bars, level.encode(y=alt.Y("mean:Q")), dots.encode(x=x, y=alt.Y("mean:Q"))]
    return alt.LayerChart(layer=layers).properties(width=_WIDTH, height=_HEIGHT, title=title)


def _records(audit: Audit, ranked: Ranked) -> list[Record]:
    """A record a network that is ranked, the plain backbone last, so that it is drawn above the others."""
    values = audit.truth.values[audit.measure.name]
    seeds = values.shape[1]
    errors = values.std(axis=1, ddof=1) / math.sqrt(seeds) if seeds > 1 else np.zeros(len(values))
    found: list[Record] = [
        {
            "score": float(ranked.ranking.scores[network.key]),
            "mean": float(mean),
            "low": float(mean - error),
            "high": float(mean + error),
            "tooltip": {
                "Key": network.key,
                "Architecture": network.architecture,
                "Score": f"{ranked.ranking.scores[network.key]:.4g}".replace("-", "\N{MINUS SIGN}"),
                audit.measure.title: audit.measure.spell(float(mean)),
            },
            "role": _PLAIN if network.architecture == NONE else _OTHER,
        }
        for network, mean, error in zip(audit.truth.networks, values.mean(axis=1), errors, strict=True)
        if math.isfinite(ranked.ranking.scores.get(network.key, math.nan))
    ]
    return sorted(found, key=lambda record: record["role"] == _PLAIN)


def _x(scores: Sequence[float]) -> alt.X:
    powers = min(scores) > 0 and max(scores) >= _POWERS * min(scores)
    axis = alt.Axis(format="~s" if max(map(abs, scores)) >= 1000 else "~g" if powers else "~f", tickCount=5)
    scale = alt.Scale(type="log" if powers else "linear", zero=False, nice=False, padding=18)
    return alt.X("score:Q", title="Score, more is better", scale=scale, axis=axis)


def _subtitle(audit: Audit, ranked: Ranked) -> list[str]:
    share, reachable = ranked.share.value, audit.ceiling.reachable.value
    ceiling = "No ceiling is known" if math.isnan(share) else f"{share:.2f} of the ceiling, {reachable:.2f}"
    return [f"Rank correlation {ranked.spearman}", ceiling.replace("-", "\N{MINUS SIGN}")]
