"""What a study has written down: what it was asked, and the rows of what it has found."""

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from pydantic import TypeAdapter

from nas_attn.results import Agreement, Evaluation
from nas_attn.settings import Fingerprint, ImageFacts
from nas_attn.space import InputError, SearchSpace

from .fingerprints import told_changes

ARCHITECTURE = "architecture"
_ROW, _ROWS = "evaluation:", "evaluations:"
_ASKED, _SLOTS, _FACTS, _PREDICTION = "asked", "slots", "facts", "prediction"
_FINGERPRINT = "fingerprint"
_EVALUATION = TypeAdapter(Evaluation)
_NEVER_BEGUN = "processes died of it, the last by exit code 1; perhaps memory does not suffice"
"""The reason that version 0.1.0 wrote down where no process could begin, as from a script without a main guard."""
_LOG = logging.getLogger(__name__)
_UNKNOWN = (
    "study %s: an earlier version began it, without a fingerprint of its images, so that it is not known whether they"
    " and their labels are still the same%s"
)


def write_asked(
    study: optuna.Study,
    asked: Mapping[str, Any],
    space: SearchSpace,
    facts: ImageFacts,
    fingerprint: Fingerprint | None = None,
) -> None:
    """Write down what a study asks, so that later rows can only join rows of the same question.

    A study without a fingerprint of its images takes this one, which the log says.

    Raises `InputError` that names what has changed, where the study was begun with another question.
    """
    question = _flat({**asked, "space": _describe(space), "images": asdict(facts)})
    before = study.user_attrs.get(_ASKED)
    if before is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(list(asked["objectives"]))
        study.set_user_attr(_SLOTS, {slot.name: [site.name for site in slot.sites] for slot in space.slots})
        study.set_user_attr(_FACTS, asdict(facts))
        if fingerprint is not None:
            study.set_user_attr(_FINGERPRINT, asdict(fingerprint))
        study.set_user_attr(_ASKED, question)
        return
    _refuse_changes(study, before, question, _changed_images(study, facts, fingerprint))
    if fingerprint is not None and _FINGERPRINT not in study.user_attrs:
        _LOG.warning(_UNKNOWN, study.study_name, "; those of today count from now on")
        study.set_user_attr(_FINGERPRINT, asdict(fingerprint))


def check_images(
    study: optuna.Study, asked: Mapping[str, Any], facts: ImageFacts, fingerprint: Fingerprint | None = None
) -> None:
    """Make sure that the images are those that the study was begun with, so that no test image was trained on.

    Raises `InputError` that names what has changed.
    """
    question = _flat({"data": asked["data"], "images": asdict(facts)})
    before = {name: value for name, value in study.user_attrs[_ASKED].items() if name.startswith(("data.", "images."))}
    _refuse_changes(study, before, question, _changed_images(study, facts, fingerprint))
    if fingerprint is not None and _FINGERPRINT not in study.user_attrs:
        _LOG.warning(_UNKNOWN, study.study_name, "")


def _changed_images(study: optuna.Study, facts: ImageFacts, now: Fingerprint | None) -> list[str]:
    """What images and labels tell of a change since the study was begun."""
    told = study.user_attrs.get(_FINGERPRINT)
    if now is None or told is None:
        return []
    before = TypeAdapter(Fingerprint).validate_python(told)
    return told_changes(before, now, read_facts(study).class_names, facts.class_names)


def _refuse_changes(
    study: optuna.Study, before: Mapping[str, Any], question: Mapping[str, Any], more: Sequence[str] = ()
) -> None:
    changed = [
        f"  {name}: was {before.get(name, 'absent')}, is {question.get(name, 'absent')}"
        for name in sorted({*before, *question})
        if before.get(name) != question.get(name)
    ]
    changed += [f"  {line}" for line in more]
    if changed:
        raise InputError(
            f"study {study.study_name}: its rows answer another question, and rows of two questions do not mix:\n"
            + "\n".join(changed)
            + "\nUndo the change, or give the changed study a folder of its own."
        )


def is_begun(study: optuna.Study) -> bool:
    """Whether it is written down what the study asks; a process may have died before."""
    return _ASKED in study.user_attrs


def read_objectives(study: optuna.Study) -> list[str]:
    """What the study trades off, in the order of its directions."""
    return list(study.user_attrs[_ASKED]["objectives"])


def read_facts(study: optuna.Study) -> ImageFacts:
    """What the study's images are like."""
    return TypeAdapter(ImageFacts).validate_python(study.user_attrs[_FACTS])


def read_slots(study: optuna.Study) -> dict[str, list[str]]:
    """The slots of the study's space, each with the names of its sites."""
    return dict(study.user_attrs[_SLOTS])


def write_prediction(study: optuna.Study, agreement: Agreement) -> None:
    """Write down how well each timed network is predicted from the others."""
    study.set_user_attr(_PREDICTION, _with_null(asdict(agreement)))


def read_prediction(study: optuna.Study) -> Agreement | None:
    """How well latencies are predicted, where they are."""
    told = study.user_attrs.get(_PREDICTION)
    return None if told is None else TypeAdapter(Agreement).validate_python(_with_nan(told))


def read_rows(study: optuna.Study) -> dict[tuple[str, int], Evaluation]:
    """The latest row of every key and seed that has one, in the order in which the networks were first looked at.

    What a trial has written counts, even if it was killed or has failed before it had all its seeds. Rows that say
    `_NEVER_BEGUN` tell nothing of a network, and do not count.
    """
    many = (fields for name, rows in sorted(study.user_attrs.items()) if name.startswith(_ROWS) for fields in rows)
    trials = study.get_trials(deepcopy=False)
    single = (fields for trial in trials for name, fields in trial.user_attrs.items() if name.startswith(_ROW))
    rows = (_EVALUATION.validate_python(_with_nan(fields)) for fields in (*many, *single))
    return {(row.key, row.seed): row for row in rows if not row.reason.endswith(_NEVER_BEGUN)}


def write_row(trial: optuna.Trial, row: Evaluation) -> None:
    """Write a row down with its trial, beside those of other seeds."""
    trial.set_user_attr(f"{_ROW}{row.seed}", _with_null(asdict(row)))


def write_rows(study: optuna.Study, rows: Sequence[Evaluation], before: int) -> None:
    """Write down rows that no trial stands for, in one go, after as many as there are before."""
    if rows:
        study.set_user_attr(f"{_ROWS}{before:09}", [_with_null(asdict(row)) for row in rows])


def _with_null(fields: Mapping[str, Any]) -> dict[str, Any]:
    """NaN, which JSON does not know, as null."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in fields.items()}


def _with_nan(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in fields.items()}


def _describe(space: SearchSpace) -> dict[str, Any]:
    return {
        f"{slot.name}.{kind.name}.{question}": list(values)
        for slot in space.slots
        for kind in slot.kinds
        for question, values in kind.questions
    }


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = _plain(value)
    return flat


def _plain(value: Any) -> Any:
    """The value as it comes back from a database, without the last digits of what was computed."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
