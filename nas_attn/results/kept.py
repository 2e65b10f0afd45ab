"""What each validation image got in each training of a study, kept beside its rows and sealed by them."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nas_attn.space import InputError, make_folder, write_whole

from .outcomes import Outcomes, packed_outcomes, unpacked_outcomes
from .rows import Evaluation

OUTCOMES = "outcomes"
"""The folder in a study's, with a file for each network and seed that was trained as the winner will be."""

_LOG = logging.getLogger(__name__)
_NAMED = 3


@dataclass(frozen=True, eq=False, slots=True)
class Kept:
    """What is known of single images, of trainings with the same images in the same order, or the same for a fold."""

    found: Mapping[tuple[str, int], Outcomes]
    """By key and seed."""
    ignored: tuple[str, ...] = ()
    """Files that do not count, each with the reason."""
    folds: int = 1
    """How many parts validate in turn, with one seed after the other; 1 where one always does."""

    @property
    def said(self) -> str:
        """What does not count, in a sentence; empty where all does."""
        more = len(self.ignored) - _NAMED
        lines = "; ".join([*self.ignored[:_NAMED], *([f"and {more} more"] if more > 0 else [])])
        return f"Ignored of what single validation images got: {lines}." if lines else ""


def outcomes_file(folder: Path, key: str, seed: int) -> Path:
    """The file of what each image got in one training."""
    return folder / f"{key}-seed{seed}.npz"


def write_outcomes(outcomes: Outcomes, path: Path) -> str:
    """Write outcomes whole or not at all; the SHA-256 of the file. Raises `InputError` where that cannot be."""
    content, sha256 = packed_outcomes(outcomes)
    make_folder(path.parent)
    write_whole(path, content)
    return sha256


def read_outcomes(
    folder: Path, rows: Iterable[Evaluation], folds: int = 1, fold_of: Callable[[int], int] = lambda _seed: 0
) -> Kept:
    """What each image got in these trainings, of those whose rows say that it was kept.

    A file that is missing, damaged or of other images than most is named, in the log too, and ignored; of so many
    folds, of other images than most of those whose seeds validate on the same, or of images of another fold.
    """
    found: dict[tuple[str, int], Outcomes] = {}
    ignored = []
    for row in rows:
        if row.outcomes_sha256 and row.state == "complete":
            path = outcomes_file(folder, row.key, row.seed)
            try:
                found[row.key, row.seed] = unpacked_outcomes(path.read_bytes(), row.outcomes_sha256)
            except FileNotFoundError:
                ignored.append(f"{path.name} (is missing)")
            except (OSError, InputError) as error:
                ignored.append(f"{path.name} ({error})")
    most = _commonest((fold_of(seed), one.images) for (_, seed), one in found.items())
    others = [(key, seed) for (key, seed), one in found.items() if one.images != most.get(fold_of(seed))]
    for place in others:
        del found[place]
        ignored.append(f"{outcomes_file(folder, *place).name} (is of other images, or of another order of them)")
    kept = Kept(found, tuple(ignored), folds)
    if kept.said:
        _LOG.warning("%s: %s", folder, kept.said)
    return kept


def _commonest(pairs: Iterable[tuple[int, str]]) -> dict[int, str]:
    """The commonest images of each fold, those of the commonest pair first; no two folds have the same."""
    found: dict[int, str] = {}
    for (fold, images), _ in Counter(pairs).most_common():
        if fold not in found and images not in found.values():
            found[fold] = images
    return found
