"""What a network costs: parameters, multiply-accumulates and FLOPs, counted, and milliseconds, measured.

Names are loaded when they are first used, so that costs are counted without what predicts latencies.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
