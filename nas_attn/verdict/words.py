"""What a study concludes, in plain words and numbers."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from nas_attn.results import listed, word
from nas_attn.statistics import Estimate, Membership, Metric, Settling, Standing

from .comparison import Against, Comparison, Difference

_NAMED = 6
"""How many networks or effects a sentence names at most."""

_MINUS = "\N{MINUS SIGN}"


def amount(metric: Metric, value: float, signed: bool = True) -> str:
    """A gain as a number without its unit: points of accuracy, or nats by which a loss is lower.

    >>> amount("accuracy", 0.0053), amount("loss", 0.0421, signed=False)
    ('+0.53', '0.0421')
    """
    sign = "+" if signed else ""
    told = f"{100 * value:{sign}.2f}" if metric == "accuracy" else f"{value:{sign}.4f}"
    return told.replace("-", _MINUS)


def unit(metric: Metric) -> str:
    """What a gain is counted in."""
    return "points of accuracy" if metric == "accuracy" else "nats less loss"


def interval(metric: Metric, gain: Estimate) -> str:
    """A gain with its interval and unit."""
    low, high = (amount(metric, end) for end in (gain.low, gain.high))
    return f"{amount(metric, gain.value)} {unit(metric)} ({low} to {high})"


def title(compared: Comparison, number: int) -> str:
    """A network by its key and what it has."""
    has = listed(compared.parts[number])
    return f"{compared.trainings.networks[number].key} ({has or 'nothing anywhere'})"


def reason(compared: Comparison) -> str:
    """Why nothing can be said at all; empty where something can."""
    if compared.bare is None:
        return "the bare network was not trained, so that there is nothing to hold the others against"
    if not compared.networks:
        return "no network with attention was trained"
    if compared.freedom < 1:
        return "no two networks share two seeds, so that noise is not known"
    if not any(math.isfinite(held.gain.value) for held in compared.networks):
        return "the bare network was trained with the seeds of no other, so that no difference is known"
    return ""


def gained(metric: Metric, compared: Comparison) -> str:
    """What it rests on that the leader beats the bare network."""
    leader, looked = compared.leader, len(compared.networks) + len(compared.effects)
    if leader is None:
        return ""
    own = _own(compared, leader)
    many = f"after correction for the {looked} differences that were looked at"
    if own.gain.positive:
        by_itself = f"{title(compared, leader)} beats the bare network by {interval(metric, own.gain)}"
        return f"{by_itself}, {many} ({_confidence(own)})."
    sure = [held for held in compared.effects if held.gain.positive and held.what in compared.parts[leader]]
    effect = max(sure, key=lambda held: held.gain.low)
    having = sum(effect.what in has for has in compared.parts)
    return (
        f"{effect.what} adds {interval(metric, effect.gain)} where nothing stood, over the {having} networks that have "
        f"it, {many} ({_confidence(effect)}). The most promising of these is {title(compared, leader)}: most likely "
        f"{amount(metric, float(compared.likely[leader]))} against the bare network, if effects add up, as far as "
        f"trainings can tell; held against it alone {interval(metric, own.gain)}."
    )


def nothing_pays(metric: Metric, compared: Comparison, nothing: float) -> str:
    """What it rests on that nothing pays."""
    return (
        f"with a probability of {_percent(nothing)} none of the {len(compared.networks)} networks beats the bare one "
        f"by {amount(metric, compared.noise, signed=False)} {unit(metric)}, by which one seed differs from the next, "
        f"and no kind adds as much in any slot."
    )


def not_known(metric: Metric, compared: Comparison) -> str:
    """What is most promising where nothing is sure."""
    if sure := [held for held in compared.effects if held.gain.positive]:
        effect = max(sure, key=lambda held: held.gain.low)
        return (
            f"{effect.what} adds {interval(metric, effect.gain)} where nothing stood, but the bare network did better "
            f"by {amount(metric, compared.surprise, signed=False)} than the others make expect, so that no network "
            f"is shown to beat it. More seeds of the bare network would tell."
        )
    looked = len(compared.networks) + len(compared.effects)
    told = f"no difference that attention makes is sure among the {looked} that were looked at."
    if compared.leader is None:
        return f"{told} No network is promising: by all that was trained, none is likely to beat the bare one."
    gain = interval(metric, _own(compared, compared.leader).gain)
    return f"{told} The most promising network is {title(compared, compared.leader)}: {gain} against the bare one."


def rival(metric: Metric, held: Against) -> str:
    """The leader against a plain network at the same price."""
    where = "between " + listed(held.rivals) if len(held.rivals) > 1 else f"that is {held.rivals[0]}"
    limit = ", the dearest that was trained, though it costs less" if held.dearest else ""
    gain = held.gain.gain
    verb = "beats" if gain.positive else "does worse than" if gain.negative else "is not told apart from"
    return (
        f"It {verb} a plain network with its {word(held.price)} ({where}{limit}): {interval(metric, gain)}, "
        f"{_confidence(held.gain)}."
    )


def widths(metric: Metric, compared: Comparison) -> Iterable[str]:
    """The plain networks that surely beat the bare one."""
    flops = {row.key: row.flops for row in compared.trainings.networks}
    for held in compared.widths:
        if held.gain.positive and compared.bare is not None:
            times = flops[held.what] / compared.trainings.networks[compared.bare].flops
            yield (
                f"A plain network that is {held.what}, with {times:.2f} times the FLOPs of the bare one, beats it by "
                f"{interval(metric, held.gain)}, {_confidence(held)}."
            )


def carriers(metric: Metric, compared: Comparison) -> Iterable[str]:
    """Which slots and kinds carry the gain, or do harm, and the strongest interaction."""
    for verb, some in (
        ("adds", [held for held in compared.effects if held.gain.positive]),
        ("costs", [held for held in compared.effects if held.gain.negative]),
    ):
        if some:
            first = sorted(some, key=lambda held: -abs(held.gain.value))[:_NAMED]
            told = "; ".join(f"{held.what} {interval(metric, held.gain)}" for held in first)
            yield f"Where nothing stood, this surely {verb}: {told}{_more(len(some))}."
    unsure = [held for held in compared.effects if not held.gain.positive and not held.gain.negative]
    if unsure and compared.freedom > 0:
        widest = max(max(held.gain.high, -held.gain.low) for held in unsure)
        yield (
            f"{len(unsure)} of {len(compared.effects)} kinds at a slot are not told apart from nothing; none of them "
            f"adds or costs more than {amount(metric, widest, signed=False)} {unit(metric)} (simultaneous intervals)."
        )
    if compared.pairs:
        pair = compared.pairs[0]
        sure = pair.gain.positive or pair.gain.negative
        yield (
            f"The strongest interaction{', of' if sure else ' is not sure,'} {pair.what}: "
            f"{interval(metric, pair.gain)} beyond their sum ({len(compared.pairs)} pairs looked at)."
        )


def without(metric: Metric, compared: Comparison) -> Iterable[str]:
    """What taking one placement out of the leader costs."""
    if compared.without and compared.leader is not None:
        told = "; ".join(f"{held.what} {interval(metric, held.gain)}" for held in compared.without)
        yield f"{compared.trainings.networks[compared.leader].key} against itself without one of its parts: {told}."


def fronts(member: Membership, objectives: Sequence[str]) -> str:
    """The front as a set with confidence."""
    sets: dict[Standing, list[str]] = {"surely in": [], "perhaps": [], "surely out": []}
    for number, key in enumerate(member.belief.keys):
        sets[member.standing(number)].append(key)
    named = {standing: _listed_keys(keys) for standing, keys in sets.items()}
    told = f"Surely on the front of {listed([word(name) for name in objectives])}: {named['surely in']}"
    return f"{told}; perhaps: {named['perhaps']}; surely not: {len(sets['surely out'])} networks."


def noise(metric: Metric, compared: Comparison) -> str:
    """How noisy trainings are, and how many there were."""
    counts = compared.trainings.counts
    fewest, most = (int(number) for number in (counts.min(initial=99), counts.max(initial=0)))
    seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
    what = "points of accuracy" if metric == "accuracy" else "nats"
    return (
        f"{len(counts)} networks were trained with {seeds} {'seed' if most == 1 else 'seeds'} each; what a seed does "
        f"to one network and not to all has a standard deviation of {amount(metric, compared.noise, signed=False)} "
        f"{what} ({compared.freedom} degrees of freedom)."
    )


def ahead(compared: Comparison, settled: Settling) -> Iterable[str]:
    """What further minutes would settle."""
    spent_on = [key for key in settled.undecided if key in settled.trained]
    if spent_on:
        time = "" if math.isnan(settled.minutes) else f"{_time(settled.minutes)} of training: "
        some = "" if len(spent_on) == len(settled.undecided) else f" {len(spent_on)} of"
        seeds = f"{settled.seeds} more {'seed' if settled.seeds == 1 else 'seeds'}"
        yield (
            f"{time}{seeds} of{some} the {len(settled.undecided)} networks that are perhaps on the front, and of those "
            f"surely on it, would most likely settle {settled.settled:.0f} of the {len(settled.undecided)}."
        )
    hopes = [held for held in (*compared.effects, *compared.networks) if held.gain.value > 0 and held.missing > 1]
    if hopes and not compared.beating and not any(held.gain.positive for held in compared.effects):
        first = min(hopes, key=lambda held: held.missing)
        seconds = float(
            np.nansum([row.train_seconds for row in compared.trainings.networks] * compared.trainings.counts)
        )
        cost = (first.missing - 1) * seconds / 60
        time = f" ({_time(cost)} more)" if cost > 0 else ""
        yield (
            f"Were {first.what} worth what it seems, {first.missing:.1f} times as many trainings of all networks"
            f"{time} would have even chances to show it."
        )


def _own(compared: Comparison, number: int) -> Difference:
    key = compared.trainings.networks[number].key
    return next(held for held in compared.networks if held.what == key)


def _confidence(held: Difference) -> str:
    return "p < 0.001" if held.p < 0.001 else f"p = {held.p:.3f}"


def _percent(share: float) -> str:
    return "over 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def _more(count: int) -> str:
    return f"; and {count - _NAMED} more" if count > _NAMED else ""


def _listed_keys(keys: Sequence[str]) -> str:
    if not keys:
        return "none"
    return listed([*keys[:_NAMED], *([f"{len(keys) - _NAMED} more"] if len(keys) > _NAMED else [])])


def _time(minutes: float) -> str:
    if minutes < 1:
        return f"{60 * minutes:.0f} seconds"
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"
