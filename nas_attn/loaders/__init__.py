"""A user's own data module: its trainer and hooks, its loaders, its batches in one form; random states."""

from .host import Host, Stage
from .parts import LoaderBatches, LoaderPart, RngState, mixed_seed, seed_generators
from .quiet import quiet
from .user_batches import counted, no_batch, one_loader, pair, shape_of, unread
