"""Trained weights for backbones: from files, and from a library that is made up here."""

import pytest
import torch
from placing import attention_at, build, installed
from safetensors.torch import save_file
from torch import nn

from nas_attn.backbones import load_backbone_weights
from nas_attn.settings import Backbone
from nas_attn.space import InputError


def load(built, classes=10, **chosen):
    return load_backbone_weights(built, Backbone(**chosen), in_channels=3, classes=classes)


def placed(name, classes=10, **chosen):
    return build(
        Backbone(name=name, **chosen),
        lambda site: attention_at(site, "se", start="identity") if site.position == "branch" else None,
        classes=classes,
        seed=1,
    )


def same(one, other, but=()):
    tensors = other.state_dict()
    return all(torch.equal(tensor, tensors[name]) != (name in but) for name, tensor in one.state_dict().items())


@pytest.mark.parametrize("name", ["foreign_nets:basic", "resnet8"])
@pytest.mark.parametrize("spelling", ["plain", "nested", "prefixed", "safetensors"])
def test_a_file_of_the_plain_backbones_weights_gives_its_output(name, spelling, tmp_path):
    plain, images = build(name).eval(), torch.randn(2, 3, 16, 16)
    tensors, path = plain.state_dict(), tmp_path / ("w.safetensors" if spelling == "safetensors" else "w.pt")
    if spelling == "safetensors":
        save_file(tensors, path)
    else:
        spelt = {"module." + key: value for key, value in tensors.items()} if spelling == "prefixed" else tensors
        torch.save({"state_dict": spelt} if spelling == "nested" else spelt, path)
    built = placed(name).eval()
    assert load(built, name=name, weights=str(path)) == ()
    assert torch.equal(built(images), plain(images))


def test_a_classifier_of_other_classes_stays_as_it_was_and_is_named(tmp_path):
    torch.save(build("foreign_nets:basic", classes=7).state_dict(), tmp_path / "w.pt")
    built = placed("foreign_nets:basic")
    before = built[5].weight.detach().clone()
    (told,) = load(built, name="foreign_nets:basic", weights=str(tmp_path / "w.pt"))
    assert told.startswith("5.weight, 5.bias keep their initial weights, because")
    assert torch.equal(built[5].weight, before)
    assert same(build("foreign_nets:basic", classes=10), built, but=("5.weight", "5.bias"))


def fault(tensors, tmp_path, name="foreign_nets:basic"):
    torch.save(tensors, tmp_path / "w.pt")
    with pytest.raises(InputError) as caught:
        load(placed(name), name=name, weights=str(tmp_path / "w.pt"))
    return str(caught.value)


def test_weights_of_another_network_are_refused(tmp_path):
    tensors = build("foreign_nets:basic").state_dict()
    extra = {f"more.{n}": torch.zeros(1) for n in range(5)}
    assert "unexpected: more.0, more.1, more.2 and 2 more" in fault(tensors | extra, tmp_path)
    without = {name: tensor for name, tensor in tensors.items() if name != "2.down.weight"}
    assert "do not fit foreign_nets:basic: missing: 2.down.weight" in fault(without, tmp_path)
    wider = tensors | {"0.weight": torch.zeros(8, 3, 5, 5)}
    assert "of another shape: 0.weight (8, 3, 5, 5) for (8, 3, 3, 3)" in fault(wider, tmp_path)


def test_what_is_no_file_of_weights_is_told(tmp_path):
    with pytest.raises(InputError, match="there is no such file; allowed: 'pretrained'"):
        load(placed("resnet8"), name="resnet8", weights=str(tmp_path / "none.pt"))
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(InputError, match="cannot be read"):
        load(placed("resnet8"), name="resnet8", weights=str(tmp_path / "text.pt"))
    assert "holds no state dict" in fault([1, 2], tmp_path)
    for name in ("resnet8", "foreign_nets:basic"):
        with pytest.raises(InputError, match="has none; name a file"):
            load(placed(name), name=name, weights="pretrained")


def test_weights_of_stripped_attention_are_left_out(tmp_path):
    if not installed("timm"):
        pytest.skip("timm is not there")
    whole = build("timm:seresnet18")
    torch.save(whole.state_dict(), tmp_path / "w.pt")
    built = placed("timm:seresnet18", attention="strip")
    assert load(built, name="timm:seresnet18", attention="strip", weights=str(tmp_path / "w.pt")) == ()
    assert torch.equal(built.conv1.weight, whole.conv1.weight)


def test_pretrained_weights_of_timm_are_asked_for_the_images_channels(monkeypatch):
    if not installed("timm"):
        pytest.skip("timm is not there")
    timm, asked = pytest.importorskip("timm"), []
    create = timm.create_model

    def pretrained(name, *, pretrained, in_chans, **arguments):
        asked.append((name, pretrained, in_chans, arguments))
        torch.manual_seed(5)
        return create(name, pretrained=False, in_chans=in_chans, **arguments)

    chosen = {"name": "timm:resnet18", "arguments": {"output_stride": 32}}
    built = placed(**chosen)
    monkeypatch.setattr(timm, "create_model", pretrained)
    state = torch.get_rng_state()
    (told,) = load(built, **chosen, weights="pretrained")
    assert told.startswith("fc.weight, fc.bias keep")  # of a thousand classes
    assert asked == [("resnet18", True, 3, {"output_stride": 32})]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(5)
    assert torch.equal(built.conv1.weight, create("resnet18").conv1.weight)


def test_pretrained_weights_of_torchvision_may_hold_auxiliary_classifiers(monkeypatch):
    if not installed("torchvision"):
        pytest.skip("torchvision is not there")
    models = pytest.importorskip("torchvision").models
    with torch.device("cpu"):
        whole = models.get_model("googlenet", aux_logits=True, init_weights=False)

    class Weights:
        class DEFAULT:
            @staticmethod
            def get_state_dict(*, progress, check_hash):
                return whole.state_dict()

    monkeypatch.setattr(models, "get_model_weights", lambda name: {"googlenet": Weights}[name])
    built = build("torchvision:googlenet", classes=1000)
    assert load(built, classes=1000, name="torchvision:googlenet", weights="pretrained") == ()
    assert same(built, whole)


def test_a_library_without_weights_or_without_a_connection_is_told(monkeypatch):
    if not installed("timm"):
        pytest.skip("timm is not there")

    def failing(*args, **kwargs):
        raise OSError("no connection")

    built = placed("timm:resnet18")
    monkeypatch.setattr(pytest.importorskip("timm"), "create_model", failing)
    with pytest.raises(InputError, match="timm gives none for resnet18: OSError: no connection"):
        load(built, name="timm:resnet18", weights="pretrained")


def test_an_identity_of_the_network_itself_hides_no_fault(tmp_path):
    network = nn.Sequential(nn.Identity(), nn.Conv2d(3, 10, 1))
    torch.save(
        {"1.weight": network[1].weight, "1.bias": network[1].bias, "2.weight": torch.zeros(1)}, tmp_path / "w.pt"
    )
    with pytest.raises(InputError, match=r"unexpected: 2\.weight"):
        load(network, name="foreign_nets:basic", weights=str(tmp_path / "w.pt"))
