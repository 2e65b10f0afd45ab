"""Rows of what was found, the table of them, and their Pareto front."""

from .agreement import Agreement, agreement, measured_later
from .front import Front, Objectives, candidates, directions, front, hypervolume, knee, losses, pareto_front
from .points import Record
from .rows import Evaluation, Latency, Slots, State, cell, evaluation, known_columns, spell_cell
from .table import across_seeds, evaluations, read_csv, table, write_csv
from .written import Faults, read_row, written_row

__all__ = [
    "Evaluation",
    "Latency",
    "State",
    "Slots",
    "evaluation",
    "cell",
    "known_columns",
    "spell_cell",
    "table",
    "evaluations",
    "across_seeds",
    "write_csv",
    "read_csv",
    "Faults",
    "read_row",
    "written_row",
    "Objectives",
    "directions",
    "candidates",
    "losses",
    "Front",
    "pareto_front",
    "front",
    "knee",
    "hypervolume",
    "Agreement",
    "agreement",
    "measured_later",
    "Record",
]
