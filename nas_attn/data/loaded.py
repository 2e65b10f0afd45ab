"""What the loaders of a user's data module give, handed on."""

from nas_attn.loaders import LoaderPart as LoaderPart
from nas_attn.loaders import RngState as RngState
from nas_attn.loaders import mixed_seed as mixed_seed
from nas_attn.loaders import quiet as quiet
from nas_attn.loaders import seed_generators as seed_generators
