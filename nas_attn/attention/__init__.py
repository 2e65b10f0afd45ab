"""Attention modules, each (B, C, H, W) -> (B, C, H, W), and the table that names them.

Names are loaded when they are first used, so that what is said of the kinds is read without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
