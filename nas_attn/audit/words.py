"""What an audit means, in words: which rankings may be trusted on this study, and whether placement matters."""

import math
from typing import Literal

from nas_attn.settings import listed, measure
from nas_attn.statistics import Components

from .ranking import Audit, Ranked

ENOUGH = 8
"""Networks below which nothing is said."""

SHARE = 0.8
"""The share of the ceiling that a trusted ranking reaches at least."""

Verdict = Literal[
    "trusted",
    "in part",
    "not shown",
    "no better than counting",
    "misleading",
    "no order to rank",
    "no order of its own",
    "too few networks",
    "count",
]
"""What `verdict` says of a ranking."""


def verdict(audit: Audit, ranked: Ranked) -> Verdict:
    """What may be said of a ranking; the first of these rules that holds.

    - `too few networks`: it ranks fewer than 8 of those that were trained in full.
    - `count`: it is a trivial ranking, which others are compared with.
    - `no order to rank`: full training does not rank; the interval of the agreement of seeds includes 0.
    - `no order of its own`: it gives every network the same score.
    - `misleading`: the interval of its Spearman correlation is below 0.
    - `no better than counting`: the interval of how far its correlation is above that of the best count reaches 0 or
      less, resampled in pairs. The counts are taken with the sign that they have: more is better.
    - `not shown`: better than counting, but the interval of its correlation includes 0.
    - `trusted`: its correlation is at least 0.8 of what seed noise allows.
    - `in part`: it is less, or not known, as there is one seed.
    """
    if ranked.networks < ENOUGH:
        return "too few networks"
    if ranked.ranking.kind == "trivial":
        return "count"
    if audit.ceiling.seeds > 1 and not audit.ceiling.agreement.positive:
        return "no order to rank"
    if math.isnan(ranked.spearman.value):
        return "no order of its own"
    if ranked.spearman.negative:
        return "misleading"
    if not ranked.above_counting.positive:
        return "no better than counting"
    if not ranked.spearman.positive:
        return "not shown"
    return "trusted" if ranked.share.value >= SHARE else "in part"


def sentences(audit: Audit) -> list[str]:
    """The finding first; then what seeds agree on, how networks differ, and what may be said of each ranking."""
    said = [_order(audit)]
    if len(audit.truth.networks) < ENOUGH:
        return said
    if audit.ceiling.agreement.positive:
        said.insert(0, _finding(audit))
    if audit.ceiling.seeds > 1:
        said.append(_differences(audit))
    others = [ranked for ranked in audit.ranked if ranked.ranking.kind != "trivial"]
    return [*said, *(sentence(audit, ranked) for ranked in others), _counts(audit)]


def sentence(audit: Audit, ranked: Ranked) -> str:
    """The verdict on one ranking, with the numbers that it rests on."""
    name, r, above = ranked.ranking.name, f"rank correlation {ranked.spearman}", ranked.above_counting
    counting = f"\N{LEFT DOUBLE QUOTATION MARK}{audit.counting}\N{RIGHT DOUBLE QUOTATION MARK}"
    better = f"is above that of {counting} by {above}"
    match verdict(audit, ranked):
        case "too few networks":
            said = f"{name}: too few networks to tell; it ranks {ranked.networks}, and {ENOUGH} are needed"
        case "count":
            said = f"{name}: {r}"
        case "no order to rank":
            said = f"{name} cannot be judged, as seeds agree on no order that it could have; {r}"
        case "no order of its own":
            said = f"{name} gives every network the same score"
        case "misleading":
            said = f"{name} misleads here: {r}"
        case "no better than counting":
            worse = "worse than" if above.negative else "no better than"
            said = f"{name} does {worse} {counting}: its {r} differs from that one's by {above}"
        case "not shown":
            said = f"{name} is not shown to rank: its {r} {better}, but may be 0"
        case "trusted":
            said = f"{name} may be trusted here: its {r} reaches {ranked.share} of what seed noise allows, and {better}"
        case "in part" if math.isnan(ranked.share.value):
            said = f"{name} ranks: its {r} {better}; whether that is all that seed noise allows, one seed cannot tell"
        case _:
            said = f"{name} ranks in part: its {r} {better}, but reaches {ranked.share} of what seed noise allows"
    return f"{said}.{_cost(ranked)}"


def _finding(audit: Audit) -> str:
    trusted = [ranked.ranking.name for ranked in audit.ranked if verdict(audit, ranked) == "trusted"]
    if trusted:
        return f"{listed(trusted)} may be trusted to rank networks on this study."
    return "No proxy may be trusted to rank networks on this study."


def _order(audit: Audit) -> str:
    """Whether there is an order to be ranked."""
    known, networks = audit.ceiling, len(audit.truth.networks)
    trained = f"{networks} {'network was' if networks == 1 else 'networks were'} trained in full"
    agreement = "(all are alike)" if math.isnan(known.agreement.value) else f"(r {known.agreement.inline})"
    if networks < ENOUGH:
        return f"Too few networks to tell: {trained}, and {ENOUGH} are needed."
    if known.seeds < 2:
        return f"{trained} with one seed, so that how far seeds agree, and what can be reached, is not known."
    if not known.agreement.positive:
        return (
            f"Independent seeds of full training do not agree on an order by {audit.measure.word} {agreement}: "
            f"placement does not matter here, or the differences are too small for {networks} networks with "
            f"{known.seeds} seeds."
        )
    return (
        f"Independent seeds of full training agree on an order by {audit.measure.word} {agreement}: a perfect ranking "
        f"of the {networks} networks would reach {known.reachable} against the mean of {known.seeds} seeds."
    )


def _differences(audit: Audit) -> str:
    parts = {measure(name): part for name, part in audit.components.items()}
    between = [f"{one.difference(part.between, signed=False)} {one.points or one.word}" for one, part in parts.items()]
    noise = [f"{one.difference(part.noise, signed=False)} {one.points or one.word}" for one, part in parts.items()]
    tests = [f"{_probability(part)} for {one.word}" for one, part in parts.items()]
    return (
        f"Networks differ by {listed(between)}, noise taken off; one seed differs from the next by {listed(noise)} "
        f"(standard deviations; F test: {', '.join(tests)})."
    )


def _probability(known: Components) -> str:
    return "p < 0.001" if known.p < 0.001 else f"p = {known.p:.3f}"


def _counts(audit: Audit) -> str:
    counts = [ranked for ranked in audit.ranked if ranked.ranking.kind == "trivial"]
    spelt = "; ".join(f"{ranked.ranking.name}: {ranked.spearman}" for ranked in counts)
    return f"Rank correlations of what needs no network at all: {spelt}."


def _cost(ranked: Ranked) -> str:
    if math.isnan(ranked.cost) or ranked.ranking.kind == "trivial":
        return ""
    whole = "" if ranked.whole_cost == ranked.cost else f", {ranked.whole_cost:.2g} with its part of what is shared"
    return f" A network costs {ranked.cost:.2g} of a full training{whole}."
