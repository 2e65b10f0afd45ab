"""Evaluation of architectures: exact costs, latency, training by a protocol, screening by a supernet."""

from .coverage import covering, culprits
from .evaluator import Costs, Evaluator, OnEpoch, screened_row, timing_device
from .jobs import Workers
from .ledger import Ledger, open_ledger
from .pace import Pace, batches_of, pace
from .pretraining import Checkpoint, OnPretrained, PretrainedStore
from .protocol import TrainingProtocol, read_weights, weights_file, write_weights
from .question import data_question, question_of
from .supernet import Supernet, screened
from .timing import OnTimed, Predictor, Timing, predictor
