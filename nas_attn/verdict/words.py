"""The sentences of a verdict."""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from nas_attn.settings import Measure, duration, listed, measure
from nas_attn.statistics import Estimate, Lookahead, Membership, Standing, Trainings, adjusted_means

from .comparison import Comparison
from .difference import Difference, Matching

_MOST = 50
"""More than so many times the trainings are not worth foretelling."""

_NAMED = 6
"""How many networks or effects a sentence names at most."""


def interval(judged: Measure, gain: Estimate) -> str:
    """A gain with its interval and unit."""
    low, high = (judged.difference(end) for end in (gain.low, gain.high))
    return f"{judged.difference(gain.value)} {judged.gain} ({low} to {high})"


def unknown(found: Comparison) -> str:
    """Why nothing can be said at all; empty where something can."""
    if found.plain is None:
        return "the plain backbone was not trained, so that there is nothing to compare the others with"
    if not found.networks:
        return "no network with attention was trained"
    if found.freedom < 1:
        return "no two networks share two seeds, so that noise is not known"
    if not any(math.isfinite(one.gain.value) for one in found.networks):
        return "the plain backbone was trained with the seeds of no other, so that no difference is known"
    return ""


def gained(found: Comparison) -> str:
    """What it rests on that the leader beats the plain backbone."""
    if found.leader is None:
        return ""
    own, title = _own(found, found.leader), _title(found, found.leader)
    many = f"after correction for {len(found.networks) + len(found.effects)} comparisons"
    if own.gain.positive:
        return f"{title} beats the plain backbone by {interval(found.measure, own.gain)}, {many} ({_confidence(own)})."
    sure = [one for one in found.effects if one.gain.positive and one.what in found.parts[found.leader]]
    effect = max(sure, key=lambda one: one.gain.low)
    having = sum(effect.what in has for has in found.parts)
    return (
        f"{effect.what} adds {interval(found.measure, effect.gain)} where nothing stood, over the {having} networks "
        f"that have it, {many} ({_confidence(effect)}). The most promising of these is {title}: most likely "
        f"{found.measure.difference(float(found.likely[found.leader]))} against the plain backbone, if effects add up; "
        f"compared with it alone {interval(found.measure, own.gain)}."
    )


def nothing_pays(found: Comparison, nothing: float) -> str:
    """What it rests on that nothing pays."""
    probability = "over 99 %" if nothing > 0.99 else f"{100 * nothing:.0f} %"
    return (
        f"with a probability of {probability} none of the {len(found.networks)} networks beats the plain backbone by "
        f"{found.measure.difference(found.noise, signed=False)} {found.measure.gain}, by which one seed differs from "
        "the next, and no kind adds as much in any slot."
    )


def not_known(found: Comparison) -> str:
    """What is most promising where nothing is sure."""
    if sure := [one for one in found.effects if one.gain.positive]:
        effect = max(sure, key=lambda one: one.gain.low)
        itself = next(one for one in found.over_plain if one.what == effect.what)
        return (
            f"{effect.what} adds {interval(found.measure, effect.gain)} where nothing stood, but those that have it "
            f"gain {interval(found.measure, itself.gain)} over the plain backbone itself, on average. More seeds of "
            "the plain backbone, and of others beside it, would show whether anything beats it."
        )
    none = f"no difference that attention makes is sure in {len(found.networks) + len(found.effects)} comparisons."
    if found.leader is None:
        return f"{none} No network is promising: none is likely to beat the plain backbone."
    gain = interval(found.measure, _own(found, found.leader).gain)
    likely = f"{found.measure.difference(float(found.likely[found.leader]))} {found.measure.gain}"
    return (
        f"{none} The most promising network is {_title(found, found.leader)}: most likely {likely} against the plain "
        f"backbone, if effects add up; compared with it alone {gain}."
    )


def width_matched(judged: Measure, found: Matching) -> str:
    """The leader against the plain backbone at the same price."""
    where = "between " + listed(found.baselines) if len(found.baselines) > 1 else f"that is {found.baselines[0]}"
    limit = ", the most expensive that was trained, though it costs less" if found.cheaper else ""
    gain = found.difference.gain
    verb = "beats" if gain.positive else "does worse than" if gain.negative else "is not distinguished from"
    return (
        f"It {verb} a width-matched baseline with its {measure(found.price).word} ({where}{limit}): "
        f"{interval(judged, gain)}, {_confidence(found.difference)}."
    )


def widths(found: Comparison) -> Iterator[str]:
    """The width-matched baselines that surely beat the plain backbone."""
    flops = {row.key: row["flops"] for row in found.trainings.networks}
    for one in found.widths:
        if one.gain.positive and found.plain is not None:
            times = flops[one.what] / found.trainings.networks[found.plain]["flops"]
            yield (
                f"The plain backbone at {one.what}, with {times:.2f} times the FLOPs, beats itself by "
                f"{interval(found.measure, one.gain)}, {_confidence(one)}."
            )


