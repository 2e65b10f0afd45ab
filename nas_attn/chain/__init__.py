"""Chain of a study: its steps in turn."""

from .opening import open_space
from .run import run_chain
from .steps import Chain
from .watch import Watch
