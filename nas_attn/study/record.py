"""Stored forms of a study: its question, facts of its images, and its rows."""

import logging
import secrets
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from typing import Any, TypeVar

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial
from pydantic import TypeAdapter, ValidationError

from nas_attn.drawing import Outline, of_names
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
from nas_attn.space import InputError, SearchSpace, parse, quoted

from .fingerprints import image_changes

WIDTH_MATCHED = "final-rivals"
"""The name, since version 0.1.0, of what keeps the rows of width-matched baselines; no step can be called so."""

ARCHITECTURE = "architecture"
"""The attribute of a trial that spells its architecture."""
WORKER = "worker"
"""The attribute of a trial with the number of the lease of the process that began it."""
_ROW, _ROWS = "evaluation:", "evaluations:"
_QUESTION = "asked"
"""The name of the stored question since version 0.1.0."""
_SLOTS, _FACTS, _PREDICTION, _FINGERPRINT = "slots", "facts", "prediction", "fingerprint"
_OUTLINE, _PRICES = "outline", "prices:"
_FORMAT_VERSION, _NEWEST = "format_version", 1
"""Of all that is stored of a study; version 0.1.0 wrote format 1 without its number."""
_NEVER_BEGUN = "processes died of it, the last by exit code 1;"
"""Part of the reason in version 0.1.0 where no process could begin, as from a script without a main guard."""
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
    question, begun = {**question, "space": _choices(space), "images": asdict(facts)}, is_begun(study)
    if begun:
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
    if not begun:
        study.set_user_attr(_QUESTION, flat(question))


def check_images(
    study: optuna.Study, question: Mapping[str, Any], facts: ImageFacts, fingerprint: Fingerprint | None = None
) -> None:
    """Make sure that the images are those that the study was begun with, so that no test image was trained on.

    Raises `InputError` that names what has changed.
    """
    others = {name: value for name, value in read_question(study).items() if not name.startswith(("data.", "images."))}
    _refuse_changes(study, {**others, "data": question["data"], "images": asdict(facts)}, facts, fingerprint)


def _refuse_changes(
    study: optuna.Study,
    question: Mapping[str, Any],
    facts: ImageFacts,
    fingerprint: Fingerprint | None,
    consequence: str = "",
) -> None:
    found, stored = changes(read_question(study), question), attributes(study).get(_FINGERPRINT)
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
    return [*_checked(study, list[Objective], f"{_QUESTION}.objectives", read_question(study).get("objectives"))]


def read_facts(study: optuna.Study) -> ImageFacts:
    """The facts of the study's images."""
    return _checked(study, ImageFacts, _FACTS, attributes(study).get(_FACTS))


def read_slots(study: optuna.Study) -> dict[str, list[str]]:
    """The slots of the study's space, each with the names of its sites."""
    return _slots(study, attributes(study))


def _slots(study: optuna.Study, stored: Mapping[str, Any]) -> dict[str, list[str]]:
    return _checked(study, dict[str, list[str]], _SLOTS, stored.get(_SLOTS))


def write_outline(study: optuna.Study, make: Callable[[], Outline]) -> None:
    """Write down what the networks of a study look like, unless that is done; prices site by site, as they are many."""
    if _OUTLINE in attributes(study):
        return
    outline = make()
    for site, prices in outline.prices.items():
        study.set_user_attr(f"{_PRICES}{site}", prices)
    study.set_user_attr(_OUTLINE, {**asdict(outline), "prices": {}})


def read_outline(study: optuna.Study) -> Outline:
    """What the networks of a study look like; of one of an earlier version, the names of its sites alone."""
    stored = attributes(study)
    if _OUTLINE not in stored:
        return of_names(site for sites in read_slots(study).values() for site in sites)
    prices = {name.removeprefix(_PRICES): stored[name] for name in stored if name.startswith(_PRICES)}
    return _checked(study, Outline, _OUTLINE, {**stored[_OUTLINE], "prices": prices})


