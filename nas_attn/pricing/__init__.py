"""Known costs of every architecture of a space, as exact sums over its slots."""

from .distribution import Integers
from .totals import COUNTED, SpacePrices, filled
