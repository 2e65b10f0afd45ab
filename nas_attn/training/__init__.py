"""Training of a network by a recipe: trainer, checkpoints, scores of trained and of untrained networks."""

from .checkpoint import OnEpoch
from .classifier import Classifier, Variants
from .failure import Diverged, Raised, TrainingFailed, faults_reported, last_lines, networks_own
from .fit import score, train, try_iteration
from .metrics import Normalise, Score
from .recalibration import recalibration
from .trainer import check_trainer, deciding, training_device
from .zero_cost import gradnorm, jacob_cov, synflow
