"""Images and space of a study, opened."""

from collections.abc import Sequence

from nas_attn.assembly import load_space
from nas_attn.data import ImageData, load_data
from nas_attn.settings import Backbone, Step
from nas_attn.space import InputError, SearchSpace
from nas_attn.study import StudyFolder
from nas_attn.training import training_device


def open_data(folder: StudyFolder) -> ImageData:
    """The images of a study; raises `InputError` as `load_data` does."""
    return load_data(folder.file.data, folder.path, training_device(folder.file.trainer))


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


def open_space(folder: StudyFolder, image: tuple[int, int, int] | None = None) -> tuple[Backbone, SearchSpace]:
    """The backbone and the space of a study; attentions start as the identity where the winner will inherit.

    Kinds are tried with the maps of this image, or of the one that the space file names.
    """
    start = "identity" if folder.file.final == "inherit" else None
    spacefile, space = load_space(folder.path / folder.file.space, start=start, image=image)
    return spacefile.backbone, space
