"""Full trainings that nobody did, in slots where one kind may be worth something: what is true is known."""

from itertools import product

import numpy as np
from made_up import evaluation

from nas_attn.statistics import AdjustedMeans
from nas_attn.statistics.noise import noise

KINDS = ("cbam", "se", "eca", "gate")
PLANTED = "se at stage2"
UNIT = 0.01
"""Accuracy that one standard deviation of the noise is."""


def accuracy_and_loss(values):
    """Both measures of trainings, of values in standard deviations of the noise."""
    return 0.9 + UNIT * values, 0.4 - UNIT * values


def balanced(means, seeds=4, variance=1.0, freedom=None):
    """Networks with these means that all had the same seeds."""
    networks = len(means)
    told = (networks - 1) * (seeds - 1) if freedom is None else freedom
    met, linked = np.ones((networks, seeds)), np.zeros(networks, dtype=int)
    own = np.full(networks, told / networks)
    alike = noise(variance * own, own, variance)
    return AdjustedMeans(np.array(means), met, np.zeros((networks, 0)), linked, variance, told, alike)


def normal(rng, shape):
    """Noise as most statistics have it."""
    return rng.standard_normal(shape)


def trained(
    seed,
    networks=24,
    seeds=5,
    effect=0.0,
    shared=0.5,
    uneven=0.0,
    harm="",
    racing=False,
    slots=3,
    kinds=3,
    second=0.0,
    noise=normal,
    measured=accuracy_and_loss,
):
    """Rows of the bare network and of others drawn from all fillings, `kinds` ** slots of them and emptier ones.

    Noise has a standard deviation of 1 over seeds, of which `shared` is the seed's own, and `uneven` is how much its
    logarithm differs between networks; `noise` draws what is not shared, and `measured` makes accuracy and loss of
    values. The planted kind adds `effect` and, where the first slot has the same kind, `second`. `harm` makes networks
    worse than the bare one: "some kinds", "every network", each by 1, or "at random". Racing trains each with 2 seeds,
    then a half, a quarter, ... of those that lead with one more, and the bare one with all.
    """
    rng = np.random.default_rng(seed)
    choices = list(product(range(kinds + 1), repeat=slots))
    drawn = [choices[0], *(choices[1 + number] for number in rng.permutation(len(choices) - 1)[: networks - 1])]
    worth = np.array([_worth(filled, effect, second, harm) for filled in drawn])
    if harm == "at random":
        worth[1:] -= np.abs(rng.standard_normal(len(drawn) - 1))
    scale = np.sqrt(1 - shared**2) * np.exp(uneven * rng.standard_normal(len(drawn)))
    own = scale[:, None] * noise(rng, (len(drawn), seeds))
    values = worth[:, None] + shared * rng.standard_normal(seeds) + own
    done = _raced(values) if racing else np.ones(values.shape, dtype=bool)
    lines = zip(drawn, *measured(values), done, strict=True)
    return [row for filled, accuracies, losses, had in lines for row in _rows(filled, accuracies, losses, had)]


def _worth(filled, effect, second, harm):
    here = effect * (filled[1] == 2) + second * (filled[0] == filled[1] == 2)
    if harm == "some kinds":
        here -= sum(kind in (1, 3) for kind in filled)
    return here - (harm == "every network" and any(filled))


def _raced(values):
    done = np.zeros(values.shape, dtype=bool)
    done[:, :2] = done[0] = True
    for seed in range(2, values.shape[1]):
        means = np.where(done, values, 0).sum(axis=1) / done.sum(axis=1)
        done[np.argsort(-means)[: max(3, len(values) // 2 ** (seed - 1))], seed] = True
    return done


def _rows(filled, accuracies, losses, done):
    spelling = " ".join(f"stage{slot}.block0.branch={KINDS[kind - 1]}" for slot, kind in enumerate(filled, 1) if kind)
    first = evaluation(spelling or "none")
    return [
        evaluation(
            spelling or "none",
            key=first.key,
            accuracy=accuracy,
            loss=loss,
            seed=seed,
            state="complete",
            flops=80_000_000 + 1_000_000 * sum(bool(kind) * (slot + kind) for slot, kind in enumerate(filled)),
            train_seconds=30.0,
        )
        for seed, (accuracy, loss, had) in enumerate(zip(accuracies.tolist(), losses.tolist(), done, strict=True))
        if had
    ]
