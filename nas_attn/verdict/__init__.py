"""Whether attention pays, and how sure that is.

`run` trains what the best network is compared with, and needs torch; the rest reads what was found.

Names are loaded when they are first used, so that a front needs no charts.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
