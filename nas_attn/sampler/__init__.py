"""`KnownCostSampler`: Bayesian optimisation where one objective is learnt and the costs are known."""

from .candidates import Cost, Fits, Priced, Within
from .history import EVALUATIONS
from .known_cost import KnownCostSampler
