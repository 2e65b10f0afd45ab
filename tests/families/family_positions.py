"""Where the sites of families are, held against what their libraries say themselves."""

import copy
from functools import partial

import torch
from placing import Recorder, build, wake
from torch import nn

from nas_attn.backbones import plan
from nas_attn.settings import Backbone

BLOCKS = {
    "torchvision:resnet18": ("layer1.0 64", "layer4.1 512"),
    "timm:resnetv2_50": ("stages.0.blocks.0 256", "stages.3.blocks.2 2048"),
    "timm:resnext50_32x4d": ("layer1.0 256", "layer4.2 2048"),
    "torchvision:wide_resnet50_2": ("layer1.0 256", "layer4.2 2048"),
    "timm:legacy_seresnet18": ("layer1.0 64", "layer4.1 512"),
    "timm:skresnet18": ("layer1.0 64", "layer4.1 512"),
    "timm:resnest14d": ("layer1.0 256", "layer4.0 2048"),
    "timm:res2net50_26w_4s": ("layer1.0 256", "layer4.2 2048"),
    "timm:tresnet_m": ("body.layer1.0 64", "body.layer4.2 2048"),
    "timm:regnetx_002": ("s1.b1 24", "s4.b7 368"),
    "torchvision:regnet_y_400mf": ("trunk_output.block1.block1-0 48", "trunk_output.block4.block4-5 440"),
    "timm:nfnet_l0": ("stages.0.0 256", "stages.3.2 1536"),
    "torchvision:densenet121": ("features.denseblock1 256", "features.denseblock4 1024"),
    "timm:dpn48b": ("features.conv2_1 112", "features.conv5_3 832"),
    "timm:dla34": ("level2.tree1 64", "level5.tree2 512"),
    "timm:hrnet_w18_small": ("layer1.0 128", "incre_modules.3.0 1024"),
    "torchvision:vgg11": ("features.1 64", "features.19 512"),
    "torchvision:vgg11_bn": ("features.2 64", "features.27 512"),
    "torchvision:alexnet": ("features.1 64", "features.11 256"),
    "torchvision:squeezenet1_1": ("features.3 128", "features.12 512"),
    "torchvision:googlenet": ("inception3a 256", "inception5b 1024"),
    "torchvision:inception_v3": ("Mixed_5b 256", "Mixed_7c 2048"),
    "timm:inception_v4": ("features.4 192", "features.21 1536"),
    "timm:xception": ("block1 128", "block12 1024"),
    "timm:darknet53": ("stages.0.blocks.0 64", "stages.4.blocks.3 1024"),
    "timm:cspdarknet53": ("stages.0.blocks.0 64", "stages.4.blocks.3 512"),
    "timm:cspresnet50": ("stages.0.blocks.0 128", "stages.3.blocks.1 1024"),
    "timm:ese_vovnet19b_dw": ("stages.0.blocks.0 256", "stages.3.blocks.0 1024"),
    "timm:selecsls42": ("features.0.conv6.2 64", "features.5.conv6.2 480"),
    "timm:hgnet_tiny": ("stages.0.blocks.0 224", "stages.3.blocks.0 768"),
    "timm:repvgg_a0": ("stem 48", "stages.3.0 1280"),
    "timm:mobileone_s0": ("stem 48", "stages.3.1 1024"),
    "timm:mobilenetv1_100": ("blocks.0.0 64", "blocks.4.1 1024"),
    "torchvision:mobilenet_v2": ("features.1 16", "features.17 320"),
    "torchvision:mobilenet_v3_small": ("features.1 16", "features.11 96"),
    "timm:mobilenetv4_conv_small": ("blocks.0.0 32", "blocks.4.0 960"),
    "timm:efficientnet_b0": ("blocks.0.0 16", "blocks.6.0 320"),
    "torchvision:mnasnet0_5": ("layers.8.0 16", "layers.13.0 160"),
    "timm:fbnetc_100": ("blocks.0.0 16", "blocks.6.0 352"),
    "timm:hardcorenas_a": ("blocks.0.0 16", "blocks.6.0 960"),
    "torchvision:shufflenet_v2_x0_5": ("stage2.0 48", "stage4.3 192"),
    "timm:ghostnet_050": ("blocks.0.0 8", "blocks.8.3 80"),
    "timm:convnext_atto": ("stages.0.blocks.0 40", "stages.3.blocks.1 320"),
    "timm:convnextv2_atto": ("stages.0.blocks.0 40", "stages.3.blocks.1 320"),
    "timm:inception_next_atto": ("stages.0.blocks.0 40", "stages.3.blocks.1 320"),
    "timm:poolformer_s12": ("stages.0.blocks.0 64", "stages.3.blocks.1 512"),
    "timm:efficientformer_l1": ("stages.0.blocks.0 48", "stages.3.blocks.2 448"),
}
"""The modules that a network's source repeats, and the channels that its paper gives them: the first and the last."""

