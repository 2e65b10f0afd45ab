"""The rankings of an audit in a file, so that its page can be written from the rows at any time."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from nas_attn.results import Evaluation
from nas_attn.settings import FINAL, Measure
from nas_attn.space import InputError, write_whole

from .ranking import Audit, Ranking, audit

_RANKINGS = TypeAdapter(list[Ranking])


def write_rankings(rankings: Iterable[Ranking], path: Path) -> None:
    """Write rankings down; the file appears whole or not at all, and what is not finite is null."""
    told = [asdict(ranking) for ranking in rankings]
    for ranking in told:
        ranking["scores"] = {key: score if math.isfinite(score) else None for key, score in ranking["scores"].items()}
        ranking["seconds"] = ranking["seconds"] if math.isfinite(ranking["seconds"]) else None
    write_whole(path, json.dumps(told, indent=1, allow_nan=False).encode())


def read_rankings(path: Path) -> list[Ranking]:
    """What `write_rankings` has written; raises `InputError` where it is damaged."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        for ranking in told:
            ranking["scores"] = {key: math.nan if score is None else score for key, score in ranking["scores"].items()}
            ranking["seconds"] = math.nan if ranking["seconds"] is None else ranking["seconds"]
        return _RANKINGS.validate_python(told)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ValidationError) as error:
        raise InputError(f"{path}: holds no rankings: {str(error).splitlines()[0]}; audit the study again") from None


def audited(rows: Iterable[Evaluation], rankings: Sequence[Ranking], judged: Measure) -> Audit:
    """The audit of the networks in the rankings by the rows of the step `final`; `judged` is the leading objective."""
    keys = {key for ranking in rankings for key in ranking.scores}
    full = [row for row in rows if row.step == FINAL and row.key in keys]
    return audit(full, rankings, judged.ranked_by or judged.name)
