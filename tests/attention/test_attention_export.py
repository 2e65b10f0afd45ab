import pytest
import torch
from attention_cases import CASES, build, inputs, too_small
from thoroughness import THOROUGH
from torch.export import Dim, export
from versions import TORCH_FREES_FEWER_SIZES

SHAPES = [(1, 8, 5, 9), (4, 8, 7, 7), (2, 8, 6, 3)]
WIDTHS = {"reduction", "divisor", "bias", "e_lambda", "kernel_size", "dilation", "group_width", "norm_groups"}
"""Options whose values change the numbers of a program, and not its operators or sizes."""


def exported_cases():
    """The first case of each kind and those with other operators; all where NAS_ATTN_THOROUGH is set."""
    seen = set()
    for kind, options in CASES:
        if THOROUGH or kind not in seen or {*options} - WIDTHS:
            yield kind, options
        seen.add(kind)


@pytest.mark.parametrize(("kind", "options"), [*exported_cases()])
def test_an_exported_attention_takes_any_batch_height_and_width(kind, options):
    if TORCH_FREES_FEWER_SIZES and options.keys() & {"subsample", "extent"}:
        pytest.skip("torch 2.6 fixes the size of what is pooled")
    least = 3 if options.get("subsample") else 1 + options.get("extent", 0)  # torch.export fixes a pooled side of 1
    attention = build(kind, 8, **options)
    examples = inputs(attention, 3, 8, 8, 6)
    least_sides = {0: ("batch", 1), 2: ("height", least), 3: ("width", least)}
    sides = {place: Dim(name, min=side, max=4096) for place, (name, side) in least_sides.items()}
    exported = export(attention, examples, dynamic_shapes=(sides,) * len(examples), strict=False).module()
    smallest = (1, 8, least, least + too_small(kind, (1, 8, least, least)))
    for shape in [*(shape for shape in SHAPES if min(shape[2:]) >= least), smallest]:
        maps = inputs(attention, *shape)
        torch.testing.assert_close(exported(*maps), attention(*maps), rtol=0, atol=1e-6)
