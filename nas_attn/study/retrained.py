"""Stored forms of what was trained for good: which networks were picked, and what the test part says of each."""

from collections.abc import Mapping, Sequence

import optuna

from nas_attn.settings import with_nan, with_null

RETRAINED = "retrained"
"""The name of what keeps the rows of networks that are trained for good; no step can be called so."""

_PICKS, _TESTED, _IMAGES = "picks", "tested:", "images"


def write_pick(study: optuna.Study, key: str, beside: Sequence[str]) -> None:
    """Write down that a network is trained for good, after others, and the keys of what is trained beside it."""
    picks = read_picks(study)
    picks.pop(key, None)
    study.set_user_attr(_PICKS, {**picks, key: list(beside)})


def read_picks(study: optuna.Study) -> dict[str, list[str]]:
    """The keys of what is trained beside each network that was picked, in the order in which they were."""
    return dict(study.user_attrs.get(_PICKS, {}))


def write_tested(study: optuna.Study, key: str, seed: int, measures: Mapping[str, float], images: int) -> None:
    """Write down what so many images of the test part say of a training."""
    study.set_user_attr(f"{_TESTED}{key}:{seed}", with_null({**measures, _IMAGES: images}))


def read_tested(study: optuna.Study) -> dict[tuple[str, int], tuple[Mapping[str, float], int]]:
    """What the test part says of each training, by key and seed, and of how many images it is."""
    found: dict[tuple[str, int], tuple[Mapping[str, float], int]] = {}
    for name, stored in study.user_attrs.items():
        if name.startswith(_TESTED):
            key, _, seed = name.removeprefix(_TESTED).rpartition(":")
            measures = dict(with_nan(stored))
            found[key, int(seed)] = (measures, int(measures.pop(_IMAGES)))
    return found
