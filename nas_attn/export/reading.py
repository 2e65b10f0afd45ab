"""Files by which an exported network reads images: the program `predict.py` and what it has to know, `predict.json`."""

import json
from dataclasses import dataclass, field
from typing import Any

from nas_attn.settings import DataModule, DataSource, ImageFacts, OfTask

from .model_source import TEMPLATES
from .standalone.prediction import main
from .standalone.source import standalone_source


@dataclass(frozen=True, slots=True)
class Reading:
    """How image files become what a network takes, or the reason why only its own training knows that."""

    settings: dict[str, Any] = field(default_factory=dict)
    """Size, channels, normalisation, classes: the content of `predict.json`."""
    reason: str = ""

    def files(self, smallest_batch: int) -> dict[str, bytes]:
        """Content of `predict.py` and `predict.json` for a network that takes so many images at least."""
        if self.reason or not self.settings:
            return {}
        imports, definitions = standalone_source([main])
        program = TEMPLATES.get_template("predict.py.jinja").render(imports=imports, definitions=definitions)
        settings = {**self.settings, "smallest_batch": smallest_batch}
        return {"predict.py": program.encode(), "predict.json": (json.dumps(settings, indent=2) + "\n").encode()}


def reading(source: DataSource | None, facts: ImageFacts) -> Reading:
    """How the images of a study's data source are read; nothing where no source is known."""
    if source is None:
        return Reading()
    if isinstance(source, DataModule | OfTask):
        by = source.module if isinstance(source, DataModule) else "the task's own code"
        return Reading(reason=f"images are prepared by {by}, which does not go along")
    return Reading(
        {
            "format_version": 1,
            "task": facts.task,
            "class_names": list(facts.class_names),
            "channels": facts.in_channels,
            "height": facts.height,
            "width": facts.width,
            "one_size": getattr(source, "image_size", None) is None,
            "background": getattr(source, "background", "white"),
            "mean": list(facts.mean),
            "std": list(facts.std),
            "target_mean": list(facts.target_mean),
            "target_std": list(facts.target_std),
        }
    )
