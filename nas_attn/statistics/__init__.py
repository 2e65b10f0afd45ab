"""Estimates from noisy trainings: effects, ranks, posteriors, and the probability to be on the front."""

from .balanced import Truth, truth
from .contrasts import Contrasts
from .front_probability import SURE, Membership, Standing, costs_among, membership
from .images import FoldRecords, ImageRecords, ImageVariance, image_records, image_variance
from .least_squares import AdjustedMeans, Trainings, adjusted_means, trainings
from .lookahead import Lookahead, lookahead
from .main_effects import Additive, Level, additive, cells, fillings, interactions, removals
from .noise_ceiling import Ceiling, Components, ceiling, components
from .posterior import Posterior, posterior
from .rank_correlation import UNKNOWN, Estimate, Numbers, estimate, kendall, resamples, spearman
from .simultaneous import Compared, Family, alone, compared
