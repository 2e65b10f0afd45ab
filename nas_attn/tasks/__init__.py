"""Tasks: what the networks of a study learn, how they are trained for it, and what judges them."""

from .code import code_digest
from .of_images import ImageTask
from .opening import open_own_task, open_task, own_backbone
from .own_function import FunctionTask
from .own_module import ModuleTask
from .task import Task, Training
