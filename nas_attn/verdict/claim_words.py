"""Sentences and a table of claims."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from nas_attn.settings import listed

from .claims import ClaimFinding, ClaimResult
from .words import interval

_FINDINGS: tuple[ClaimFinding, ...] = ("reproduced", "refuted", "not told apart", "not measured")


def claim_sentences(results: Sequence[ClaimResult]) -> Iterator[str]:
    """How the claims came out, then a sentence for each."""
    if results:
        yield claim_count(results)
    for one in results:
        yield _sentence(one)


def claim_count(results: Sequence[ClaimResult]) -> str:
    """How many claims came out in which way, as a sentence."""
    counted = Counter(one.finding for one in results)
    parts = [f"{counted[word]} {'is' if counted[word] == 1 else 'are'} {word}" for word in _FINDINGS if counted[word]]
    claims = "1 printed claim" if len(results) == 1 else f"{len(results)} printed claims"
    return f"Of {claims} {listed(parts)} here, by intervals of 95 % that are corrected for all of them."


def readable_claims(results: Sequence[ClaimResult]) -> pd.DataFrame:
    """A line a claim, as texts for readers."""
    return pd.DataFrame(
        {
            "Finding": one.finding + (f": {one.reason}" if one.reason else ""),
            "Claim": claim_title(one),
            "Measured": "-" if one.reason else interval(one.judged, one.measured),
            "Printed": interval(one.judged, one.printed),
            "Measured less printed": "-" if one.reason else interval(one.judged, one.difference),
            "Source": one.claim.source,
        }
        for one in results
    )


def claim_title(one: ClaimResult) -> str:
    """Which network against which."""
    than = "the plain backbone" if one.claim.than == "none" else one.claim.than
    return f"{one.claim.where} against {than}"


def _sentence(one: ClaimResult) -> str:
    if one.finding == "not measured":
        return f"Not measured: {claim_title(one)}; {one.reason}."
    return (
        f"{one.finding.capitalize()}{_how(one)}: {claim_title(one)}. Measured {interval(one.judged, one.measured)}, "
        f"printed {interval(one.judged, one.printed)}, by {one.claim.source}.{_ahead(one)}"
    )


def _how(one: ClaimResult) -> str:
    """In which way the measured gain is surely not the printed one."""
    if one.finding == "refuted" and one.opposite:
        return ", as the opposite is measured"
    noun = "gain" if one.printed.value >= 0 else "loss"
    if one.finding == "refuted":
        return f", as {'a difference' if not one.printed.value else f'a smaller {noun}'} is measured"
    return f", and a larger {noun} is measured" if one.finding == "reproduced" and one.larger else ""


def _ahead(one: ClaimResult) -> str:
    if one.finding != "not told apart" or not 1 < one.missing < math.inf:
        return ""
    return (
        f" {one.missing:.1f} times as many seeds would make the interval narrow enough for a difference of the "
        "printed size to show."
    )
