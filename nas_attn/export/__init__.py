"""Export of a trained network into a folder that needs torch alone."""

from .folder import export
from .leaving import Leaving, leaving
from .loading import load_export
from .winner import Final, Winner
