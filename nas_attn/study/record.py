"""What a study has written down: what it was asked, and the rows of what it has found."""

import logging
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

from nas_attn.results import Agreement, Evaluation, Faults, read_row, written_row
from nas_attn.settings import (
    Fingerprint,
    ImageFacts,
    Objective,
    changes,
    check_format,
    flat,
    meaning,
    with_nan,
    with_null,
)
from nas_attn.space import Architecture, InputError, SearchSpace, parse, quoted

from .fingerprints import image_changes

WIDTH_MATCHED = "final-rivals"
"""The name, since version 0.1.0, of what keeps the rows of width-matched baselines; no step can be called so."""

ARCHITECTURE = "architecture"
_ROW, _ROWS = "evaluation:", "evaluations:"
_QUESTION = "asked"
"""The name of the stored question since version 0.1.0."""
_SLOTS, _FACTS, _PREDICTION, _FINGERPRINT = "slots", "facts", "prediction", "fingerprint"
_FORMAT_VERSION, _NEWEST = "format_version", 1
"""Of all that is stored of a study; version 0.1.0 wrote format 1 without its number."""
_NEVER_BEGUN = "processes died of it, the last by exit code 1; perhaps memory does not suffice"
"""The reason that version 0.1.0 wrote down where no process could begin, as from a script without a main guard."""
_LOG = logging.getLogger(__name__)
_UNKNOWN = (
    "study %s: an earlier version began it, without a fingerprint of its images, so that it is not known whether they"
    " and their labels are still the same%s"
)
T = TypeVar("T")


def write_question(
    study: optuna.Study,
    question: Mapping[str, Any],
    space: SearchSpace,
    facts: ImageFacts,
    fingerprint: Fingerprint | None = None,
) -> None:
    """Write down the question of a new study; of one that was begun, make sure that it is still the same.

    A study without a fingerprint of its images takes this one, with a warning in the log.

    Raises `InputError` that names what has changed.
    """
    question = {**question, "space": _choices(space), "images": asdict(facts)}
    if is_begun(study):
        _refuse_changes(study, question, facts, fingerprint, "; those of today count from now on")
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(list(question["objectives"]))
        study.set_user_attr(_FORMAT_VERSION, _NEWEST)
        study.set_user_attr(_SLOTS, {slot.name: [site.name for site in slot.sites] for slot in space.slots})
        study.set_user_attr(_FACTS, asdict(facts))
    if fingerprint is not None and _FINGERPRINT not in study.user_attrs:
        study.set_user_attr(_FINGERPRINT, asdict(fingerprint))
    if not is_begun(study):
        study.set_user_attr(_QUESTION, flat(question))


def check_images(
    study: optuna.Study, question: Mapping[str, Any], facts: ImageFacts, fingerprint: Fingerprint | None = None
) -> None:
    """Make sure that the images are those that the study was begun with, so that no test image was trained on.

    Raises `InputError` that names what has changed.
    """
    others = {name: value for name, value in _question(study).items() if not name.startswith(("data.", "images."))}
    _refuse_changes(study, {**others, "data": question["data"], "images": asdict(facts)}, facts, fingerprint)


def _refuse_changes(
    study: optuna.Study,
    question: Mapping[str, Any],
    facts: ImageFacts,
    fingerprint: Fingerprint | None,
    consequence: str = "",
) -> None:
    found, stored = changes(_question(study), question), attributes(study).get(_FINGERPRINT)
    if fingerprint is not None and stored is not None:
        before = _checked(study, Fingerprint, _FINGERPRINT, stored)
        found += image_changes(before, fingerprint, read_facts(study).class_names, facts.class_names)
    if found:
        raise InputError(
            f"study {study.study_name}: its rows answer another question, and rows of two questions do not mix:\n"
            + "".join(f"  {line}\n" for line in found)
            + "Undo the change, or give the changed study a folder of its own."
        )
    if fingerprint is not None and stored is None:
        _LOG.warning(_UNKNOWN, study.study_name, consequence)


def is_begun(study: optuna.Study) -> bool:
    """Whether the study's question is written down; a process may have died before."""
    return _QUESTION in attributes(study)


def read_objectives(study: optuna.Study) -> list[str]:
    """The objectives of the study, in the order of its directions."""
    return [*_checked(study, list[Objective], f"{_QUESTION}.objectives", _question(study).get("objectives"))]


def read_facts(study: optuna.Study) -> ImageFacts:
    """The facts of the study's images."""
    return _checked(study, ImageFacts, _FACTS, attributes(study).get(_FACTS))


def read_slots(study: optuna.Study) -> dict[str, list[str]]:
    """The slots of the study's space, each with the names of its sites."""
    return _checked(study, dict[str, list[str]], _SLOTS, attributes(study).get(_SLOTS))


def write_prediction(study: optuna.Study, agreement: Agreement) -> None:
    """Write down how well each timed network is predicted from the others."""
    study.set_user_attr(_PREDICTION, with_null(asdict(agreement)))


def read_prediction(study: optuna.Study) -> Agreement | None:
    """How well latencies are predicted, where they are."""
    stored = attributes(study).get(_PREDICTION)
    return None if stored is None else _checked(study, Agreement, _PREDICTION, with_nan(stored))


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
            row = read_row(with_nan(fields), where, sites)
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
    faults.report()
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
    trial.set_user_attr(f"{_ROW}{row.seed}", with_null(written_row(row)))


def write_rows(study: optuna.Study, rows: Sequence[Evaluation], before: int) -> None:
    """Write down rows that no trial stands for, in one go, after as many as there are before."""
    if rows:
        study.set_user_attr(f"{_ROWS}{before:09}", [with_null(written_row(row)) for row in rows])


def attributes(study: optuna.Study) -> dict[str, Any]:
    """The attributes of a study; raises `InputError` where they are not JSON, or of a format that is too new."""
    try:
        stored = study.user_attrs
    except (ValueError, RecursionError) as error:
        raise InputError(f"study {study.study_name}: its attributes are no JSON: {error}") from None
    check_format(stored.get(_FORMAT_VERSION, 1), _NEWEST, f"study {study.study_name}")
    return stored


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


def _question(study: optuna.Study) -> dict[str, Any]:
    return _checked(study, dict[str, Any], _QUESTION, attributes(study).get(_QUESTION, {}))


def _checked(study: optuna.Study, kind: type[T], name: str, stored: Any) -> T:
    try:
        return TypeAdapter(kind).validate_python(stored)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, (name, *fault["loc"])))
        raise InputError(
            f"study {study.study_name}: {place}: found {quoted(fault['input'])}; {meaning(fault)}"
        ) from None


def _choices(space: SearchSpace) -> dict[str, Any]:
    return {
        f"{slot.name}.{kind.name}.{question}": values
        for slot in space.slots
        for kind in slot.kinds
        for question, values in kind.questions
    }
