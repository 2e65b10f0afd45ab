"""The search of one step: ask the sampler, price, train, write down."""

from .loop import OnRow, Search
from .promotion import Lead, lead, promoted
from .references import read_held, train_rivals, write_held
from .screen import screen
from .tabular import Table, load_table

__all__ = [
    "Lead",
    "OnRow",
    "Search",
    "lead",
    "promoted",
    "read_held",
    "screen",
    "Table",
    "load_table",
    "train_rivals",
    "write_held",
]
