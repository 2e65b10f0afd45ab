"""The search of one step: ask the sampler, price, train, write down."""

from .loop import OnRow, Search
from .promotion import promoted
from .references import read_held, train_rivals, write_held
from .screen import screen
from .tabular import Table

__all__ = [
    "OnRow",
    "Search",
    "promoted",
    "read_held",
    "screen",
    "Table",
    "train_rivals",
    "write_held",
]
