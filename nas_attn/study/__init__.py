"""The search itself: what is asked next, what is written down, and how it goes on after a stop."""

from .folder import StudyFolder
from .interrupts import terminable
from .known_cost import KnownCostSampler
from .lease import OnWaiting
from .promotion import Lead, lead, promoted
from .record import (
    RIVALS,
    check_images,
    read_facts,
    read_prediction,
    read_rows,
    read_slots,
    write_asked,
    write_prediction,
)
from .rivals import read_held, train_rivals, write_held
from .samplers import SAMPLERS
from .screen import OnProgress, Score, screen
from .search import Evaluator, Following, OnRow, Search
from .storage import OptunaStudy, begin_study, find_study, hold, storage_faults_told, storage_url
from .tables import Table, load_table

__all__ = [
    "RIVALS",
    "SAMPLERS",
    "KnownCostSampler",
    "Evaluator",
    "Following",
    "Lead",
    "OnProgress",
    "OnRow",
    "OnWaiting",
    "OptunaStudy",
    "Score",
    "Search",
    "StudyFolder",
    "Table",
    "begin_study",
    "check_images",
    "find_study",
    "hold",
    "lead",
    "load_table",
    "promoted",
    "read_facts",
    "read_held",
    "read_prediction",
    "read_rows",
    "read_slots",
    "screen",
    "storage_faults_told",
    "storage_url",
    "terminable",
    "train_rivals",
    "write_asked",
    "write_held",
    "write_prediction",
]