BRANCHES_AND_STAGES = {
    "torchvision:resnet18": (("layer1.0.bn2 64", "layer4.1.bn2 512"), ("layer1.1 64", "layer4.1 512")),
    "timm:resnetv2_50": (
        ("stages.0.blocks.0.conv3 256", "stages.3.blocks.2.conv3 2048"),
        ("stages.0.blocks.2 256", "stages.3.blocks.2 2048"),
    ),
    "timm:resnext50_32x4d": (("layer1.0.bn3 256", "layer4.2.bn3 2048"), ("layer1.2 256", "layer4.2 2048")),
    "torchvision:wide_resnet50_2": (("layer1.0.bn3 256", "layer4.2.bn3 2048"), ("layer1.2 256", "layer4.2 2048")),
    "timm:legacy_seresnet18": (("layer1.0.se_module 64", "layer4.1.se_module 512"), ("layer1.1 64", "layer4.1 512")),
    "timm:skresnet18": (("layer1.0.conv2.bn 64", "layer4.1.conv2.bn 512"), ("layer1.1 64", "layer4.1 512")),
    "timm:resnest14d": (("layer1.0.bn3 256", "layer4.0.bn3 2048"), ("layer1.0 256", "layer4.0 2048")),
    "timm:res2net50_26w_4s": (("layer1.0.bn3 256", "layer4.2.bn3 2048"), ("layer1.2 256", "layer4.2 2048")),
    "timm:tresnet_m": (
        ("body.layer1.0.se 64", "body.layer4.2.conv3.bn 2048"),
        ("body.layer1.2 64", "body.layer4.2 2048"),
    ),
    "timm:regnetx_002": (("s1.b1.conv3.bn 24", "s4.b7.conv3.bn 368"), ("s1.b1 24", "s4.b7 368")),
    "torchvision:regnet_y_400mf": (
        ("trunk_output.block1.block1-0.f.c.1 48", "trunk_output.block4.block4-5.f.c.1 440"),
        ("trunk_output.block1.block1-0 48", "trunk_output.block4.block4-5 440"),
    ),
    "timm:nfnet_l0": (
        ("<stages.0.0.drop_path 256", "<stages.3.2.drop_path 1536"),
        ("stages.0.0 256", "stages.3.2 1536"),
    ),
    "torchvision:densenet121": ((), ("features.denseblock1 256", "features.denseblock4 1024")),
    "timm:dpn48b": (
        ("features.conv2_1.c1x1_c1 64", "features.conv5_3.c1x1_c1 512"),
        ("features.conv2_1 112", "features.conv5_3 832"),
    ),
    "timm:dla34": (("level2.tree1.bn2 64", "level5.tree2.bn2 512"), ("level2 64", "level5 512")),
    "timm:hrnet_w18_small": (
        ("layer1.0.bn3 128", "incre_modules.3.0.bn3 1024"),
        ("layer1.0 128", "incre_modules.3.0 1024"),
    ),
    "torchvision:vgg11": ((), ("features.1 64", "features.19 512")),
    "torchvision:vgg11_bn": ((), ("features.2 64", "features.27 512")),
    "torchvision:alexnet": ((), ("features.1 64", "features.11 256")),
    "torchvision:squeezenet1_1": ((), ("features.4 128", "features.12 512")),
    "torchvision:googlenet": ((), ("inception3a 256", "inception5b 1024")),
    "torchvision:inception_v3": ((), ("Mixed_5b 256", "Mixed_7c 2048")),
    "timm:inception_v4": ((), ("features.4 192", "features.21 1536")),
    "timm:xception": (("block1.rep.5 128", "block12.rep.6 1024"), ("block1 128", "block12 1024")),
    "timm:darknet53": (
        ("stages.0.blocks.0.conv2.bn.act 64", "stages.4.blocks.3.conv2.bn.act 1024"),
        ("stages.0.blocks.0 64", "stages.4.blocks.3 1024"),
    ),
    "timm:cspdarknet53": (
        ("stages.0.blocks.0.conv2.bn.act 64", "stages.4.blocks.3.conv2.bn.act 512"),
        ("stages.0 64", "stages.4 1024"),
    ),
    "timm:cspresnet50": (
        ("stages.0.blocks.0.conv3.bn 128", "stages.3.blocks.1.conv3.bn 1024"),
        ("stages.0 128", "stages.3 1024"),
    ),
    "timm:ese_vovnet19b_dw": ((), ("stages.0.blocks.0 256", "stages.3.blocks.0 1024")),
    "timm:selecsls42": ((), ("features.0.conv6.2 64", "features.5.conv6.2 480")),
    "timm:hgnet_tiny": (
        ("stages.2.blocks.1.aggregation.1 512", "stages.2.blocks.1.aggregation.1 512"),
        ("stages.0.blocks.0 224", "stages.3.blocks.0 768"),
    ),
    "timm:repvgg_a0": ((), ("stem 48", "stages.3.0 1280")),
    "timm:mobileone_s0": ((), ("stem 48", "stages.3.1 1024")),
    "timm:mobilenetv1_100": ((), ("blocks.0.0 64", "blocks.4.1 1024")),
    "torchvision:mobilenet_v2": (
        ("features.3.conv.3 24", "features.16.conv.3 160"),
        ("features.1 16", "features.17 320"),
    ),
    "torchvision:mobilenet_v3_small": (
        ("features.3.block.2.1 24", "features.11.block.3.1 96"),
        ("features.1 16", "features.11 96"),
    ),
    "timm:mobilenetv4_conv_small": (
        ("blocks.2.1.pw_proj.bn 96", "blocks.3.5.pw_proj.bn 128"),
        ("blocks.0.1 32", "blocks.4.0 960"),
    ),
    "timm:efficientnet_b0": (("blocks.1.1.bn3 24", "blocks.5.3.bn3 192"), ("blocks.0.0 16", "blocks.6.0 320")),
    "torchvision:mnasnet0_5": (
        ("layers.8.1.layers.7 16", "layers.12.3.layers.7 96"),
        ("layers.8.2 16", "layers.13.0 160"),
    ),
    "timm:fbnetc_100": (("blocks.0.0.bn3 16", "blocks.5.3.bn3 184"), ("blocks.0.0 16", "blocks.6.0 352")),
    "timm:hardcorenas_a": (("blocks.1.1.bn3 24", "blocks.5.1.bn3 192"), ("blocks.0.0 16", "blocks.6.0 960")),
    "torchvision:shufflenet_v2_x0_5": ((), ("stage2.3 48", "stage4.3 192")),
    "timm:ghostnet_050": (("blocks.0.0.ghost2 8", "blocks.8.3.ghost2 80"), ("blocks.0.0 8", "blocks.8.3 80")),
    "timm:convnext_atto": (
        ("<stages.0.blocks.0.drop_path 40", "<stages.3.blocks.1.drop_path 320"),
        ("stages.0.blocks.1 40", "stages.3.blocks.1 320"),
    ),
    "timm:convnextv2_atto": (
        ("stages.0.blocks.0.mlp.fc2 40", "stages.3.blocks.1.mlp.fc2 320"),
        ("stages.0.blocks.1 40", "stages.3.blocks.1 320"),
    ),
    "timm:inception_next_atto": (
        ("<stages.0.blocks.0.drop_path 40", "<stages.3.blocks.1.drop_path 320"),
        ("stages.0.blocks.1 40", "stages.3.blocks.1 320"),
    ),
    "timm:poolformer_s12": (
        ("stages.0.blocks.0.layer_scale1 64", "stages.3.blocks.1.layer_scale2 512"),
        ("stages.0.blocks.1 64", "stages.3.blocks.1 512"),
    ),
    "timm:efficientformer_l1": (
        ("stages.0.blocks.0.ls1 48", "stages.3.blocks.2.ls2 448"),
        ("stages.0.blocks.2 48", "stages.3.blocks.2 448"),
    ),
}
"""What gives the branch that is added, of the first and the last residual block, and where the first and the last
stage end, each with its channels, as the network's source says."""

