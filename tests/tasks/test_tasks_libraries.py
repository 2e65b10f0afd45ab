"""Networks of segmentation_models_pytorch and timm, in modules of ten lines, are searched as they are."""

import pytest
import torch
from lit_libraries import IMAGES

import nas_attn
from nas_attn.assembly import build, identity_started
from nas_attn.backbones import plan
from nas_attn.cost.fvcore import FlopCountAnalysis
from nas_attn.settings import OfTask, OwnModule, Recipe
from nas_attn.space import Architecture, InputError, parse
from nas_attn.tasks import ModuleTask, Training

MULTIPLYING = ("conv", "linear", "addmm", "matmul", "bmm", "einsum")


@pytest.fixture(params=["Unet", "Features"])
def task(request):
    if request.param == "Unet":
        pytest.importorskip("segmentation_models_pytorch")
    return task_of(f"Lit{request.param}")


def task_of(name, **said):
    return ModuleTask(OwnModule(module=f"lit_libraries:{name}", monitor={"loss": "min"}, **said), OfTask())


def test_its_blocks_are_places_and_attention_there_learns_with_it(task):
    places = [place.site.name for place in plan(task.backbone, in_channels=3, classes=0).places]
    assert "stage2.block0.branch" in places
    architecture = parse("stage2.block0.branch=se(reduction=4) stage1.block0.block=cbam(kernel_size=3)")
    module = task.build(architecture, task.backbone, 0)
    before = {name: value.clone() for name, value in module.named_parameters()}
    score = task.train(module, Training(Recipe(epochs=1), 0))
    assert 0 < score.validation["loss"] < 2
    attention = {name: value for name, value in module.named_parameters() if ".attentions." in name}
    assert {name.rsplit("_", 1)[1].partition(".")[0] for name in attention} == {"branch", "block"}
    assert not [name for name, value in attention.items() if torch.equal(value, before[name])]


def test_attention_that_starts_as_the_identity_leaves_loss_and_output_as_they_are(task):
    attended = parse("stage2.block0.block=se(reduction=4)")
    modules = [task.build(one, task.backbone, 0) for one in (Architecture(), identity_started(attended), attended)]
    plain, started, other = [task.try_iteration(module, Training(Recipe(), 0)) for module in modules]
    assert plain == started != other


def test_its_price_is_what_fvcore_counts(task):
    architecture = parse("stage2.block0.branch=se(reduction=4)")
    networks = [build(one, task.backbone, in_channels=3, classes=0).eval() for one in (Architecture(), architecture)]
    counted = [FlopCountAnalysis(one, IMAGES[:1]).unsupported_ops_warnings(False).by_operator() for one in networks]
    macs = [sum(found[name] for name in MULTIPLYING) for found in counted]
    ledger = nas_attn.open_ledger(task.backbone, task.image, 0)
    assert [ledger.price(one).macs for one in (Architecture(), architecture)] == macs
    assert macs[0] < macs[1]


def test_a_decoder_of_smp_gates_what_an_encoder_of_smp_hands_over():
    pytest.importorskip("segmentation_models_pytorch")
    task = task_of("LitUnet")
    backbone = task.backbone.model_copy(update={"modules": ("decoder.blocks.0.attention1",)})
    (place, _) = plan(backbone, in_channels=3, classes=0).places
    assert place.site.signal_channels == 128
    gated = task.build(parse("stage1.block0.block=gate"), backbone, 0)
    assert 0 < task.train(gated, Training(Recipe(epochs=1), 0)).validation["loss"] < 2


@pytest.mark.parametrize(
    ("name", "network", "message"),
    [
        ("LitUnet", "model.decoder", r"'model\.decoder' gets a list of 4; allowed: .*, such as model$"),
        ("LitFeatures", "backbone.feature_info", "has no module 'backbone.feature_info'"),
        ("LitFeatures", "head", "no block, unit or convolution was found that attention could stand after"),
    ],
)
def test_a_part_that_cannot_be_searched_is_refused_by_the_check(make_study, name, network, message):
    if name == "LitUnet":
        pytest.importorskip("segmentation_models_pytorch")
    folder = make_study(
        f'space = "space.toml"\n[task]\nmodule = "lit_libraries:{name}"\nnetwork = "{network}"\n'
        'monitor = { loss = "min" }\n[recipe]\nepochs = 1\n',
        "[kinds]\nse = {}\n",
    )
    found = "\n".join(map(str, nas_attn.open_study(folder).check().faults))
    with pytest.raises(InputError, match=message):
        raise InputError(found)
