"""What the proxies of a study are worth, compared with full training.

`run` trains, and needs torch; the rest reads what was found.
"""

from .ranking import Audit
from .rankings import audited, read_rankings
from .table import readable_audit, write_frame
from .words import sentences
