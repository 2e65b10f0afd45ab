"""Trainings of a search, step by step, and the minutes that they take."""

import math
from collections import Counter

from nas_attn.chain import Chain
from nas_attn.cost import device_name
from nas_attn.data import ImageData, Part
from nas_attn.settings import Step
from nas_attn.tasks import ImageTask
from nas_attn.training import training_device

from .durations import Durations
from .searchplan import PlannedStep, SearchPlan


def plan_search(chain: Chain, trials: int | None = None) -> SearchPlan:
    """What the search of a study will take from where it stands; `trials` is as `run_chain` takes it.

    The plain backbone and each kind everywhere are trained for a few batches, and the plain backbone's latency is
    measured, which is remembered; no row is written. Raises `InputError` as `Timing.measure` and `Chain.study` do.
    """
    file, durations = chain.folder.file, Durations(chain)
    first = file.steps[0].model_copy(update={"networks": trials or file.steps[0].networks})
    trained = _trained(chain)
    steps = tuple(_planned(chain, step, durations, trained) for step in (first, *file.steps[1:]))
    untimed = [step.networks for step in steps if step.trainings and step.name not in ("supernet",)]
    known = durations.pace(first) if untimed else None
    data = chain.task.data if isinstance(chain.task, ImageTask) else None
    return SearchPlan(
        steps=steps,
        space=chain.space.size,
        parts=None if data is None else _parts(data),
        measure=file.leading,
        latency_s=durations.latencies_s(max(untimed)) if untimed else 0.0,
        timed=0 if known is None else known.networks,
        iteration_ms=math.nan if known is None else 1000 * known.iteration_s,
        batch_size=first.recipe(file.recipe).batch_size,
        jobs=chain.jobs,
        device=device_name(training_device(file.trainer)),
        folds=file.folds,
        judging=0 if data is None else _judging(data, file.steps[-1].seeds),
    )


def _judging(data: ImageData, seeds: int) -> int:
    """Images that validate with so many seeds."""
    return sum(len(one.validation) for one in data.folds[:seeds]) if data.folds else len(data.validation)


def _parts(data: ImageData) -> tuple[int, int, int] | None:
    """Images of each part; None where a user's loaders do not say."""
    train, validation, test = data.train, data.validation, data.test
    if not (isinstance(train, Part) and isinstance(validation, Part) and isinstance(test, Part)):
        return None
    return len(train), len(validation), len(test)


def _trained(chain: Chain) -> Counter[str]:
    """Trainings that are done, by step."""
    return Counter(row.step for row in chain.folder.all_rows() if row.state in ("complete", "failed"))


def _planned(chain: Chain, step: Step, durations: Durations, trained: Counter[str]) -> PlannedStep:
    file = chain.folder.file
    networks = min(step.networks or 1, chain.space.size)
    done, whole = trained[step.name], networks * step.seeds + step.extra_trainings
    left = max(0, whole - done)
    seconds = 0.0
    if left:
        each = 0.0 if step.proxy == "supernet" else left * durations.training_s(step)
        seconds = each + (durations.shared_s(step) if not done else 0.0)
    data = chain.task.data if isinstance(chain.task, ImageTask) else None
    images = round(step.data_share * len(data.train)) if data and isinstance(data.train, Part) else None
    recipe = step.recipe(file.base_recipe if step.proxy == "supernet" else file.recipe)
    return PlannedStep(step.name, networks, step.seeds, step.extra_trainings, done, recipe.epochs, images, seconds)
