"""Programs take every batch and size that their network takes."""

import io

import torch
from torch import nn

from nas_attn.export.program import taken_shapes, torch_program


class Permuted(nn.Module):
    """Layer norms over channels that lie last, as ConvNeXt has them."""

    def __init__(self):
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, 8, 4, stride=4), nn.LayerNorm(8)
        self.deep, self.second = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.LayerNorm(8)
        self.head = nn.Linear(8, 10)

    def forward(self, images):
        features = self.first(self.stem(images).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        more = self.second(self.deep(features).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.head((features + more).mean((2, 3)))


def test_a_program_of_a_network_that_permutes_takes_any_batch_one_among_them():
    network = Permuted().eval()
    made = torch_program(network, taken_shapes(network, (3, 32, 32)))
    assert (made.note, len(made.shapes)) == ("", 3)
    loaded = torch.export.load(io.BytesIO(made.content)).module()
    with torch.inference_mode():
        for shape in ((1, 3, 32, 32), (7, 3, 32, 32), (1, 3, 20, 44), (2, 3, 64, 48)):
            images = torch.rand(shape)
            assert torch.allclose(loaded(images), network(images), atol=1e-6)
