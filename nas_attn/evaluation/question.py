"""Joint of settings, timing and training: what the rows of a step answer, so that rows of two questions do not mix."""

from typing import Any

import torch

from nas_attn.cost import device_name
from nas_attn.settings import Backbone, Step, StudyFile
from nas_attn.training import deciding

from .timing import host

_OF_NO_ROW = {"name", "networks", "chosen_by", "seeds", "extra_trainings", "score"}
"""What a step says that does not change its rows."""
_OF_RECIPE = {"epochs", "learning_rate", "batch_size"}
"""What a step says that its recipe says."""
_AS_BEFORE = {("background", "white")}
"""What data were asked for before it could be said."""


def question_of(file: StudyFile, step: Step, backbone: Backbone, timed_on: torch.device) -> dict[str, Any]:
    """What a row of this step answers; where files stand, and what the target is called, are no part."""
    asked = file.model_dump(include={"objectives", "seed", "latency"})
    asked["trainer"] = {name: str(value) for name, value in deciding(file.trainer).items()}
    asked["data"] = data_question(file)
    asked["backbone"] = backbone.identity()
    asked["recipe"] = step.recipe(file.base_recipe if step.proxy == "supernet" else file.recipe).model_dump()
    if step.proxy == "inherit":
        asked["base"] = file.base_recipe.model_dump()
    asked["step"] = step.model_dump(exclude=_OF_NO_ROW | _OF_RECIPE)
    for told_by_each_row in ("name", "source"):
        del asked["latency"][told_by_each_row]
    if "latency_ms" in file.objectives or file.budget.max_latency_ms:
        asked["latency"]["measured_on"] = f"{device_name(timed_on)}, host {host(timed_on)}"
    return asked


def data_question(file: StudyFile) -> dict[str, Any]:
    """Which images a study asks for; where their files stand is no part, nor what older studies could not ask."""
    asked = file.data.model_dump(exclude={"path", "test_path"})
    return {name: value for name, value in asked.items() if (name, str(value)) not in _AS_BEFORE}