STAGES = {
    "timm:resnetv2_50": (4, 8, 16, 32),
    "timm:resnext50_32x4d": (4, 8, 16, 32),
    "timm:legacy_seresnet18": (4, 8, 16, 32),
    "timm:skresnet18": (4, 8, 16, 32),
    "timm:resnest14d": (4, 8, 16, 32),
    "timm:res2net50_26w_4s": (4, 8, 16, 32),
    "timm:tresnet_m": (4, 8, 16, 32),
    "timm:regnetx_002": (4, 8, 16, 32),
    "timm:nfnet_l0": (4, 8, 16),  # then behind its last convolution
    "timm:dpn48b": (4, 8, 16, 32),
    "timm:dla34": (4, 8, 16, 32),
    "timm:vgg11_bn": (1, 2, 4, 8, 16),
    "timm:darknet53": (2, 4, 8, 16, 32),
    "timm:cspdarknet53": (2, 4, 8, 16, 32),
    "timm:cspresnet50": (4, 8, 16, 32),
    "timm:ese_vovnet19b_dw": (4, 8, 16, 32),
    "timm:selecsls42": (4, 8, 16),  # then in its head
    "timm:hgnet_tiny": (4, 8, 16, 32),
    "timm:repvgg_a0": (2, 4, 8, 16),
    "timm:mobileone_s0": (2, 4, 8, 16),
    "timm:mobilenetv1_100": (2, 4, 8, 16, 32),
    "timm:mobilenetv4_conv_small": (4, 8, 16, 32),
    "timm:efficientnet_b0": (2, 4, 8, 16, 32),
    "timm:fbnetc_100": (2, 4, 8, 16, 32),
    "timm:hardcorenas_a": (2, 4, 8, 16, 32),
    "timm:convnext_atto": (4, 8, 16, 32),
    "timm:convnextv2_atto": (4, 8, 16, 32),
    "timm:inception_next_atto": (4, 8, 16, 32),
    "timm:poolformer_s12": (4, 8, 16, 32),
    "timm:efficientformer_l1": (4, 8, 16),  # then tokens
}
"""The strides at which timm takes the features of a network at the end of a stage."""

