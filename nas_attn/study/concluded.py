"""What a study concludes from the rows in its folder."""

from nas_attn.results.conclusion import Conclusion, conclude
from nas_attn.settings.chain import FINAL

from .folder import StudyFolder
from .record import read_slots

VERDICT = "verdict.csv"
"""The file in a study's folder that says that a verdict was asked for."""


def concluded(folder: StudyFolder, minutes: float | None = None) -> Conclusion:
    """What the rows of full training and their rivals say, as `conclude` says."""
    slots = tuple(read_slots(folder.study(FINAL)).items())
    return conclude(folder.full_rows(), folder.rivals(), folder.file.objectives, minutes=minutes, slots=slots)
