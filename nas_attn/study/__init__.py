"""A study's folder and its storage: what was asked, the rows, and who may write them."""

from .budget import over_budget
from .folder import StudyFolder
from .interrupts import terminable
from .lease import OnWaiting
from .record import (
    ARCHITECTURE,
    WIDTH_MATCHED,
    check_images,
    read_facts,
    read_objectives,
    read_prediction,
    read_rows,
    read_slots,
    write_prediction,
    write_question,
    write_row,
    write_rows,
)
from .storage import OptunaStudy, begin_study, find_study, hold, storage_faults, storage_url

__all__ = [
    "ARCHITECTURE",
    "OnWaiting",
    "OptunaStudy",
    "WIDTH_MATCHED",
    "StudyFolder",
    "begin_study",
    "check_images",
    "find_study",
    "hold",
    "over_budget",
    "read_facts",
    "read_objectives",
    "read_prediction",
    "read_rows",
    "read_slots",
    "storage_faults",
    "storage_url",
    "terminable",
    "write_question",
    "write_prediction",
    "write_row",
    "write_rows",
]
