"""Evaluation of architectures: exact costs, latency, training by a protocol, screening by a supernet.

Names are loaded when they are first used, so that costs are counted without what trains.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
