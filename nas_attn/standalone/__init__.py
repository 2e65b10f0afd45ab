"""What lets a network leave: its source as one module, weights that torch alone can read, and the proof of both."""

from .proof import Shape, prove
from .source import standalone_source
from .tensors import read_tensors
from .weights import broken, packed

__all__ = ["Shape", "broken", "packed", "prove", "read_tensors", "standalone_source"]
