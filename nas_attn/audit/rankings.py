"""The rankings of an audit in a file, from which its page can be written at any time."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from nas_attn.results import Evaluation
from nas_attn.settings import FINAL, Measure, check_format, sealed, unsealed, with_nan, with_null
from nas_attn.space import InputError, present_key, write_whole

from .ranking import Audit, Ranking, audit

_RANKINGS = TypeAdapter(list[Ranking])
_NEWEST = 2
"""The format version; version 0.1.0 wrote format 1, a list of rankings without a number."""


def write_rankings(rankings: Iterable[Ranking], path: Path) -> None:
    """Write rankings down; the file appears whole or not at all, and what is not finite is null."""
    stored = {"format_version": _NEWEST, "rankings": [with_null(asdict(ranking)) for ranking in rankings]}
    write_whole(path, json.dumps(sealed(stored), indent=1, allow_nan=False).encode())


def read_rankings(path: Path) -> list[Ranking]:
    """The rankings in a file; raises `InputError` where it is damaged, or of a format that is too new."""
    try:
        stored = unsealed(json.loads(path.read_text(encoding="utf-8")))
        if not isinstance(stored, list):
            check_format(stored["format_version"], _NEWEST, str(path))
            stored = stored["rankings"]
        found = _RANKINGS.validate_python([*map(with_nan, stored)])
        return [replace(one, scores={present_key(key): score for key, score in one.scores.items()}) for one in found]
    except InputError:
        raise
    except (OSError, ValueError, TypeError, KeyError, ValidationError) as error:
        raise InputError(f"{path}: holds no rankings: {str(error).splitlines()[0]}; audit the study again") from None


def audited(rows: Iterable[Evaluation], rankings: Sequence[Ranking], judged: Measure) -> Audit:
    """The audit of the networks in the rankings by the rows of the step `final`; `judged` is the leading objective."""
    keys = {key for ranking in rankings for key in ranking.scores}
    full = [row for row in rows if row.step == FINAL and row.key in keys]
    return audit(full, rankings, judged.ranked_by or judged.name)
