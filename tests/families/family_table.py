"""Families of networks, and what is done to a member of each."""

import copy
import io
import random
import warnings
from collections import Counter
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from family_positions import checks
from placing import attention_at, build, wake

from nas_attn.attention import ATTENTIONS
from nas_attn.backbones import plan
from nas_attn.cost import count
from nas_attn.settings import Backbone

POSITIONS = ("pre", "inner", "branch", "block", "stage")


@dataclass(frozen=True)
class Family:
    name: str
    network: str
    size: int = 64
    """Height and width of the images that it gets."""


FAMILIES = (
    Family("ResNet", "torchvision:resnet18"),
    Family("ResNetV2, BiT", "timm:resnetv2_50"),
    Family("ResNeXt", "timm:resnext50_32x4d"),
    Family("Wide ResNet", "torchvision:wide_resnet50_2"),
    Family("SE-ResNet", "timm:legacy_seresnet18"),
    Family("SKNet", "timm:skresnet18"),
    Family("ResNeSt", "timm:resnest14d"),
    Family("Res2Net", "timm:res2net50_26w_4s"),
    Family("TResNet", "timm:tresnet_m"),
    Family("RegNetX", "timm:regnetx_002"),
    Family("RegNetY", "torchvision:regnet_y_400mf"),
    Family("NFNet", "timm:nfnet_l0"),
    Family("DenseNet", "torchvision:densenet121"),
    Family("DPN", "timm:dpn48b"),
    Family("DLA", "timm:dla34"),
    Family("HRNet", "timm:hrnet_w18_small"),
    Family("VGG", "torchvision:vgg11"),
    Family("VGG with batch normalisation", "torchvision:vgg11_bn"),
    Family("AlexNet", "torchvision:alexnet"),
    Family("SqueezeNet", "torchvision:squeezenet1_1"),
    Family("GoogLeNet", "torchvision:googlenet"),
    Family("Inception v3", "torchvision:inception_v3", 128),
    Family("Inception v4", "timm:inception_v4", 128),
    Family("Xception", "timm:xception"),
    Family("Darknet", "timm:darknet53"),
    Family("CSPDarknet", "timm:cspdarknet53"),
    Family("CSPResNet", "timm:cspresnet50"),
    Family("VoVNet", "timm:ese_vovnet19b_dw"),
    Family("SelecSLS", "timm:selecsls42"),
    Family("HGNet", "timm:hgnet_tiny"),
    Family("RepVGG", "timm:repvgg_a0"),
    Family("MobileOne", "timm:mobileone_s0"),
    Family("MobileNetV1", "timm:mobilenetv1_100"),
    Family("MobileNetV2", "torchvision:mobilenet_v2"),
    Family("MobileNetV3", "torchvision:mobilenet_v3_small"),
    Family("MobileNetV4", "timm:mobilenetv4_conv_small"),
    Family("EfficientNet", "timm:efficientnet_b0"),
    Family("MNasNet", "torchvision:mnasnet0_5"),
    Family("FBNet", "timm:fbnetc_100"),
    Family("HardCoRe-NAS", "timm:hardcorenas_a"),
    Family("ShuffleNetV2", "torchvision:shufflenet_v2_x0_5"),
    Family("GhostNet", "timm:ghostnet_050"),
    Family("ConvNeXt", "timm:convnext_atto"),
    Family("ConvNeXtV2", "timm:convnextv2_atto"),
    Family("InceptionNeXt", "timm:inception_next_atto"),
    Family("PoolFormer", "timm:poolformer_s12"),
    Family("EfficientFormer", "timm:efficientformer_l1", 224),
)

FAST = ("MobileNetV3", "ConvNeXt")
"""Families that every run of the tests looks at."""


