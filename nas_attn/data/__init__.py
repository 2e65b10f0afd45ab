"""Image data: sources, the split into three parts, batches and their augmentation, a user's own data module."""

from nas_attn.loaders import LoaderPart, RngState, mixed_seed, quiet, seed_generators

from .batches import Batch, Batches, PartBatches, batches_in_order, training_batches
from .fingerprint import fingerprint, spelt_labels
from .images import ImageData, Part, share_devices
from .reduction import joined, reduced
from .sources import load_data, undecodable