OWN = {
    "timm:legacy_seresnet18": {"": "branch"},
    "timm:tresnet_m": {"body.layer1": "branch", "body.layer2": "branch", "body.layer3": "inner"},
    "torchvision:regnet_y_400mf": {"": "inner"},
    "timm:nfnet_l0": {"": "branch"},
    "timm:ese_vovnet19b_dw": {"": "block"},
    "torchvision:mobilenet_v3_small": {"": "inner"},
    "timm:efficientnet_b0": {"": "inner"},
    "timm:hardcorenas_a": {"": "inner"},
    "timm:ghostnet_050": {"": "inner"},
    "timm:mixnet_s": {"": "inner"},
    "timm:rexnet_100": {"": "inner"},
    "timm:cs3sedarknet_l": {"": "inner"},
    "timm:eca_nfnet_l0": {"": "branch"},
}
"""The positions at which a network has attention by itself, by the beginning of its modules' paths."""


def images(size, dtype=torch.float32):
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(3), dtype=dtype)


def sites_of(network, **chosen):
    return [place.site for place in plan(Backbone(name=network, **chosen), in_channels=3, classes=10).places]


def checks(network, size):
    """What the places of a network's sites can be held against, by name."""
    return {
        **({"sites": partial(check_sites, network)} if network in BLOCKS else {}),
        **({"stages": partial(check_stages, network, size)} if network in STAGES else {}),
        **({"own attention": partial(check_own, network, size)} if network in OWN else {}),
    }


