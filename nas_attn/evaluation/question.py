"""The question that the rows of a step answer: the settings that they depend on, so that rows of two do not mix."""

from typing import Any

import torch

from nas_attn.cost import device_name
from nas_attn.settings import Backbone, BuiltInTask, Step, StudyFile
from nas_attn.tasks import code_digest
from nas_attn.training import deciding

from .timing import host

_OF_NO_ROW = {"name", "networks", "architectures", "seeds", "extra_trainings", "score"}
"""Settings of a step that do not change its rows."""
_OF_RECIPE = {"epochs", "learning_rate", "batch_size"}
"""Settings of a step that are part of its recipe."""


def question_of(file: StudyFile, step: Step, backbone: Backbone, timed_on: torch.device) -> dict[str, Any]:
    """Settings that decide the rows of a step; where files stand, and what the latency target is called, do not."""
    recipe = step.recipe(file.base_recipe if step.proxy == "supernet" else file.recipe)
    base = (file.base_recipe,) if step.proxy == "inherit" else ()
    latency = file.latency.model_dump(exclude={"name", "source"})
    if "latency_ms" in file.objectives or "latency_ms" in file.budget.limits:
        latency["measured_on"] = f"{device_name(timed_on)}, host {host(timed_on)}"
    return {
        "objectives": file.objectives,
        "seed": file.seed,
        "latency": latency,
        "trainer": {name: str(value) for name, value in deciding(file.trainer).items()},
        "task": task_question(file),
        "metrics": {name: one.model_dump(include={"metric", "arguments"}) for name, one in file.metrics.items()},
        "data": data_question(file),
        "backbone": backbone.identity(),
        "recipe": recipe.model_dump(),
        "base": base[0].model_dump() if base else {},
        "code": {name: code_digest(name) for one in (recipe, *base) for name in one.named},
        "step": step.model_dump(exclude=_OF_NO_ROW | _OF_RECIPE),
    }


def task_question(file: StudyFile) -> dict[str, Any]:
    """Settings that decide what networks learn, and the user's own code for it; nothing where it is the usual task."""
    said = file.task.model_dump(exclude_defaults=isinstance(file.task, BuiltInTask))
    named = next((said[kind] for kind in ("module", "function") if kind in said), None)
    return {**said, "code": code_digest(named)} if named else said


def data_question(file: StudyFile) -> dict[str, Any]:
    """Settings that decide a study's images; where their files stand does not, and no folds are not named."""
    return file.data.model_dump(exclude={"path", "val_path", "test_path", *(("folds",) if file.folds == 1 else ())})
