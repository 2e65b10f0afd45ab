"""Images and space of a study, opened."""

from collections.abc import Sequence

from nas_attn.assembly import load_space
from nas_attn.settings import Backbone, Step
from nas_attn.space import InputError, SearchSpace, parse
from nas_attn.study import StudyFolder
from nas_attn.tasks import Task, own_backbone


def check_listed(steps: Sequence[Step], space: SearchSpace) -> None:
    """See that the networks which a step lists are of the space; raises `InputError` with the step and the network."""
    for step in steps:
        for text in step.architectures:
            try:
                space.answers(parse(text))
            except InputError as error:
                raise InputError(f"step {step.name!r}: architectures: {error}") from None


def check_sizes(steps: Sequence[Step], space: SearchSpace) -> None:
    """See that no step trains smaller images where an attention is built for one size of map.

    Raises `InputError` with the step and the kinds.
    """
    kinds = [kind for slot in space.slots for kind in slot.kinds]
    sized = dict.fromkeys(kind.name for kind in kinds if {"height", "width"} <= dict(kind.options).keys())
    for step in steps:
        if sized and step.resolution != 1:
            found = f"step {step.name!r}: resolution: found {step.resolution:g}"
            raise InputError(f"{found}; allowed: 1, for {', '.join(sized)} is built for one size of map")


def open_space(folder: StudyFolder, task: Task | None = None) -> tuple[Backbone, SearchSpace]:
    """The backbone and the space of a study; attentions start as the identity where the winner will inherit.

    Kinds are tried with the maps of the task's images, or of the image that the space file names.
    """
    start = "identity" if folder.file.final == "inherit" else None
    path = folder.path / folder.file.space
    if task is None:
        spacefile, space = load_space(path, start=start)
    else:
        image, classes, own = task.facts.image, task.classes, own_backbone(task)
        spacefile, space = load_space(path, start=start, image=image, classes=classes, backbone=own)
    return spacefile.backbone, space
