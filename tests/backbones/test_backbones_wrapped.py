"""Networks as people wrap them: what is around modules and weights is taken off and told, or refused with its cure."""

import pytest
import torch
from versions import TORCH_EXPORTS_ON_META

from nas_attn.assembly import build
from nas_attn.backbones import plan
from nas_attn.cost import count
from nas_attn.settings import Backbone
from nas_attn.space import Architecture, InputError, parse

PLACED = parse("stage1.block0.branch=se(reduction=2) stage2.block1.stage=cbam(kernel_size=3)")
SHAPE = {"in_channels": 1, "classes": 10}


def backbone_of(name):
    return Backbone(name=f"wrapped_networks:{name}", image=(8, 8))


def places(name):
    return [(one.site.name, one.site.channels, one.point.module) for one in plan(backbone_of(name), **SHAPE).places]


TAKEN = {
    "data_parallel": "the network: nn.DataParallel is taken off",
    "data_parallel_inside": "layer1: nn.DataParallel is taken off",
    "data_parallel_by_two_names": "layer1: nn.DataParallel is taken off",
    "compiled": "the network: torch.compile is taken off",
    "compiled_inside": "layer2.0: torch.compile is taken off",
    "compiled_in_place": "layer2: torch.compile is taken off; compile what is exported",
    "averaged": "the network: AveragedModel is taken off",
    "weight_norm_by_hooks": "weight norms by hooks are parametrisations now",
    "lazy": "stem.0, fc: lazy, made by a pass of one image of 1 channels",
    "half": "its weights were float16, and are float32",
    "brain_half": "its weights were bfloat16, and are float32",
    "double": "its weights were float64, and are float32",
    "weight_norm": "",
    "spectral_norm": "",
    "spectral_norm_by_hooks": "",
    "in_eval_mode": "",
    "hooked": "",
    "channels_last": "",
    "with_a_buffer_that_is_not_kept": "",
    "checkpointed": "",
    "synchronised": "",
    "frozen": "",
}


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("name", TAKEN)
def test_a_wrapped_network_has_the_places_of_the_plain_one_and_learns(name, caplog):
    backbone = backbone_of(name)
    assert places(name) == places("plain")
    assert TAKEN[name] in caplog.text
    network = build(PLACED, backbone, **SHAPE).train()
    loss = torch.nn.functional.cross_entropy(network(torch.rand(4, 1, 8, 8)), torch.arange(4))
    loss.backward()
    assert all(one.grad is not None for path, one in network.named_parameters() if "attentions" in path)
    if TAKEN[name] and "weight_norm" not in name:
        plain = backbone_of("plain")
        assert count(network, (1, 8, 8)) == count(build(PLACED, plain, **SHAPE), (1, 8, 8))


@pytest.mark.filterwarnings("ignore:.*torch.ao.quantization is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*quantized tensor creation functions:UserWarning")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("scripted", "is TorchScript, into which nothing can be put; give the nn.Module itself"),
        ("scripted_inside", "layer1 is TorchScript"),
        ("traced", "is TorchScript"),
        pytest.param(
            "exported",
            r"is a program of torch\.export; give the nn\.Module that it was made of",
            marks=TORCH_EXPORTS_ON_META,
        ),
        ("quantised", r"stem\.0 is quantised \(Conv2d\), so it cannot learn; give the network as it was before"),
        ("quantised_last_layer", r"fc is quantised \(Linear\)"),
        ("half_inside", r"layer2\.0\.conv1\.weight is float16, and others are not; give it in float32"),
        ("made_in_inference_mode", r"was made in torch\.inference_mode, so it cannot learn"),
        (
            "lazy_and_wide",
            r"stem\.0 is lazy, and a pass of images of 1 x 8 x 8 does not make it: .*image = \[HEIGHT, WIDTH\]",
        ),
    ],
)
def test_what_cannot_be_read_or_cannot_learn_is_refused_with_its_cure(name, message):
    with pytest.raises(InputError, match=message):
        build(Architecture(), backbone_of(name), **SHAPE)


def test_a_graph_of_fx_has_those_places_of_the_network_that_modules_mark(caplog):
    of_graph, of_network = places("graph"), places("plain")
    assert "the network is a graph of torch.fx" in caplog.text
    inside = [one for one in of_network if one[0].split(".")[2] in ("pre", "inner", "branch")]
    assert of_graph == inside
    (remark,) = plan(backbone_of("graph"), **SHAPE).remarks
    assert "After 4 blocks no place" in remark


@pytest.mark.parametrize("name", ["shortcut_first", "shortcut_last"])
def test_no_attention_stands_on_the_shortcut_alone_where_a_block_passes_its_input_on_by_an_identity(name):
    """`self.shortcut(x)` gives x itself: what stands before it would weigh x for the shortcut alone."""
    assert not [module for _, _, module in places(name) if module.startswith("<") and module.endswith("shortcut")]


def test_a_module_of_two_names_is_unwrapped_under_both():
    network = build(Architecture(), backbone_of("data_parallel_by_two_names"), **SHAPE)
    assert network.alias is network.layer1
    assert not [one for one in network.modules() if isinstance(one, torch.nn.DataParallel)]


def test_frozen_weights_are_told():
    (remark,) = plan(backbone_of("frozen"), **SHAPE).remarks
    assert remark == "Frozen and not trained: 12 parameters, of which layer1.0.conv1.weight is the first"
