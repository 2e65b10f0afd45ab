from .assembly import build as build
from .assembly import load_space as load_space
from .cost import count as count
from .cost import measure_latency as measure_latency
from .evaluation import Ledger as Ledger
from .evaluation import open_ledger as open_ledger
from .export import load_export as load_export
from .inquiry import Reply as Reply
from .launch import ask as ask
from .launch import load_table as load_table
from .launch import open_study as open_study
from .results import front as front
from .results import hypervolume as hypervolume
from .results import knee as knee
from .results import learning_curves as learning_curves
from .results import placements as placements
from .results import read_csv as read_csv
from .results import write_csv as write_csv
from .sampler import KnownCostSampler as KnownCostSampler
from .search import Table as Table
from .settings import Backbone as Backbone
from .space import Architecture as Architecture
from .space import InputError as InputError
from .space import parse as parse

__version__: str
