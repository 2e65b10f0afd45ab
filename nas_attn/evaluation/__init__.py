"""What counting, timing and training find out about one architecture."""

from .evaluator import Costs, Evaluator, OnEpoch, screened_row, timing_device
from .jobs import Workers
from .ledger import Ledger, open_ledger
from .pretraining import Kept, Nursery, OnPretrained
from .protocol import Treatment, read_weights, weights_file
from .question import data_question, question_of
from .supernet import Supernet, screened
from .timing import OnTimed, Predictor, Timing, predictor

__all__ = [
    "Costs",
    "Evaluator",
    "Kept",
    "Ledger",
    "Nursery",
    "OnEpoch",
    "OnPretrained",
    "OnTimed",
    "Predictor",
    "Supernet",
    "Timing",
    "Treatment",
    "Workers",
    "question_of",
    "data_question",
    "open_ledger",
    "predictor",
    "read_weights",
    "screened",
    "screened_row",
    "timing_device",
    "weights_file",
]
