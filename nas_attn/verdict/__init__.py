"""Whether attention pays, and how sure that is.

`run` trains what the best network is compared with, and needs torch; the rest reads what was found.
"""

from .changed_images import ChangedImages, read_thumbnails
from .conclusion import Conclusion
from .standings import Standings, standings
from .stored import VERDICT, concluded
