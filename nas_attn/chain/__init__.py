"""Chain of a study: its steps in turn."""

from .run import run_chain
from .steps import Chain, Watch, open_data, open_space
