"""Whether any placement beats the plain backbone, and a width-matched one, corrected for multiple comparisons."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas_attn.results import Evaluation, Outcomes, Slots
from nas_attn.settings import Measure, measure
from nas_attn.space import InputError
from nas_attn.statistics import Numbers, Trainings, image_records, trainings

from .difference import Difference, Matching
from .networks import Networks
from .promising import gains, leading, ranked


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """What trainings with shared seeds say of differences; every gain is positive where it is an improvement."""

    measure: Measure
    """What networks are judged by."""
    trainings: Trainings
    """Those of the networks of the space, then those of width-matched baselines."""
    noise: float
    """Standard deviation of what a seed does to one network and not to all; NaN where it is not known."""
    freedom: int
    """Degrees of freedom that it rests on."""
    parts: tuple[tuple[str, ...], ...]
    """What each network has: `se at stage2`."""
    means: Numbers
    """Each one's value, as if it had been trained with every seed, shape (networks,)."""
    plain: int | None
    """Where the plain backbone stands; None where it was not trained."""
    widths: tuple[Difference, ...]
    """The width-matched baselines against the plain backbone, in a family of their own."""
    networks: tuple[Difference, ...]
    """Every other network of the space against the plain backbone."""
    effects: tuple[Difference, ...]
    """What a kind adds in a slot where nothing stood, pooled over all networks."""
    likely: Numbers
    """The most likely gain of each over the plain backbone, shape (networks,): its own, shrunk to what its parts add.

    NaN where the two share too few seeds.
    """
    order: tuple[int, ...]
    """The networks with attention, the most likely gain first, as `ranked` says."""
    leader: int | None
    """The most promising of them; None where none is likely to gain anything."""
    over_plain: tuple[Difference, ...]
    """What the networks that have each effect gain over the plain backbone, on average, each by itself."""
    beating: frozenset[int]
    """Those that surely beat the plain backbone, by themselves or by what an effect says of all that have it."""
    matched: tuple[Matching, ...]
    """The leader against the plain backbone at each of its prices; empty without width-matched baselines."""
    pairs: tuple[Difference, ...]
    """What two kinds in two slots add together beyond their sum."""
    without: tuple[Difference, ...]
    """The leader against networks that lack one of its placements."""


def comparison(
    rows: Iterable[Evaluation],
    baselines: Iterable[Evaluation],
    name: str,
    prices: Sequence[str] = ("flops",),
    slots: Slots | None = None,
    seed: int = 0,
    on_front: Mapping[str, float] | None = None,
    outcomes: Mapping[tuple[str, int], Outcomes] | None = None,
    folds: int = 1,
) -> Comparison:
    """Compare every network, and every kind in every slot, with the plain backbone, and the leader with other widths.

    Values are a network's, plus what a seed does to all networks, plus noise, whose variance is pooled. One family of
    simultaneous intervals covers all networks and all effects. Of equally promising networks the probabilities of their
    keys to be on the front decide. `outcomes`, by key and seed, are of so many folds, which validate in turn.

    Raises `InputError` where rows come from several steps, a spelling cannot be read, or a width-matched baseline has a
    key of the space.
    """
    inside, outside = list(rows), list(baselines)
    if twice := {row.key for row in inside} & {row.key for row in outside}:
        raise InputError(
            f"width-matched baselines: {', '.join(sorted(twice))}: a network of the space has this key too"
        )
    known, judged = trainings([*inside, *outside], name), measure(name)
    records = image_records([row.key for row in known.networks], outcomes or {}, name, folds)
    networks = Networks.of(known, {row.key for row in outside}, judged.sign, slots, seed, records)
    return _compared(judged, known, networks, prices, on_front or {})


def _compared(
    judged: Measure, known: Trainings, networks: Networks, prices: Sequence[str], on_front: Mapping[str, float]
) -> Comparison:
    singles, effects = networks.against_plain()
    over_plain = networks.over_plain(effects)
    better, matchings = networks.beating(singles, effects, over_plain), networks.against_widths(prices)
    likely = networks.likely()
    order = ranked(networks.others, known.networks, likely, networks.adjusted.means, on_front)
    alone = {single.what for single in singles if single.gain.positive}
    hopes = [number for number in order if gains(float(likely[number])) or known.networks[number].key in alone]
    leader = leading(hopes, better, {number for number, found in matchings.items() if all(one.sure for one in found)})
    return Comparison(
        measure=judged,
        trainings=known,
        noise=float(np.sqrt(networks.adjusted.variance)),
        freedom=networks.adjusted.freedom,
        parts=networks.parts,
        means=judged.sign * networks.adjusted.means,
        plain=networks.plain,
        widths=networks.widths(),
        networks=singles,
        effects=effects,
        likely=likely,
        order=order,
        leader=leader,
        over_plain=over_plain,
        beating=frozenset(better),
        matched=() if leader is None else matchings.get(leader, ()),
        pairs=networks.pairs(),
        without=() if leader is None else networks.without(leader),
    )


def beating(
    rows: Iterable[Evaluation],
    name: str,
    slots: Slots | None = None,
    seed: int = 0,
    outcomes: Mapping[tuple[str, int], Outcomes] | None = None,
    folds: int = 1,
) -> frozenset[int]:
    """Those of the networks that surely beat the plain backbone by a measure, as `comparison` says."""
    known = trainings(rows, name)
    records = image_records([row.key for row in known.networks], outcomes or {}, name, folds)
    networks = Networks.of(known, set(), measure(name).sign, slots, seed, records)
    singles, effects = networks.against_plain()
    return frozenset(networks.beating(singles, effects, networks.over_plain(effects)))
