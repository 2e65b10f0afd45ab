"""The network of choice, trained for good beside what it has to beat, and judged by the test part.

`run` trains, and needs torch; the rest reads what was found.
"""

from .retrained import Retrained, read_retrained
