"""What a user's own training says of a network: the numbers that a study monitors, among all that it logs."""

import logging
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from nas_attn.settings import Monitored
from nas_attn.space import InputError, allowed
from nas_attn.training import Diverged

_LOG = logging.getLogger(__name__)
_BEFORE = re.compile(r"(^|.*[^a-z0-9])", re.IGNORECASE)
_OF_VALIDATION = re.compile(r"^(val|valid|validation)[/_.-]", re.IGNORECASE)
_OF_TRAINING = re.compile(r"(^|[^a-z])(train|training|test|testing)([^a-z]|$)", re.IGNORECASE)


def monitored(said: Mapping[str, Any], monitor: Mapping[str, Monitored], where: str) -> dict[str, float]:
    """The value of each monitored number among those that a training says, by the name of the measure.

    Where a number is not said by its own name, it is the only one whose name ends in that, as `val/map_50` does, and
    not one of the training part; which one is logged once.

    Raises `InputError` where one is not there or not a number, `Diverged` where one is not finite.
    """
    found = {name: _value(said, name, one, where) for name, one in monitor.items()}
    for name, value in found.items():
        if not math.isfinite(value):
            raise Diverged(f"{where}: {name} became {value}")
        if monitor[name].unit == "%" and not 0 <= value <= 1:
            raise InputError(f"{where}: {name} is {value:g}; allowed with unit = '%': a share from 0 to 1")
    return found


def known_so_far(said: Mapping[str, Any], monitor: Mapping[str, Monitored], where: str) -> dict[str, float]:
    """The monitored numbers as `monitored` finds them, in the midst of a training: those that are there already."""
    found = dict[str, float]()
    for name, one in monitor.items():
        with suppress(InputError):
            found[name] = _value(said, name, one, where)
    return found


def tested(said: Mapping[str, Any], monitor: Mapping[str, Monitored]) -> dict[str, float]:
    """The monitored numbers among those that a test says: as `test/iou` is what `val/iou` is, or ends in its name."""
    found = dict[str, float]()
    for name, one in monitor.items():
        ends = re.compile(_BEFORE.pattern + re.escape(_OF_VALIDATION.sub("", one.logged) or name) + "$", re.IGNORECASE)
        matching = [key for key in said if ends.match(key)]
        if len(matching) == 1 and math.isfinite(value := float(said[matching[0]])):
            found[name] = value
    return found


def _value(said: Mapping[str, Any], name: str, one: Monitored, where: str) -> float:
    key = one.logged or name
    if key not in said and not one.logged:
        key = _guessed(tuple(said), name, where)
    if key not in said:
        raise InputError(f"{where}: {key!r} is not among what it logs in validation; {allowed(key, said)}")
    try:
        return float(said[key])
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {key} is no number: {error}") from None


@cache
def _guessed(said: tuple[str, ...], name: str, where: str) -> str:
    """The one key that ends in a name, of those that are not of training or test; the name where there is none."""
    ends = re.compile(_BEFORE.pattern + re.escape(name) + "$", re.IGNORECASE)
    matching = [key for key in said if ends.match(key) and not _OF_TRAINING.search(key)]
    if len(matching) > 1:
        listed = ", ".join(matching)
        raise InputError(
            f"{where}: {name} may be any of {listed}; say which: {name} = {{ logged = '...', better = '...' }}"
        )
    if matching:
        _LOG.warning("%s: %s is read from what is logged as %s", where, name, matching[0])
    return matching[0] if matching else name
