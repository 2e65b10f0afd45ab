"""What a study has written down: what it was asked, and the rows of what it has found."""

import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from typing import Any, TypeVar

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial
from pydantic import TypeAdapter, ValidationError

from nas_attn.results import Agreement, Evaluation, Faults, read_row
from nas_attn.settings import Fingerprint, ImageFacts, Objective, meaning
from nas_attn.space import Architecture, InputError, SearchSpace, parse, quoted, without_passwords

from .fingerprints import image_changes

RIVALS = "final-rivals"
"""What keeps the rows of plain networks of other widths beside the steps; no step can be called so."""

ARCHITECTURE = "architecture"
_ROW, _ROWS = "evaluation:", "evaluations:"
_ASKED, _SLOTS, _FACTS, _PREDICTION = "asked", "slots", "facts", "prediction"
_FINGERPRINT = "fingerprint"
_NEVER_BEGUN = "processes died of it, the last by exit code 1; perhaps memory does not suffice"
"""The reason that version 0.1.0 wrote down where no process could begin, as from a script without a main guard."""
_LOG = logging.getLogger(__name__)
_UNKNOWN = (
    "study %s: an earlier version began it, without a fingerprint of its images, so that it is not known whether they"
    " and their labels are still the same%s"
)
_OBJECTIVES = TypeAdapter(list[Objective])
_PLACES = TypeAdapter(dict[str, list[str]])
_IMAGES, _AGREEMENT, _QUESTION = TypeAdapter(ImageFacts), TypeAdapter(Agreement), TypeAdapter(dict[str, Any])
T = TypeVar("T")


