"""What a study concludes from the rows in its folder."""

from nas_attn.results import OUTCOMES, read_outcomes
from nas_attn.settings import FINAL
from nas_attn.study import StudyFolder, read_slots

from .conclusion import Conclusion, conclude

VERDICT = "verdict.csv"
"""The file in a study's folder that says that a verdict was requested."""


def concluded(folder: StudyFolder, minutes: float | None = None) -> Conclusion:
    """What the rows of full training and the width-matched baselines say, as `conclude` says."""
    slots = tuple(read_slots(folder.study(FINAL)).items())
    rows, baselines, file = folder.full_rows(), folder.width_matched(), folder.file
    kept = read_outcomes(folder.path / OUTCOMES, [*rows, *baselines], file.folds, file.fold_of)
    return conclude(rows, baselines, file.objectives, minutes=minutes, slots=slots, claims=file.claim, kept=kept)
