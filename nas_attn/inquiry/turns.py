"""Who is trained next: all that is open, seed by seed, with what it is compared with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from nas_attn.space import Architecture

from .answer import Answers
from .beside import Beside

_PLAIN = Architecture()


@dataclass(frozen=True, slots=True)
class Training:
    """One network that is to have so many seeds, one more than it has."""

    key: str
    seeds: int
    architecture: Architecture | None
    """None for a width-matched baseline."""


def planned(found: Answers, had: Mapping[str, int], beside: Beside) -> list[Training]:
    """One seed more of the plain backbone and of what is open, whichever have the fewest, and of their baselines."""
    open_yet = [one for one in found.answers if one.open]
    if not open_yet:
        return []
    networks = {_PLAIN.key: _PLAIN, **{one.candidate.key: one.candidate.architecture for one in open_yet}}
    goal = 1 + min(had.get(key, 0) for key in networks)
    hopes = [one.candidate.key for one in open_yet if not one.gain.value <= 0]
    goals = {key: beside.seeds(key, hopes, goal) for key in beside.widths}
    wanted = {**dict.fromkeys(networks, goal), **goals}
    return [
        Training(key, number, networks.get(key))
        for key, most in wanted.items()
        for number in range(had.get(key, 0) + 1, most + 1)
    ]


def round_minutes(found: Answers, seconds: Mapping[str, float], beside: Beside) -> float:
    """Minutes that a seed of all takes that are open, with their baselines."""
    keys = [one.candidate.key for one in found.answers if one.open]
    shares = {key: beside.seeds(key, keys, 100) / 100 for key in beside.widths}
    spent = {**dict.fromkeys([_PLAIN.key, *keys], 1.0), **shares}
    return sum(share * seconds.get(key, 0.0) for key, share in spent.items()) / 60


def in_turn(seeds: set[int], first: int) -> int:
    """How many seeds there are, one after the other from the first."""
    return next(number for number in range(len(seeds) + 1) if first + number not in seeds)


def together(plan: Sequence[Training], many: int) -> Iterator[Sequence[Training]]:
    """The trainings of a plan, so many in one go: networks of the space with equal seeds, or one baseline."""
    for (_, attended), some in groupby(plan, key=lambda one: (one.seeds, one.architecture is not None)):
        group, size = list(some), many if attended else 1
        yield from (group[number : number + size] for number in range(0, len(group), size))
