"""An audit as tables: a row a ranking, and a row a network."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from nas_attn.settings import learnt, measure
from nas_attn.space import write_whole
from nas_attn.statistics import Estimate

from .ranking import Audit, Ranked
from .words import verdict


def audit_table(*audits: Audit) -> pd.DataFrame:
    """A row for each ranking and each measure of the truth; an unknown number is NaN.

    Correlations and shares with the ends of their 95 % intervals; regrets in points of accuracy and in nats; costs as
    fractions of one full training.
    """
    return pd.DataFrame([_line(audit, ranked) for audit in audits for ranked in audit.ranked])


def readable_audit(audit: Audit) -> pd.DataFrame:
    """A row for each ranking, as texts for readers."""
    return pd.DataFrame(
        [
            {
                "Ranking": ranked.ranking.name,
                "Verdict": verdict(audit, ranked),
                "Networks": str(ranked.networks),
                "Spearman": str(ranked.spearman),
                "Kendall": str(ranked.kendall),
                "Share of the ceiling": str(ranked.share),
                "Above the best count": str(ranked.above_counting),
                **{f"Regret ({_points(name)})": _regret(name, lost) for name, lost in ranked.regret.items()},
                **{
                    f"Regret of the best of its first tenth ({_points(name)})": _regret(name, lost)
                    for name, lost in list(ranked.top_regret.items())[:1]
                },
                "Cost of a network": "-" if math.isnan(ranked.whole_cost) else f"{ranked.whole_cost:.4f}",
            }
            for ranked in audit.ranked
        ]
    )


def network_table(audit: Audit) -> pd.DataFrame:
    """A row for each network that was trained in full: what it costs, how it does, and each ranking's score."""
    lines = [
        {
            **{name: row[name] for name in ("key", "architecture", "params", "macs", "flops", "latency_ms", "seeds")},
            **{name: row[name] for one in learnt() for name in (one.name, f"{one.name}_std")},
            **{ranked.ranking.name: ranked.ranking.scores.get(row.key) for ranked in audit.ranked},
        }
        for row in audit.truth.networks
    ]
    return pd.DataFrame(lines)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table without its index as UTF-8 comma-separated values; a NaN is an empty cell.

    The file appears whole or not at all. Raises `InputError` where nothing can be written there.
    """
    write_whole(path, frame.to_csv(index=False, lineterminator="\n").encode())


def _line(audit: Audit, ranked: Ranked) -> dict[str, Any]:
    return {
        "ranking": ranked.ranking.name,
        "kind": ranked.ranking.kind,
        "metric": audit.measure.name,
        "networks": ranked.networks,
        "seeds": audit.ceiling.seeds,
        "verdict": verdict(audit, ranked),
        **_ends("spearman", ranked.spearman),
        **_ends("kendall", ranked.kendall),
        **_ends("ceiling", audit.ceiling.reachable),
        **_ends("share_of_ceiling", ranked.share),
        "counting": audit.counting,
        **_ends("above_counting", ranked.above_counting),
        **{f"regret_{name}_{_points(name)}": _scaled(name, lost) for name, lost in ranked.regret.items()},
        **{f"top_regret_{name}_{_points(name)}": _scaled(name, lost) for name, lost in ranked.top_regret.items()},
        "cost": ranked.cost,
        "whole_cost": ranked.whole_cost,
    }


def _points(name: str) -> str:
    return measure(name).points or name


def _scaled(name: str, lost: float) -> float:
    return 100 * lost if measure(name).unit == "%" else lost


def _regret(name: str, lost: float) -> str:
    return "-" if math.isnan(lost) else measure(name).difference(lost, signed=False)


def _ends(name: str, known: Estimate) -> dict[str, float]:
    return {name: known.value, f"{name}_low": known.low, f"{name}_high": known.high}
