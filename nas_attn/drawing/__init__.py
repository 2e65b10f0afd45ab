"""A network drawn: its blocks from input to output with their sizes, and what stands where, as SVG and as text."""

from .drawn import Drawing
from .outline import Costs, Outline, Place, more, of_names
from .svg import chip, drawing_svg, labels
from .text import drawing_lines
