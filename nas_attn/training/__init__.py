"""How well a network does: images in three parts, a recipe, and the score of what they make of it."""

from .checkpoint import OnEpoch
from .classifier import Classifier, Variants
from .failure import TrainingFailed, memory_faults_told
from .fit import Score, score, train
from .images import ImageData, Part
from .sources import load_data
from .trainer import check_trainer, training_device

__all__ = [
    "ImageData",
    "Part",
    "load_data",
    "Classifier",
    "OnEpoch",
    "Score",
    "Variants",
    "TrainingFailed",
    "memory_faults_told",
    "train",
    "score",
    "check_trainer",
    "training_device",
]
