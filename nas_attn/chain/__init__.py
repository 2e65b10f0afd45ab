"""Chain of a study: its steps in turn."""

from .run import run_chain
from .steps import Chain, Watch, open_space

__all__ = [
    "Chain",
    "Watch",
    "open_space",
    "run_chain",
]
