"""Image data: sources, the split into three parts, batches and their augmentation, a user's own data module.

Names are loaded when they are first used, so that images are decoded without Lightning.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
