"""The search of one step: ask the sampler, price, train, write down."""

from .loop import Following, OnRow, Search
from .promotion import Lead, lead, promoted
from .references import read_comparing, train_width_matched, write_comparing
from .screen import screen
from .tabular import Table, load_table

__all__ = [
    "Following",
    "Lead",
    "OnRow",
    "Search",
    "lead",
    "promoted",
    "read_comparing",
    "screen",
    "Table",
    "load_table",
    "train_width_matched",
    "write_comparing",
]
