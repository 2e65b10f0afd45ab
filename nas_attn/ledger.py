"""Joint of assembly and cost: what an architecture costs, known before anything is trained."""

import torch

from nas_attn.assembly import build
from nas_attn.cost import Cost, count
from nas_attn.space import Architecture


def price(architecture: Architecture, backbone: str, image: tuple[int, int, int], classes: int) -> Cost:
    """Parameters, MACs and FLOPs for one image of (channels, height, width); nothing is run and nothing is held."""
    with torch.device("meta"):
        network = build(architecture, backbone, in_channels=image[0], classes=classes)
    return count(network, image)
