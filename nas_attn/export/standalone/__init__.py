"""Parts of an export that know nothing of the package: source, weights, their folder and its proof."""

from .folder import claimed, exchange, write_file
from .proof import Shape, prove
from .source import standalone_source
from .tensors import read_tensors
from .weights import broken, packed

__all__ = [
    "Shape",
    "broken",
    "claimed",
    "exchange",
    "packed",
    "prove",
    "read_tensors",
    "standalone_source",
    "write_file",
]