def write_question(
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
    before = _asked(study)
    if not before:
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
    before = {name: value for name, value in _asked(study).items() if name.startswith(("data.", "images."))}
    _refuse_changes(study, before, question, _changed_images(study, facts, fingerprint))
    if fingerprint is not None and _FINGERPRINT not in study.user_attrs:
        _LOG.warning(_UNKNOWN, study.study_name, "")


def _changed_images(study: optuna.Study, facts: ImageFacts, now: Fingerprint | None) -> list[str]:
    """What images and labels tell of a change since the study was begun."""
    told = study.user_attrs.get(_FINGERPRINT)
    if now is None or told is None:
        return []
    before = TypeAdapter(Fingerprint).validate_python(told)
    return image_changes(before, now, read_facts(study).class_names, facts.class_names)


def _refuse_changes(
    study: optuna.Study, before: Mapping[str, Any], question: Mapping[str, Any], more: Sequence[str] = ()
) -> None:
    changed = [
        without_passwords(f"  {name}: was {before.get(name, 'absent')}, is {question.get(name, 'absent')}")
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
    return _ASKED in attributes(study)


def read_objectives(study: optuna.Study) -> list[str]:
    """What the study trades off, in the order of its directions."""
    return [*_kept(study, _OBJECTIVES, f"{_ASKED}.objectives", _asked(study).get("objectives"))]


def read_facts(study: optuna.Study) -> ImageFacts:
    """What the study's images are like."""
    return _kept(study, _IMAGES, _FACTS, attributes(study).get(_FACTS))


def read_slots(study: optuna.Study) -> dict[str, list[str]]:
    """The slots of the study's space, each with the names of its sites."""
    return _kept(study, _PLACES, _SLOTS, attributes(study).get(_SLOTS))


def write_prediction(study: optuna.Study, agreement: Agreement) -> None:
    """Write down how well each timed network is predicted from the others."""
    study.set_user_attr(_PREDICTION, _with_null(asdict(agreement)))


def read_prediction(study: optuna.Study) -> Agreement | None:
    """How well latencies are predicted, where they are."""
    told = attributes(study).get(_PREDICTION)
    return None if told is None else _kept(study, _AGREEMENT, _PREDICTION, _with_nan(told))


def read_rows(study: optuna.Study) -> dict[tuple[str, int], Evaluation]:
    """The latest row of every key and seed that has one, in the order in which the networks were first looked at.

    What a trial has written counts, even if it was killed or has failed before it had all its seeds. Rows that say
    `_NEVER_BEGUN` tell nothing of a network, and do not count.

    Raises `InputError` with all that cannot be true, as `read_row` says, and where it stands.
    """
    said = attributes(study)
    sites = {site for places in read_slots(study).values() for site in places} if _SLOTS in said else None
    found: dict[tuple[str, int], Evaluation] = {}
    faults = Faults()
    for where, name, fields in _written(study, said):
        try:
            row = read_row(_with_nan(fields), where, sites)
            if name not in (None, f"{_ROW}{row.seed}"):
                raise InputError(f"{where}: seed: found {row.seed}; allowed: {str(name).removeprefix(_ROW)}")
            if not row.reason.endswith(_NEVER_BEGUN):
                found[row.key, row.seed] = row
        except InputError as error:
            faults.add(error)
    for trial in trials(study):
        try:
            architecture_of(trial, study)
        except InputError as error:
            faults.add(error)
    faults.tell()
    return found


def architecture_of(trial: FrozenTrial, study: optuna.Study) -> Architecture | None:
    """What a trial stands for, once that is written down."""
    said = trial.user_attrs.get(ARCHITECTURE, "")
    where = f"study {study.study_name}: trial {trial.number}: {ARCHITECTURE}"
    if not isinstance(said, str):
        raise InputError(f"{where}: found {quoted(said)}; allowed: a text")
    try:
        return parse(said) if ARCHITECTURE in trial.user_attrs else None
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _written(study: optuna.Study, said: Mapping[str, Any]) -> Iterator[tuple[str, str | None, Any]]:
    """Where a row stands, the name that says its seed, and its fields; first those that no trial stands for."""
    for name in sorted(name for name in said if name.startswith(_ROWS)):
        many = said[name] if isinstance(said[name], list) else [said[name]]
        for number, fields in enumerate(many, start=1):
            yield f"study {study.study_name}: {name}: row {number}", None, fields
    for trial in trials(study):
        for name, fields in trial.user_attrs.items():
            if name.startswith(_ROW):
                yield f"study {study.study_name}: trial {trial.number}: {name}", name, fields


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


def _with_nan(fields: Any) -> Any:
    """Null as NaN; what is no table as it is."""
    if not isinstance(fields, Mapping):
        return fields
    return {name: math.nan if value is None else value for name, value in fields.items()}


def attributes(study: optuna.Study) -> dict[str, Any]:
    """What is kept of a study beside its trials; raises `InputError` where that is not JSON any more."""
    try:
        return study.user_attrs
    except (ValueError, RecursionError) as error:
        raise InputError(f"study {study.study_name}: what is kept of it is no JSON: {error}") from None


def trials(study: optuna.Study) -> list[FrozenTrial]:
    """The trials of a study; raises `InputError` that names those which are not JSON any more, or have no number."""
    try:
        return study.get_trials(deepcopy=False)
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise InputError("\n".join(_broken(study)) or f"study {study.study_name}: cannot be read: {error}") from None


def _broken(study: optuna.Study) -> Iterator[str]:
    """What is wrong with each trial that cannot be read."""
    storage = study._storage  # Optuna reads all trials of a study or none
    with suppress(KeyError):
        for number in count():
            trial = storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
            try:
                storage.get_trial(trial)
            except (ValueError, RecursionError, KeyError, TypeError) as error:
                yield f"study {study.study_name}: trial {number}: cannot be read: {error}"


def _asked(study: optuna.Study) -> dict[str, Any]:
    return _kept(study, _QUESTION, _ASKED, attributes(study).get(_ASKED, {}))


def _kept(study: optuna.Study, adapter: TypeAdapter[T], name: str, said: Any) -> T:
    try:
        return adapter.validate_python(said)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, (name, *fault["loc"])))
        raise InputError(
            f"study {study.study_name}: {place}: found {quoted(fault['input'])}; {meaning(fault)}"
        ) from None


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
