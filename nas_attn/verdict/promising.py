"""Which networks are promising: those that are likely to gain something, the most likely gain first."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby

import numpy as np

from nas_attn.results import Evaluation
from nas_attn.statistics import Numbers

_DECIMALS = 9
"""Below a ten-millionth of a point of accuracy a gain is rounding."""

_ALIKE = 0.1
"""By how much probabilities that are drawn may differ where nothing else does."""


def gains(likely: float) -> bool:
    """Whether what a network is likely to gain is anything at all."""
    return round(likely, _DECIMALS) > 0 if np.isfinite(likely) else False


def ranked(
    numbers: Iterable[int],
    networks: Sequence[Evaluation],
    likely: Numbers,
    means: Numbers,
    on_front: Mapping[str, float],
) -> tuple[int, ...]:
    """These networks, the most likely gain over the plain backbone first; a gain that is not known comes last.

    Equal ones go by their own mean, of which more is better, then by the probability of their keys to be on the front;
    of those that are about as probable as the first, the cheaper and at last the lesser key comes first.
    """
    both = np.stack([np.nan_to_num(likely, nan=-np.inf), means]).round(_DECIMALS)
    probabilities = {number: float(np.nan_to_num(on_front.get(networks[number].key, 0.0))) for number in numbers}

    def gain(number: int) -> tuple[float, float]:
        return -float(both[0, number]), -float(both[1, number])

    found: list[int] = []
    for _, group in groupby(sorted(probabilities, key=gain), key=gain):
        equal = list(group)
        most = max(probabilities[number] for number in equal)
        less = {number: max(most - probabilities[number] - _ALIKE, 0.0) for number in equal}
        found += [
            number
            for *_, number in sorted((less[each], networks[each]["flops"], networks[each].key, each) for each in equal)
        ]
    return tuple(found)


def leading(hopes: Sequence[int], better: Collection[int], over_widths: Collection[int]) -> int | None:
    """The first that surely beats the plain backbone at its own and at other widths, else at its own, else of all."""
    ahead = [number for number in hopes if number in better] or hopes
    return next((number for number in ahead if number in over_widths), next(iter(ahead), None))
