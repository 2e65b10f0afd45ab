"""Images in three parts: where they come from, how they are split, batches of them, and their augmentation."""

from .batches import Batch, PartBatches, batches_in_order, training_batches
from .fingerprint import fingerprint
from .images import ImageData, Part
from .loader import LoaderPart
from .quiet import Unheard, quiet
from .reduction import reduced
from .sources import load_data

__all__ = [
    "Batch",
    "ImageData",
    "LoaderPart",
    "Part",
    "PartBatches",
    "Unheard",
    "batches_in_order",
    "fingerprint",
    "load_data",
    "quiet",
    "reduced",
    "training_batches",
]
