"""Estimates from noisy trainings: effects, ranks, posteriors, and the probability to be on the front."""

from .balanced import METRICS, Metric, Truth, truth
from .front_probability import Membership, Standing, leading, membership
from .least_squares import Trainings, Worth, trainings, worth
from .lookahead import Settling, settling
from .main_effects import Additive, Level, additive, cells, fillings, interactions, removals
from .noise_ceiling import Ceiling, Components, ceiling, components
from .posterior import Belief, believed
from .rank_correlation import UNKNOWN, Estimate, Numbers, estimate, kendall, resamples, spearman
from .simultaneous import Compared, Family, compared

__all__ = [
    "Additive",
    "Belief",
    "Ceiling",
    "Compared",
    "Components",
    "Estimate",
    "Family",
    "Level",
    "METRICS",
    "Membership",
    "Metric",
    "Numbers",
    "Settling",
    "Standing",
    "Trainings",
    "Truth",
    "UNKNOWN",
    "Worth",
    "additive",
    "believed",
    "ceiling",
    "cells",
    "compared",
    "components",
    "estimate",
    "fillings",
    "interactions",
    "kendall",
    "leading",
    "membership",
    "removals",
    "resamples",
    "settling",
    "spearman",
    "trainings",
    "truth",
    "worth",
]
