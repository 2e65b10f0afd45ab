"""The search of one step: ask the sampler, price, train, write down."""

from .loop import OnRow, Search
from .promotion import promoted
from .references import read_comparing, train_width_matched, write_comparing
from .screen import screen
from .tabular import Table