def carriers(found: Comparison) -> Iterator[str]:
    """Which slots and kinds carry the gain, or do harm, and the strongest interaction."""
    positive = [one for one in found.effects if one.gain.positive]
    negative = [one for one in found.effects if one.gain.negative]
    for verb, some in (("adds", positive), ("costs", negative)):
        if some:
            first = sorted(some, key=lambda one: -abs(one.gain.value))[:_NAMED]
            more = f"; and {len(some) - _NAMED} more" if len(some) > _NAMED else ""
            yield f"Where nothing stood, this surely {verb}: {_each(found.measure, first)}{more}."
    unsure = [one for one in found.effects if not one.gain.positive and not one.gain.negative]
    if unsure and found.freedom > 0:
        widest = max(max(one.gain.high, -one.gain.low) for one in unsure)
        yield (
            f"{len(unsure)} of {len(found.effects)} kinds at a slot are not distinguished from nothing; none of them "
            f"adds or costs more than {found.measure.difference(widest, signed=False)} {found.measure.gain} "
            "(simultaneous intervals)."
        )
    if found.pairs:
        pair = found.pairs[0]
        sure = ", of" if pair.gain.positive or pair.gain.negative else " is not sure,"
        yield (
            f"The strongest interaction{sure} {pair.what}: {interval(found.measure, pair.gain)} beyond their sum "
            f"({len(found.pairs)} pairs compared)."
        )


def without(found: Comparison) -> Iterator[str]:
    """What taking one placement out of the leader costs."""
    if found.without and found.leader is not None:
        key = found.trainings.networks[found.leader].key
        yield f"{key} against itself without one of its parts: {_each(found.measure, found.without)}."


def fronts(member: Membership, objectives: Sequence[str]) -> str:
    """The front as a set with confidence."""
    sets: dict[str, list[str]] = {"in": [], "undecided": [], "out": []}
    for number, key in enumerate(member.posterior.keys):
        sets[member.standing(number)].append(key)
    names = listed([measure(name).word for name in objectives])
    out = f"{len(sets['out'])} network{'s' if len(sets['out']) != 1 else ''}"
    return (
        f"On the front of {names} with probability at least 0.95: {_keys(sets['in'])}; undecided: "
        f"{_keys(sets['undecided'])}; out: {out}."
    )


def place(standing: Standing, probability: float) -> str:
    """Whether a network is on the front, with the probability that it is."""
    return standing if math.isnan(probability) else f"{standing} ({100 * probability:.0f} %)"


def noise(judged: Measure, known: Trainings) -> str:
    """How many trainings there were, and how noisy they are."""
    counts, fitted = known.counts, adjusted_means(known)
    fewest, most = (int(number) for number in (counts.min(initial=99), counts.max(initial=0)))
    seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
    unit = f"points of {judged.word}" if judged.unit == "%" else judged.unit or judged.word
    among = (
        ", width-matched baselines among them," if any(row.role == "width-matched" for row in known.networks) else ""
    )
    sd = judged.difference(math.sqrt(fitted.variance), signed=False)
    return (
        f"{len(counts)} networks{among} were trained with {seeds} {'seed' if most == 1 else 'seeds'} each; what a seed "
        f"does to one network and not to all has a standard deviation of {sd} {unit} ({fitted.freedom} degrees of "
        "freedom)."
    )


def pairing(judged: Measure, known: Trainings) -> str:
    """What it is worth that networks share seeds, as it follows `noise`."""
    paired, unpaired = (
        judged.difference(math.sqrt(2) * one, signed=False)
        for one in (math.sqrt(adjusted_means(known).variance), known.spread)
    )
    return (
        f"Seeds are paired: the difference of two networks has one of {paired}, where with seeds of their own it "
        f"would be {unpaired}."
    )


def ahead(found: Comparison, later: Lookahead) -> Iterator[str]:
    """What further minutes would decide."""
    spent_on = [key for key in later.undecided if key in later.trained]
    if spent_on:
        time = "" if math.isnan(later.minutes) else f"{duration(60 * later.minutes)} of training: "
        some = "" if len(spent_on) == len(later.undecided) else f" {len(spent_on)} of"
        decided = f"{later.decided:.0f}" if round(later.decided) else "none"
        yield (
            f"{time}{later.seeds} more {'seed' if later.seeds == 1 else 'seeds'} of{some} the {len(later.undecided)} "
            f"undecided networks, and of those on the front, would most likely decide {decided} of the "
            f"{len(later.undecided)}."
        )
    hopes = [one for one in (*found.effects, *found.networks) if one.gain.value > 0 and 1 < one.missing < math.inf]
    if hopes and not found.beating and not any(one.gain.positive for one in found.effects):
        first, networks = min(hopes, key=lambda one: one.missing), found.trainings
        seconds = float(np.nansum([row.train_seconds for row in networks.networks] * networks.counts))
        cost = (first.missing - 1) * seconds
        if first.missing > _MOST:
            yield f"What {first.what} seems to gain would take over {_MOST} times as many trainings to show."
            return
        yield (
            f"If {first.what} gained what it seems to, {first.missing:.1f} times as many trainings of all networks"
            f"{f' ({duration(cost)} more)' if cost > 0 else ''} would have even chances to show it."
        )


def _own(found: Comparison, number: int) -> Difference:
    key = found.trainings.networks[number].key
    return next(one for one in found.networks if one.what == key)


def _title(found: Comparison, number: int) -> str:
    """A network by its key and what it has."""
    return f"{found.trainings.networks[number].key} ({listed(found.parts[number]) or 'nothing anywhere'})"


def _each(judged: Measure, some: Iterable[Difference]) -> str:
    return "; ".join(f"{one.what} {interval(judged, one.gain)}" for one in some)


def _confidence(one: Difference) -> str:
    return "p < 0.001" if one.p < 0.001 else f"p = {one.p:.3f}"


def _keys(keys: Sequence[str]) -> str:
    return listed([*keys[:_NAMED], *([f"{len(keys) - _NAMED} more"] if len(keys) > _NAMED else [])]) or "none"
