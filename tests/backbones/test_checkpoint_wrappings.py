"""State dicts as people save them: whatever is wrapped around them, the weights arrive, or the file is refused."""

import argparse
import collections
import datetime
import enum
import pathlib
import sys
import types

import numpy as np
import pytest
import torch
from placing import build
from safetensors.torch import save, save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from nas_attn.backbones import load_backbone_weights
from nas_attn.backbones.checkpoint import read_state_dicts
from nas_attn.settings import Backbone
from nas_attn.space import InputError

NAME = "foreign_nets:basic"
HEAD = ("5.weight", "5.bias")


class Mode(enum.Enum):
    BEST = 1


class Config(dict):
    """As the settings of several frameworks are: a mapping with attributes."""

    def __getattr__(self, name):
        return self[name]


class Holder:
    """Of a class that is gone where the file is read."""

    def __init__(self, **held):
        self.__dict__.update(held)


def prefixed(prefix, tensors):
    return {prefix + name: tensor for name, tensor in tensors.items()}


def whole():
    network = build(NAME, seed=7)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.25)
    return network


WHOLE = whole()
SD = WHOLE.state_dict()
HEADLESS = {name: tensor for name, tensor in SD.items() if name not in HEAD}
MOVING = {name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in SD.items()}
BARE = {"conv": torch.zeros(3), "weight": torch.zeros(2)}

TAKEN = {
    "alone": SD,
    "DataParallel": {"state_dict": prefixed("module.", SD), "epoch": 3},
    "timm": {"model": SD, "args": {"lr": 0.1}},
    "Lightning, self.net": {"state_dict": prefixed("net.", SD), "pytorch-lightning_version": "2.6"},
    "Lightning, self.model, with a metric": {"state_dict": {**prefixed("model.", SD), "acc.total": torch.zeros(())}},
    "Lightning of a compiled model": {"state_dict": prefixed("model._orig_mod.", SD)},
    "MoCo": {"state_dict": {**prefixed("module.encoder_q.", SD), **prefixed("module.encoder_k.", MOVING)}},
    "model_state_dict": {"model_state_dict": SD, "optimizer_state_dict": {"state": {}, "param_groups": []}},
    "net, with an accuracy": {"net": prefixed("module.", SD), "acc": 91.2},
    "moving averages alone": {"state_dict_ema": SD},
    "moving averages beside": {"state_dict": SD, "state_dict_ema": MOVING},
    "moving averages first": {"model_ema": MOVING, "model": SD},
    "AveragedModel": AveragedModel(WHOLE).state_dict(),
    "compiled, then DDP": prefixed("_orig_mod.module.", SD),
    "DDP, then compiled": prefixed("module._orig_mod.", SD),
    "a Namespace beside": {"model": SD, "args": argparse.Namespace(lr=0.1)},
    "thop": {**SD, "total_ops": torch.zeros(1), "0.total_ops": torch.zeros(1), "total_params": torch.zeros(1)},
    "three deep": {"state": {"ema": {"unused": 1}, "model": SD}},
    "without counters": {name: tensor for name, tensor in SD.items() if "num_batches" not in name},
    "a whole module": WHOLE,
    "a whole module in DataParallel": nn.DataParallel(WHOLE),
    "YOLO, a module beside an optimiser": {"model": WHOLE, "ema": None, "epoch": 12, "best_fitness": np.float64(0.3)},
    "settings of a framework": {"state_dict": SD, "meta": Config(cfg=Config(lr=0.1), mode=Mode.BEST)},
    "paths and dates": {"net": SD, "file": pathlib.PurePosixPath("a/b"), "when": datetime.datetime(2026, 1, 1)},
    "a NumPy history": {"weights": SD, "history": np.arange(4), "counts": collections.defaultdict(int, a=1)},
    "an object that holds it": {"trainer": Holder(model=Holder(state=SD))},
    "DINO": {"student": prefixed("module.backbone.", SD), "teacher": prefixed("module.backbone.", MOVING)},
    "encoder of a segmentation": {**prefixed("encoder.", SD), "decoder.weight": torch.zeros(4, 4)},
    "fastai": {"model": SD, "opt": {"state": [{"mom": torch.zeros(2)}], "hypers": []}},
    "parameters": {name: nn.Parameter(one) if one.is_floating_point() else one for name, one in SD.items()},
}


def load(path, network=None, **chosen):
    network = build(NAME, seed=1) if network is None else network
    backbone = Backbone(name=NAME, weights=str(path), **chosen)
    notes = load_backbone_weights(network, backbone, in_channels=network[0].in_channels, classes=10)
    return network, notes


def assert_weights(network, tensors=SD, but=()):
    for name, tensor in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(tensor, tensors[name]) == (name not in but), name


@pytest.fixture
def file(tmp_path):
    def write(content, name="w.pth", **options):
        torch.save(content, tmp_path / name, **options)
        return tmp_path / name

    return write


@pytest.mark.parametrize("wrapping", TAKEN)
def test_the_weights_arrive(wrapping, file):
    assert_weights(load(file(TAKEN[wrapping]))[0])


def test_a_class_that_is_gone_is_neither_missed_nor_run(file, monkeypatch):
    module = types.ModuleType("of_their_own")
    ran = []

    class Net(nn.Sequential):
        def __setstate__(self, state):
            ran.append(state)
            self.__dict__.update(state)

    Net.__module__, Net.__qualname__ = "of_their_own", "Net"
    module.Net = Net
    monkeypatch.setitem(sys.modules, "of_their_own", module)
    path = file({"model": Net(*WHOLE)})
    monkeypatch.delitem(sys.modules, "of_their_own")
    assert_weights(load(path)[0])
    assert ran == []


