"""A network drawn: its blocks from input to output with their sizes, and what stands where, as SVG and as text."""

from .outline import Costs, Outline, Place, of_names
from .svg import drawing_svg
from .text import drawing_lines
