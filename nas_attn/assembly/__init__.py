"""From a file to a network: the search space that a file states, and the `nn.Module` of an architecture."""

from .build import build as build
from .build import furnish as furnish
from .build import identity_started as identity_started
from .build import place as place
from .build import seed_of as seed_of
from .build import seeded as seeded
from .spacefile import SpaceFile as SpaceFile
from .spacefile import load_space as load_space