def test_safetensors_by_any_name(tmp_path):
    for name in ("model.safetensors", "pytorch_model.bin", "weights"):
        save_file(prefixed("model.", SD), tmp_path / name)
        assert_weights(load(tmp_path / name)[0])


def test_files_of_the_old_form_and_half_precision(file):
    assert_weights(load(file({"state_dict": SD}, _use_new_zipfile_serialization=False))[0])
    halves = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in SD.items()}
    assert_weights(load(file(halves))[0], {name: tensor.to(SD[name].dtype) for name, tensor in halves.items()})


def test_a_network_with_a_wrapper_of_its_own_takes_a_file_without(file):
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = build(NAME, seed=1)

    wrapped = Wrapped()
    backbone = Backbone(name=NAME, weights=str(file(SD)))
    assert load_backbone_weights(wrapped, backbone, in_channels=3, classes=10) == ()
    assert_weights(wrapped.net)


def test_a_missing_classifier_is_told(file):
    path = file({"state_dict": prefixed("backbone.", HEADLESS)})
    network, notes = load(path)
    assert_weights(network, {**SD, **{name: SD[name] for name in HEAD}}, but=HEAD)
    assert notes == (f"5.weight, 5.bias keep their initial weights, because those of {path} have no classifier",)


def test_another_number_of_channels_is_fitted_and_told(file):
    path = file(SD)
    grey, notes = load(path, build(NAME, in_channels=1))
    assert notes == ("0.weight is fitted from 3 to 1 channels",)
    colour, image = load(path)[0].eval(), torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(grey.eval()(image), colour(image.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)
    bands, notes = load(path, build(NAME, in_channels=5))
    assert notes == ("0.weight is fitted from 3 to 5 channels",)
    assert torch.equal(bands[0].weight, SD["0.weight"][:, [0, 1, 2, 0, 1]] * (3 / 5))


def test_what_else_would_fit_is_told_and_can_be_chosen(file):
    path = file(TAKEN["moving averages beside"])
    network, notes = load(path)
    assert_weights(network, SD)
    assert notes == (f"{path}: state_dict is taken; state_dict_ema would fit too: weights_key chooses",)
    network, notes = load(path, weights_key="state_dict_ema")
    assert_weights(network, MOVING)
    assert notes == ()
    network, notes = load(file(TAKEN["MoCo"]), weights_key="encoder_k")
    assert_weights(network, MOVING)


def test_tensors_of_other_parts_are_told(file):
    path = file(TAKEN["Lightning, self.model, with a metric"])
    assert load(path)[1] == (f"{path}: left out, because outside 'model.': acc.total",)


REFUSED = {
    "no tensors": ({"epoch": 3}, "holds no state dict"),
    "another network": (BARE, "do not fit foreign_nets:basic.*: missing: 1.conv1.weight"),
    "another network in a prefix": (
        prefixed("model.", {**SD, "more": torch.zeros(1)}),
        r"read as 'model'.*: unexpected: more",
    ),
    "layers are missing": (
        {"net": prefixed("model.", {name: one for name, one in SD.items() if not name.startswith("2.")})},
        r"read as 'net\.model'\): missing: 2\.",
    ),
    "another width": ({**SD, "0.weight": torch.zeros(16, 3, 3, 3)}, "of another shape: 0.weight"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_how_it_was_read(case, file):
    content, reason = REFUSED[case]
    with pytest.raises(InputError, match=reason):
        load(file(content))


def test_a_key_that_is_not_there_is_refused_with_those_that_are(file):
    with pytest.raises(InputError, match=r"weights_key: found 'teacher'; .* holds .*state_dict, state_dict_ema"):
        load(file(TAKEN["moving averages beside"]), weights_key="teacher")


def test_a_file_that_would_run_something_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    torch.save({"model": SD, "evil": Evil()}, tmp_path / "w.pth")
    network, _ = load(tmp_path / "w.pth")  # what it would run is read as nothing
    assert_weights(network)


def test_objects_that_hold_each_other_are_looked_at_once(file):
    holders = [Holder() for _ in range(30)]
    for one in holders:
        one.__dict__.update({f"other{number}": other for number, other in enumerate(holders)})
    holders[7].state = SD
    assert_weights(load(file({"trainer": holders[0]}))[0])


def test_what_is_deeper_than_python_goes_is_refused(file, monkeypatch):
    content = {"weight": torch.zeros(1)}
    for _ in range(3000):
        content = {"model": content}
    monkeypatch.setattr(torch, "load", lambda *_, **__: content)  # which torch itself can hardly write
    with pytest.raises(InputError, match="cannot be read: RecursionError"):
        load(file(SD))


def test_safetensors_that_begin_like_a_pickle_are_read_as_what_they_are(tmp_path, monkeypatch):
    for count in range(1, 600):
        named = {"a" * count: torch.ones(2), **{f"layer{number}.weight": torch.zeros(1) for number in range(8)}}
        if (content := save(named)).startswith(b"\x80\x02"):
            break
    assert content.startswith(b"\x80\x02")
    (tmp_path / "w.safetensors").write_bytes(content)
    monkeypatch.setattr(torch, "load", None)
    (found,) = read_state_dicts(tmp_path / "w.safetensors")
    assert torch.equal(found.tensors["a" * count], torch.ones(2))
