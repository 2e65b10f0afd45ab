"""Plan of a search, in words."""

import math
from collections.abc import Iterator

from scipy.stats import binomtest

from nas_attn.settings import Measure, duration

from .searchplan import PlannedStep, SearchPlan

_RIGHT = 0.9
"""Share of images that are right, for an example."""


def plan_said(plan: SearchPlan) -> Iterator[str]:
    """Images, steps, trainings and minutes, and what the images that judge tell apart, a line each."""
    if plan.parts is not None:
        train, validation, test = (f"{number:,}" for number in plan.parts)
        yield f"{plan.space:,} networks to choose from; {train} images train, {validation} judge, {test} are kept apart"
        if plan.folds > 1:
            judging = f"{plan.judging:,} images with those of the last step"
            yield f"{plan.folds} folds judge in turn, one with each seed: {judging}"
    yield from map(_step_said, plan.steps)
    left = sum(step.trainings for step in plan.steps)
    if not left:
        yield "Nothing is left to be trained"
    elif math.isnan(plan.seconds):
        yield f"At most {left:,} trainings, by code of your own, which is not timed before"
    else:
        of = f"a few batches of {plan.timed} baseline{'s' if plan.timed > 1 else ''}"
        pace = f"{_spelt(plan.iteration_ms)} for {plan.batch_size} images, as {of} take just now"
        where = f"{plan.device}, {plan.jobs} at a time" if plan.jobs > 1 else plan.device
        yield f"At most {left:,} trainings: about {duration(plan.seconds)} with all timing, on {where} ({pace})"
    if plan.parts is not None:
        yield _resolution(plan.measure, plan.judging or plan.parts[1])


def _step_said(step: PlannedStep) -> str:
    networks = f"up to {step.networks:,} network{'s' if step.networks > 1 else ''}"
    seeds = f" x {step.seeds} seeds" if step.seeds > 1 else ""
    more = f" and {step.more} more trainings" if step.more else ""
    done = f" ({step.trained:,} trainings done)" if step.trained else ""
    epochs = f"{step.epochs} epoch{'s' if step.epochs > 1 else ''}"
    images = "" if step.images is None else f" of {step.images:,} images"
    time = "" if math.isnan(step.seconds) else f": {duration(step.seconds)}"
    return f"step {step.name}: {networks}{seeds}{more}{done}, {epochs}{images}{time if step.trainings else ''}"


def _resolution(measure: Measure, images: int) -> str:
    """What one image counts, and how sure a network's share is for images like these."""
    if measure.name != "accuracy":
        return f"{measure.title} is judged by {images:,} images"
    ends = binomtest(round(_RIGHT * images), images).proportion_ci(0.95, method="wilson")
    range_ = f"{100 * ends.low:.1f} to {100 * ends.high:.1f} %"
    point = f"One of {images:,} images is {100 / images:.2f} points of accuracy"
    return f"{point}; {100 * _RIGHT:.0f} % right on them may be {range_} on all images like these (95 % interval)"


def _spelt(milliseconds: float) -> str:
    return f"{milliseconds:.3g} ms" if milliseconds < 999.5 else f"{milliseconds / 1000:.3g} s"
