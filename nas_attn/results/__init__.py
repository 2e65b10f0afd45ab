"""Rows of what was found, the table of them, and their Pareto front."""

from .agreement import Agreement, agreement, measured_later
from .curves import Epochs, learning_curves, read_curve, spelt_curve
from .front import Front, Objectives, candidates, directions, front, hypervolume, knee, losses, pareto_front
from .kept import OUTCOMES, Kept, outcomes_file, read_outcomes, write_outcomes
from .outcomes import Outcomes, images_digest, packed_outcomes, unpacked_outcomes
from .placed import placements
from .points import Record, staircase
from .rows import Evaluation, Latency, Slots, State, cell, evaluation, known_columns, spell_cell, spell_mean
from .table import across_seeds, evaluations, read_csv, table, write_csv
from .where import selected
from .written import Faults, read_row, written_row
