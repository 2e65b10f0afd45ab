"""Rows of what was found, the table of them, their measures, and their Pareto front."""

from .agreement import Agreement, agreement, measured_later
from .front import DIRECTIONS, Direction, Objectives, candidates, directions, front, hypervolume, knee, losses
from .measures import cell, head, listed, measure, spell, spell_latency, word
from .points import Record
from .rows import Evaluation, Slots, State
from .seeds import across_seeds
from .table import evaluations, read_csv, table, write_csv
from .written import Faults, read_row

__all__ = [
    "Agreement",
    "DIRECTIONS",
    "Direction",
    "Evaluation",
    "Faults",
    "Objectives",
    "Record",
    "Slots",
    "State",
    "across_seeds",
    "agreement",
    "candidates",
    "cell",
    "directions",
    "evaluations",
    "front",
    "head",
    "hypervolume",
    "knee",
    "listed",
    "losses",
    "measure",
    "measured_later",
    "read_csv",
    "read_row",
    "spell",
    "spell_latency",
    "table",
    "word",
    "write_csv",
]
