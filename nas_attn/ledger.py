"""Joint of assembly and cost: what an architecture costs, known before anything is trained."""

import torch

from nas_attn.assembly import build
from nas_attn.cost import Cost, count
from nas_attn.settings import Backbone
from nas_attn.space import Architecture, InputError


def price(architecture: Architecture, backbone: Backbone | str, image: tuple[int, int, int], classes: int) -> Cost:
    """Parameters, MACs and FLOPs for one image of (channels, height, width), without any weights.

    Raises `InputError` for an operator without a price, and where an attention does not take a map of its size.
    """
    with torch.device("meta"):
        network = build(architecture, backbone, in_channels=image[0], classes=classes)
    try:
        return count(network, image)
    except InputError:
        raise
    except ValueError as error:
        size = " x ".join(map(str, image))
        raise InputError(f"{architecture}: cannot take images of {size} here: {error}") from None
