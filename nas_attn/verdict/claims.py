"""What is printed somewhere, compared with what is measured here."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.special import ndtri

from nas_attn.results import Evaluation, Slots
from nas_attn.settings import Claim, Measure
from nas_attn.space import NONE, InputError
from nas_attn.statistics import UNKNOWN, Estimate

from .comparison import Comparison, comparison
from .named import network_named

_LEFT = 0.05
"""The probability with which an interval may miss, or any of several."""

_NOISE = 40
"""How many networks that no claim means show how large noise is, at most."""

ClaimFinding = Literal["reproduced", "refuted", "not told apart", "not measured"]
"""What becomes of a claim; `not told apart` is what may be the printed gain, and may be none."""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """A claim with what is measured; gains are positive where `where` is better, in the measure's own values."""

    claim: Claim
    judged: Measure
    measured: Estimate
    """The gain here, with an interval that is corrected for all networks that claims mean."""
    printed: Estimate
    """The gain that is printed, with the 95 % interval that its standard error makes."""
    difference: Estimate
    """The measured gain less the printed one, with an interval that both errors make, for all claims together."""
    reason: str = ""
    """Why nothing is measured; empty where something is."""

    @property
    def finding(self) -> ClaimFinding:
        """Refuted where surely less is gained than is printed; reproduced where not, and surely something is."""
        if math.isnan(self.difference.low):
            return "not measured"
        if self._toward(self.difference) < 0 or (not self.printed.value and self._toward(self.difference)):
            return "refuted"
        return "reproduced" if self.printed.value and self._toward(self.measured) > 0 else "not told apart"

    @property
    def larger(self) -> bool:
        """Whether surely more is gained than is printed, or more is lost than is printed to be lost."""
        return self._toward(self.difference) > 0

    @property
    def opposite(self) -> bool:
        """Whether surely the opposite of what is printed is measured."""
        return self._toward(self.measured) < 0

    def _toward(self, one: Estimate) -> int:
        """Whether an interval lies wholly on the side of the printed gain, 1, on the other, -1, or on neither, 0."""
        return (int(one.positive) - int(one.negative)) * (-1 if self.printed.value < 0 else 1)

    @property
    def missing(self) -> float:
        """How many times as many seeds would make half of the measured interval as small as the printed gain."""
        half = (self.measured.high - self.measured.low) / 2
        return (half / self.printed.value) ** 2 if self.printed.value else math.inf


def claim_results(
    found: Comparison,
    rows: Iterable[Evaluation],
    baselines: Iterable[Evaluation],
    claims: Sequence[Claim],
    slots: Slots | None = None,
    seed: int = 0,
) -> tuple[ClaimResult, ...]:
    """Each claim with what was measured, where `found` compares these rows."""
    inside, outside = list(rows), list(baselines)
    named = [_keys(claim, found, slots) for claim in claims]
    meant = {key for keys in named if not isinstance(keys, InputError) for key in keys}
    compared: dict[str, Comparison] = {}
    results = []
    for claim, keys in zip(claims, named, strict=True):
        printed, together = (_printed(claim, found.measure, among) for among in (1, len(claims)))
        try:
            where, than = _raised(keys)
            if than not in compared:
                compared[than] = comparison(
                    _against(than, inside, meant),
                    _others(inside, outside, meant),
                    found.measure.name,
                    prices=(),
                    seed=seed,
                )
            measured = _gain(compared[than], where)
        except InputError as error:
            results.append(ClaimResult(claim, found.measure, UNKNOWN, printed, UNKNOWN, str(error)))
        else:
            results.append(ClaimResult(claim, found.measure, measured, printed, less(measured, together)))
    return tuple(results)


def less(one: Estimate, other: Estimate) -> Estimate:
    """The difference of two independent estimates, with the interval that theirs make.

    The distances from a value to the ends of its interval add as squares (Zou and Donner, 2008, "Construction of
    confidence limits about effect measures", the method of variance estimates recovery).
    """
    value = one.value - other.value
    return Estimate(
        value,
        value - math.hypot(one.value - one.low, other.high - other.value),
        value + math.hypot(one.high - one.value, other.value - other.low),
    )


def _printed(claim: Claim, judged: Measure, among: int) -> Estimate:
    """The printed gain with an interval that holds together with those of so many (Bonferroni)."""
    scale, reach = 100.0 if judged.unit == "%" else 1.0, -float(ndtri(_LEFT / 2 / among))
    value, error = claim.gain / scale, claim.error / scale
    return Estimate(value, value - reach * error, value + reach * error)


def _keys(claim: Claim, found: Comparison, slots: Slots | None) -> tuple[str, str] | InputError:
    """The keys of the trained networks that a claim means, or why they are not known."""
    trained = [row for row in found.trainings.networks if row.role != "width-matched"]
    try:
        where, than = (network_named(text, trained, slots or ()).key for text in (claim.where, claim.than))
    except InputError as error:
        return error
    return where, than


def _raised(keys: tuple[str, str] | InputError) -> tuple[str, str]:
    if isinstance(keys, InputError):
        raise keys
    return keys


def _against(than: str, rows: Sequence[Evaluation], meant: Collection[str]) -> list[Evaluation]:
    """The rows of networks that claims mean, as if `than` were the plain backbone, and the others had nothing alike.

    Each has two slots of its own, whose effects cannot be separated, so that networks alone are compared.
    """
    places = {key: number for number, key in enumerate(sorted(meant))}
    spelt = {key: f"first{number}.site=it second{number}.site=it" for key, number in places.items()}
    return [row.but(architecture=NONE if row.key == than else spelt[row.key]) for row in rows if row.key in meant]


def _others(rows: Sequence[Evaluation], baselines: Sequence[Evaluation], meant: Collection[str]) -> list[Evaluation]:
    """The rows of other networks, as width-matched baselines: they show how large noise is, and are not compared."""
    others = [row for row in rows if row.key not in meant]
    kept = {*list(dict.fromkeys(row.key for row in others))[:_NOISE]}
    return [*(row.but(architecture=NONE) for row in others if row.key in kept), *baselines]


def _gain(found: Comparison, where: str) -> Estimate:
    gain = next((one.gain for one in found.networks if one.what == where), UNKNOWN)
    if math.isnan(gain.low):
        raise InputError("the two networks share too few seeds, or noise is not known")
    return gain
