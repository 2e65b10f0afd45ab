"""From a file to a network: the search space that a file states, and the `nn.Module` of an architecture."""

from .build import build, furnish, identity_started, place, seed_of, seeded
from .spacefile import SpaceFile, load_space, read_space
