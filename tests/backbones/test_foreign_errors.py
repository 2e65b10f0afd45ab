"""What cannot be built or read, and how that is told."""

import sys

import pytest
from placing import LIBRARIES, build, installed

from nas_attn.backbones import plan
from nas_attn.settings import Backbone
from nas_attn.space import InputError


def told(name, in_channels=3, **chosen):
    source = name.partition(":")[0]
    if source in LIBRARIES and not installed(source):
        pytest.skip(f"{source} is not there")
    with pytest.raises(InputError) as caught:
        plan(Backbone(name=name, **chosen), in_channels=in_channels, classes=10)
    return str(caught.value)


def test_an_unknown_network_is_told_with_its_neighbours():
    assert told("timm:resnet5").startswith("timm has no network 'resnet5'; did you mean 'resnet50'")
    assert "timm.list_models() has all" in told("timm:zzzz")
    assert told("torchvision:resnet5").startswith("torchvision has no network 'resnet5'; did you mean 'resnet50'")
    assert "torchvision has no network 'fasterrcnn_resnet50_fpn'" in told("torchvision:fasterrcnn_resnet50_fpn")
    assert "unknown backbone 'resnet_20'; did you mean 'resnet20'?" in built_in("resnet_20")


def built_in(name):
    with pytest.raises(InputError) as caught:
        build(name)
    return str(caught.value)


def test_torchvision_takes_colour_only_and_says_what_to_do():
    message = told("torchvision:resnet18", in_channels=1)
    assert "takes images of 3 channels, and these have 1" in message
    assert "channels = 3" in message


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_that_is_not_installed_is_named_with_its_extra(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=rf"{library} is not installed; pip install 'nas-attn\[{library}\]'"):
        plan(Backbone(name=f"{library}:resnet18"), in_channels=3, classes=11)


def test_a_library_that_fails_when_it_is_imported_is_told(tmp_path, monkeypatch):
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    with pytest.raises(InputError, match="torchvision cannot be imported: RuntimeError: operator torchvision::nms"):
        plan(Backbone(name="torchvision:resnet18"), in_channels=3, classes=11)


def test_arguments_that_a_network_does_not_take_are_told_in_the_librarys_words():
    assert "unexpected keyword argument 'depht'" in told("timm:resnet18", arguments={"depht": 3})
    assert "arguments: num_classes is set by" in told("timm:resnet18", arguments={"num_classes": 3})
    assert "unexpected keyword argument 'depht'" in told("torchvision:resnet18", arguments={"depht": 3})


def test_a_function_of_the_users_has_to_take_channels_and_classes_and_give_a_network():
    assert "has to take in_channels=, classes=: " in told("foreign_nets:without_classes")
    assert "has to take in_channels=, classes=, wide=: " in told("foreign_nets:basic", arguments={"wide": 3})
    assert "gives str; allowed: a torch.nn.Module" in told("foreign_nets:no_network")
    assert "found int; allowed: a function or class" in told("foreign_nets:number")
    assert "cannot be built: KeyError: 'no such thing'" in told("foreign_nets:broken")
    assert "foreign_nets has no 'basics'; did you mean 'basic'?" in told("foreign_nets:basics")
    assert "cannot be imported" in told("no_such_module_at_all:net")


def test_a_network_that_does_not_run_is_told_with_what_was_tried():
    message = told("foreign_nets:OneSize")
    assert message.startswith("foreign_nets:OneSize: its sites cannot be found: tried images of 224")
    assert all(
        word in message for word in ("on meta", "on cpu", "299", "64", "32", "RuntimeError", "modules = ['PATH'")
    )


def test_a_network_without_any_map_is_told():
    assert "no block, unit or convolution was found" in told("foreign_nets:perceptron")
    assert "no block, unit or convolution was found" in told("foreign_nets:map_of_scores")  # its only one is its head
    assert "gives a tensor of shape (2, 11, 224, 224)" in told("foreign_nets:map_of_others")


def test_a_module_that_cannot_be_a_site_is_told():
    assert "no module '1.conv3'; did you mean '1.conv" in told("foreign_nets:basic", modules=("1.conv3",))
    assert "'1.relu' is called several times" in told("foreign_nets:basic", modules=("1.relu",))
    assert "'5' gives a tensor of 2 axes" in told("foreign_nets:basic", modules=("5",))
    assert "'stage' gives several things" in told("foreign_nets:Fusing", modules=("stage",))


def test_there_has_to_be_attention_to_strip():
    assert "has no attention of its own" in told("foreign_nets:basic", attention="strip")
