"""How well a network does: images in three parts, a recipe, and the score of what they make of it."""

from .batches import batches_in_order
from .checkpoint import OnEpoch
from .classifier import Classifier, Variants
from .failure import Diverged, Raised, TrainingFailed, faults_told
from .fingerprint import fingerprint
from .fit import Score, score, train, try_step
from .images import ImageData, Part
from .judging import Normalise
from .loader import LoaderPart
from .recalibration import Judged, recalibration
from .reduction import reduced
from .sources import load_data
from .trainer import check_trainer, deciding, training_device
from .zero_cost import gradnorm, jacob_cov, synflow

__all__ = [
    "ImageData",
    "Part",
    "LoaderPart",
    "fingerprint",
    "load_data",
    "reduced",
    "Classifier",
    "OnEpoch",
    "Score",
    "Variants",
    "Diverged",
    "Raised",
    "TrainingFailed",
    "faults_told",
    "train",
    "try_step",
    "score",
    "check_trainer",
    "deciding",
    "training_device",
    "Judged",
    "Normalise",
    "batches_in_order",
    "recalibration",
    "gradnorm",
    "jacob_cov",
    "synflow",
]