@dataclass(frozen=True)
class Result:
    """What became of a family."""

    family: Family
    sites: dict[str, int]
    """By position."""
    own_attention: int
    """Modules that are attention by themselves."""
    where: tuple[str, ...] = ()
    """What the places of its sites were held against."""
    failure: str = ""
    """The step that failed, and why; nothing where all went well."""
    any_size: bool = False
    """Whether the exported program takes images of any size, not only of that of its example."""


def examine(family, placements=3):
    """Find the sites of a family and where they are; build, run, count, train and export it with attention there."""
    backbone, step = Backbone(name=family.network), "sites"
    sites, own, where, any_size = {}, 0, [], True
    try:
        found = plan(backbone, in_channels=3, classes=10)
        own = len(found.own_attention)
        sites = dict(Counter(place.site.position for place in found.places))
        for step, check in checks(family.network, family.size).items():
            check()
            where.append(step)
        for number in range(placements):
            for step in _steps(backbone, [place.site for place in found.places], family, number):
                any_size &= step != "one size"
    except Exception as error:
        told = (str(error) or "no message").strip().splitlines()[0]
        return Result(family, sites, own, tuple(where), f"{step}: {type(error).__name__}: {told[:160]}")
    return Result(family, sites, own, tuple(where), any_size=any_size)


def _steps(backbone, sites, family, number):
    """Say what comes next, and do it."""
    rng = random.Random(f"{family.network} {number}")
    chosen = {site.name: _kind(site, rng) for site in rng.sample(sites, min(len(sites), rng.randint(2, 5)))}
    images = torch.randn(2, 3, family.size, family.size, generator=torch.Generator().manual_seed(number))
    yield "build"
    built = wake(build(backbone, lambda site: attention_at(site, chosen[site.name]) if site.name in chosen else None))
    assert len(built.attentions) == len(chosen)
    yield "run"
    built.eval()
    with torch.no_grad():
        assert built(images).isfinite().all()
        assert built(images).shape == (2, 10)
    yield "count"
    plain, placed = (count(net, (3, family.size, family.size)) for net in (build(backbone), built))
    extra = sum(parameter.numel() for parameter in built.attentions.parameters())
    assert placed.params - plain.params == extra
    assert placed.flops > plain.flops
    yield "train"
    _train(copy.deepcopy(built), images)
    yield "export"
    if not _export(built.eval(), images):
        yield "one size"


def _kind(site, rng):
    kinds = [name for name, kind in ATTENTIONS.items() if site.position in getattr(kind, "positions", POSITIONS)]
    return rng.choice(kinds)


def _train(built, images):
    reached = set()

    def watch(name):
        def hook(module, inputs, output):
            output.register_hook(lambda gradient: reached.add(name) if gradient.any() else None)

        return hook

    hooks = [attention.register_forward_hook(watch(name)) for name, attention in built.attentions.items()]
    optimizer = torch.optim.SGD(built.parameters(), lr=0.01)
    loss = F.cross_entropy(built.train()(images), torch.tensor([1, 2]))
    loss.backward()
    assert loss.isfinite()
    for name, attention in built.attentions.items():
        gradients = [parameter.grad for parameter in attention.parameters()]
        assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients), f"{name}: no gradient"
        assert name in reached, f"{name}: no gradient but zero"
    optimizer.step()
    for hook in hooks:
        hook.remove()


def _export(built, images):
    """Whether the program gives the network's numbers for any size; otherwise one made for this size has to."""
    probes = (images, images[:1], F.pad(images, (0, 32, 0, 64)))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside torch.export itself
        try:
            _compare(built, images, probes, (dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC),))
        except Exception:
            _compare(built, images, probes[:1], None)
            return False
        return True


def _compare(built, images, probes, dynamic_shapes):
    stored = io.BytesIO()  # and a copy of the images, because an export marks the sizes of its example as free
    torch.export.save(torch.export.export(built, (images.clone(),), dynamic_shapes=dynamic_shapes), stored)
    loaded = torch.export.load(stored).module()
    for probe in probes:
        torch.testing.assert_close(loaded(probe), built(probe), rtol=1e-4, atol=1e-5)
