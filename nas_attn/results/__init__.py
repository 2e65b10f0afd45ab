"""What a study has found: its rows, the table of them, and the front on which no network is beaten.

The figure, the page and the audit of proxies stand in `nas_attn.results.pictures`, `nas_attn.results.report` and
`nas_attn.results.audit`; importing them takes longer.
"""

from .agreement import Agreement, agreement, measured_later
from .front import DIRECTIONS, Direction, Objectives, front, hypervolume, knee
from .rows import Evaluation, State
from .table import evaluations, read_csv, table, write_csv

__all__ = [
    "Evaluation",
    "State",
    "table",
    "evaluations",
    "write_csv",
    "read_csv",
    "DIRECTIONS",
    "Direction",
    "Objectives",
    "front",
    "knee",
    "hypervolume",
    "Agreement",
    "agreement",
    "measured_later",
]
