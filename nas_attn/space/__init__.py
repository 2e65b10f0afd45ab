"""Ground floor: the values of the subject. What may be chosen, what was chosen, and how it is spelt."""

from .architecture import NONE, POSITIONS, Architecture, Attention, Placement, Site
from .errors import InputError, allowed, quoted
from .searchspace import Choice, Choose, Kind, SearchSpace, Slot
from .text import parse
from .values import Value

__all__ = [
    "NONE",
    "POSITIONS",
    "Architecture",
    "Attention",
    "Choice",
    "Choose",
    "InputError",
    "Kind",
    "Placement",
    "SearchSpace",
    "Site",
    "Slot",
    "Value",
    "allowed",
    "parse",
    "quoted",
]
