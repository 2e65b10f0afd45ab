"""How a network learns: a recipe, the trainer, checkpoints, and the score of what it makes of images."""

from .checkpoint import OnEpoch
from .classifier import Classifier, Variants
from .failure import Diverged, Raised, TrainingFailed, faults_told
from .fit import Score, score, train, try_step
from .judging import Normalise
from .recalibration import Judged, recalibration
from .trainer import check_trainer, deciding, training_device
from .zero_cost import gradnorm, jacob_cov, synflow

__all__ = [
    "Classifier",
    "Diverged",
    "Judged",
    "Normalise",
    "OnEpoch",
    "Raised",
    "Score",
    "TrainingFailed",
    "Variants",
    "check_trainer",
    "deciding",
    "faults_told",
    "gradnorm",
    "jacob_cov",
    "recalibration",
    "score",
    "synflow",
    "train",
    "training_device",
    "try_step",
]