def check_sites(network):
    """The first and the last site of a position stand where the source of the library says, with its channels."""
    found = {position: [] for position in ("block", "branch", "stage")}
    for site in sites_of(network):
        found.get(site.position, []).append(f"{site.module} {site.channels}")
    branches, stages = BRANCHES_AND_STAGES[network]
    expected = {"block": BLOCKS[network], "branch": branches, "stage": stages}
    assert {position: tuple(ends[:1] + ends[-1:]) for position, ends in found.items()} == expected


def check_stages(network, size):
    """Attention after the last stage of a stride does what it does when hooked where timm takes features."""
    recorders = {site.name: Recorder() for site in sites_of(network) if site.position == "stage"}
    recorded = build(network, lambda site: recorders.get(site.name)).eval()
    with torch.no_grad():
        recorded(images(size))
    at_stride = {round(size / recorders[name].shapes[0][0][-1]): name for name in recorders}
    chosen = [at_stride[stride] for stride in STAGES[network]]
    limit = nn.Hardtanh(-0.1, 0.1)
    placed = wake(build(network, lambda site: limit if site.name in chosen else None)).eval()
    by_hand = wake(build(network)).eval()
    features = {info["reduction"]: info for info in by_hand.feature_info if info["reduction"] in STAGES[network]}
    channels = {site.name: site.channels for site in sites_of(network)}
    assert [channels[name] for name in chosen] == [features[stride]["num_chs"] for stride in STAGES[network]]
    for info in features.values():
        by_hand.get_submodule(info["module"]).register_forward_hook(partial(_limited, limit))
    with torch.no_grad():
        assert torch.equal(placed(images(size)), by_hand(images(size)))


def _limited(limit, module, inputs, output):
    return [limit(output[0]), *output[1:]] if isinstance(output, list) else limit(output)


def check_own(network, size):
    """Attention that was stripped, placed at the sites that stand for it, gives the library's network."""
    whole = wake(build(network)).double().eval()
    stripped = Backbone(name=network, attention="strip")
    sites = sites_of(network, attention="strip")
    ends = {site.block: site.module for site in sites if site.position == "block"}
    back = {}
    for path in plan(stripped, in_channels=3, classes=10).own_attention:
        position = next(position for start, position in OWN[network].items() if path.startswith(start))
        block = next(name for name, end in ends.items() if path.startswith(f"{end}."))
        back[f"{block}.{position}"] = copy.deepcopy(whole.get_submodule(path))
    plain = build(stripped, lambda site: back.get(site.name))
    plain.load_state_dict(whole.state_dict(), strict=False)
    plain.double().eval()
    assert len(plain.attentions) == len(back) > 0
    with torch.no_grad():
        expected = whole(images(size, torch.float64))
        torch.testing.assert_close(plain(images(size, torch.float64)), expected, rtol=1e-12, atol=1e-12)
