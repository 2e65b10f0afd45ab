"""Export of a trained network into a folder that needs torch alone."""

from .folder import Winner, export
from .leaving import Leaving, leaving
