"""Training of a network by a recipe: trainer, checkpoints, scores of trained and of untrained networks."""

from .checkpoint import OnEpoch, drop_checkpoint, identity_of
from .classifier import Classifier, Variants
from .device import guest
from .failure import (
    Diverged,
    OutOfMemory,
    Raised,
    TrainingFailed,
    faults_reported,
    interrupts_reported,
    last_lines,
    memory_faults_reported,
    networks_own,
)
from .fit import score, train, try_iteration, try_recipe
from .metrics import Normalise, Score
from .own_module import Logged, fit_module, run_module
from .own_recalibration import module_recalibration
from .reading import batch_loss, expected_shape, is_expected, score_tensors
from .recalibration import recalibration
from .trainer import check_trainer, deciding, logging_apart, training_device
from .zero_cost import gradnorm, jacob_cov, synflow
