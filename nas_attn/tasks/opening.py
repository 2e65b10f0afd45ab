"""The task of a study, opened."""

from dataclasses import replace
from pathlib import Path

from nas_attn.assembly import read_space
from nas_attn.data import load_data
from nas_attn.settings import Backbone, BuiltInTask, DataModule, OfTask, OwnFunction, OwnModule, StudyFile
from nas_attn.training import training_device

from .of_images import ImageTask
from .own_function import FunctionTask
from .own_module import ModuleTask
from .task import Task


def open_task(file: StudyFile, folder: Path) -> Task:
    """What the networks of a study learn; paths are relative to its folder.

    Raises `InputError` where images, module or function have faults.
    """
    own = open_own_task(file, folder)
    if own is not None:
        return own
    kind = file.task.kind if isinstance(file.task, BuiltInTask) else "classification"
    data = load_data(file.data, folder, training_device(file.trainer), kind)
    return ImageTask(replace(data, measures=file.measures), file.seed)


def open_own_task(file: StudyFile, folder: Path, image: tuple[int, int, int] | None = None) -> Task | None:
    """The task of a study where the user's own code trains, else None; nothing runs where the image is known."""
    if isinstance(file.task, OwnModule):
        source = file.data if isinstance(file.data, DataModule | OfTask) else OfTask()
        return ModuleTask(file.task, source, file.trainer, image)
    if isinstance(file.task, OwnFunction):
        space = read_space(folder / file.space)
        return FunctionTask(file.task, space.image, space.classes)
    return None


def own_backbone(task: Task) -> Backbone | None:
    """The network of a user's own module, which a space file then does not name."""
    return task.backbone if isinstance(task, ModuleTask) else None
