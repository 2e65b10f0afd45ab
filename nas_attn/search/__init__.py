"""Search of one step: propose, check the costs, train, write down."""

from .loop import OnRow, Search
from .promotion import promoted
from .screen import screen
from .tabular import Table
from .width_matched import read_comparing, train_width_matched, write_comparing
