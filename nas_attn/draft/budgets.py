"""Budget of a study as a user spells it: `latency_ms<=2`."""

import re
from collections.abc import Sequence

from nas_attn.settings import BUILT_IN, BuiltIn, usual_measures
from nas_attn.space import InputError, allowed

_LIMIT = re.compile(r"\s*(\w+)\s*(<=|<|>=|>|=)\s*([\d_,.]+(?:e[+-]?\d+)?)\s*([kMG%]?)\s*", re.IGNORECASE)
_TIMES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "%": 0.01}


def read_budget(texts: Sequence[str], task: BuiltIn = "classification") -> dict[str, float | int]:
    """The `[budget]` of a study from its limits, several in one text parted by `and`.

    >>> read_budget(["latency_ms<=2 and params < 300k", "accuracy >= 90%"])
    {'max_latency_ms': 2.0, 'max_params': 300000, 'min_accuracy': 0.9}

    Raises `InputError` for what is no limit of a cost, and no floor of a measure of the task.
    """
    floors = {one.name: one for one in usual_measures(task)}
    known = {name: one for name, one in BUILT_IN.items() if one.source != "learnt"} | floors
    found: dict[str, float | int] = {}
    for text in (part for one in texts for part in re.split(r"\band\b|;", one)):
        match = _LIMIT.fullmatch(text)
        if match is None:
            raise InputError(
                f"--budget: found {text.strip()!r}; allowed: a measure, <= or >=, and a number: latency_ms<=2"
            )
        name, sign, number, unit = match.groups()
        if name not in known:
            raise InputError(f"--budget: found {name!r}; {allowed(name, known)}")
        end = "min" if known[name].source == "learnt" and known[name].better == "max" else "max"
        if sign[0] != {"min": ">", "max": "<"}[end] and sign != "=":
            raise InputError(f"--budget: found {text.strip()!r}; allowed: {name} {'>=' if end == 'min' else '<='} ...")
        found[f"{end}_{name}"] = _number(text, number, unit, known[name].whole)
    return found


def _number(text: str, number: str, unit: str, whole: bool) -> float | int:
    try:
        value = float(re.sub(r",(?=\d{3}\b)", "", number)) * _TIMES[unit.lower()]
    except ValueError:
        raise InputError(f"--budget: found {text.strip()!r}, in which {number!r} is no number") from None
    return round(value) if whole else value