def write_prediction(study: optuna.Study, agreement: Agreement) -> None:
    """Write down how well each timed network is predicted from the others."""
    study.set_user_attr(_PREDICTION, with_null(asdict(agreement)))


def read_prediction(study: optuna.Study) -> Agreement | None:
    """How well latencies are predicted, where they are."""
    stored = attributes(study).get(_PREDICTION)
    return None if stored is None else _checked(study, Agreement, _PREDICTION, with_nan(stored))


def read_rows(study: optuna.Study, seen: set[str] | None = None) -> dict[tuple[str, int], Evaluation]:
    """The latest row of every key and seed that has one, in the order in which the networks were first evaluated.

    The rows of a trial count even if it was killed or has failed before it had all its seeds, but not those with
    the reason `_NEVER_BEGUN`. With a set of places that were `seen`, only what stands elsewhere, which is then seen.

    Raises `InputError` with every place whose content cannot be true, as `read_row` says.
    """
    stored, found, faults = attributes(study), dict[tuple[str, int], Evaluation](), Faults()
    sites = {site for places in _slots(study, stored).values() for site in places} if _SLOTS in stored else None
    for place, name, content in _contents(study, stored):
        if seen is not None:
            if place in seen:
                continue
            seen.add(place)
        where = f"study {study.study_name}: {place}"
        try:
            if name == ARCHITECTURE:
                _check_spelling(content, where)
                continue
            row = read_row(with_nan(content), where, sites)
            if name not in ("", f"{_ROW}{row.seed}"):
                raise InputError(f"{where}: seed: found {row.seed}; allowed: {name.removeprefix(_ROW)}")
            if _NEVER_BEGUN not in row.reason:
                found[row.key, row.seed] = row
        except InputError as error:
            faults.add(error)
    faults.report()
    return found


def _contents(study: optuna.Study, stored: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Place, attribute of a trial, and content of rows and architectures; rows without a trial come first."""
    for name in sorted(name for name in stored if name.startswith(_ROWS)):
        many = stored[name] if isinstance(stored[name], list) else [stored[name]]
        yield from ((f"{name}: row {number}", "", content) for number, content in enumerate(many, start=1))
    for trial in _trials(study):
        for name, content in trial.user_attrs.items():
            if name == ARCHITECTURE or name.startswith(_ROW):
                yield f"trial {trial.number}: {name}", name, content


def _check_spelling(content: Any, where: str) -> None:
    if not isinstance(content, str):
        raise InputError(f"{where}: found {quoted(content)}; allowed: a text")
    try:
        parse(content)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def write_row(trial: optuna.Trial, row: Evaluation) -> None:
    """Write a row down with its trial, beside those of other seeds."""
    trial.set_user_attr(f"{_ROW}{row.seed}", with_null(written_row(row)))


def write_rows(study: optuna.Study, rows: Sequence[Evaluation], before: int) -> None:
    """Write down rows that no trial stands for, in one go, after as many as there are before."""
    if rows:
        name = f"{_ROWS}{before:09}-{secrets.token_hex(4)}"  # others may write as many at the same time
        study.set_user_attr(name, [with_null(written_row(row)) for row in rows])


def attributes(study: optuna.Study) -> dict[str, Any]:
    """The attributes of a study; raises `InputError` where they are not JSON, or of a format that is too new."""
    try:
        stored = study.user_attrs
    except (ValueError, RecursionError) as error:
        raise InputError(f"study {study.study_name}: its attributes are no JSON: {error}") from None
    check_format(stored.get(_FORMAT_VERSION, 1), _NEWEST, f"study {study.study_name}")
    return stored


def _trials(study: optuna.Study) -> list[FrozenTrial]:
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


def read_question(study: optuna.Study) -> dict[str, Any]:
    """The question of the study, as plain settings by their names, such as `recipe.epochs`."""
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
