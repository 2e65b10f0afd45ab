"""What users bring as candidates: networks that tie weights, write in place, give several scores, or fail."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_protocol import RECIPE, STUDY, keeping, row
from torch import nn

import nas_attn
from nas_attn.assembly import build, load_space
from nas_attn.backbones import Point, attach, plan
from nas_attn.data import load_data
from nas_attn.evaluation import read_weights, screened
from nas_attn.evaluation.protocol import write_weights
from nas_attn.evaluation.supernet import build_supernet
from nas_attn.export.standalone.tensors import read_tensors
from nas_attn.export.standalone.weights import packed
from nas_attn.settings import Backbone, Digits, Recipe
from nas_attn.space import Architecture, InputError
from nas_attn.training import Classifier, TrainingFailed, train

SPACE = """
backbone = {backbone}
per = "stage"
image = [1, 8, 8]
[kinds.{kind}]
"""


@pytest.fixture(autouse=True)
def _networks_of_users(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "case_networks")


@pytest.fixture
def searched(make_study, forked_proofs):
    def search(backbone, kind="se"):
        study = nas_attn.open_study(make_study(STUDY, SPACE.format(backbone=backbone, kind=kind)))
        study.run(2)
        return study

    return search


@pytest.fixture
def protocol(tmp_path):
    return keeping(tmp_path)


def test_a_network_with_tied_weights_is_searched_and_exported(searched, tmp_path):
    study = searched('"tied:make_net"')
    assert set(study.table()["state"]) == {"complete"}
    key = next(key for key in study.table().index if study.architecture(key).placements)
    network = study.network(key)
    assert network.block1.shared is network.block2.shared
    study.export(tmp_path / "out", key)
    written = read_tensors(tmp_path / "out" / "model.safetensors")
    assert torch.equal(written["block1.shared.weight"], network.block1.shared.weight)
    assert torch.equal(written["block2.shared.weight"], network.block1.shared.weight)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["weights_sha256"] == study.folder.pick(key).weights_sha256


class Odd(nn.Module):
    """Buffers that overlap, are strided, empty, of no dimension, and of every number type that networks keep."""

    def __init__(self):
        super().__init__()
        self.register_buffer("whole", torch.randn(6))
        self.register_buffer("slice", self.whole[2:5])
        self.register_buffer("strided", torch.randn(4, 3).T)
        self.register_buffer("expanded", torch.randn(3, 1).expand(3, 4))
        self.register_buffer("nothing", torch.zeros(0, 3))
        self.register_buffer("count", torch.tensor(7))
        self.register_buffer("spectrum", torch.randn(2, 3, dtype=torch.complex64))
        for bits in (8, 16, 32, 64):
            self.register_buffer(f"signed{bits}", torch.tensor([-1, 5]).to(getattr(torch, f"int{bits}")))
            self.register_buffer(f"unsigned{bits}", torch.tensor([3, 5]).to(getattr(torch, f"uint{bits}")))
        self.register_buffer("mask", torch.tensor([True, False]))
        self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 3)
        self.two.weight = self.one.weight


def test_buffers_of_every_form_and_number_type_are_kept_and_read_by_both_readers(tmp_path):
    network, path = Odd(), tmp_path / "odd.safetensors"
    write_weights(network, path)
    for found in (load_file(path), read_tensors(path)):
        assert found.keys() == network.state_dict().keys()
        for name, tensor in network.state_dict().items():
            assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
            assert torch.equal(found[name], tensor)
    with torch.no_grad():
        network.one.weight.zero_()
    network.expanded = network.expanded.clone()  # torch itself loads nothing into what lies on itself
    read_weights(network, path)
    assert network.two.weight is network.one.weight
    assert torch.equal(network.two.weight, load_file(path)["one.weight"])


def test_numbers_that_no_reader_knows_are_refused_by_name():
    network = nn.Linear(2, 2)
    network.register_buffer("wide", torch.zeros(1, dtype=torch.complex128))
    with pytest.raises(ValueError, match=r"wide: found torch.complex128; weights can be kept as float64"):
        packed(network)


def test_complex_and_double_numbers_are_still_so_after_training(protocol):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    network.register_parameter("spectrum", nn.Parameter(torch.full((2, 2), 1 + 2j)))
    network.register_buffer("exact", torch.tensor([1e-300], dtype=torch.float64))
    train(network, protocol.task.data, RECIPE, 0)
    assert network.spectrum[0, 0] == 1 + 2j
    assert network.exact.item() == 1e-300


def test_an_attention_that_ends_in_an_activation_is_trained_before_an_addition_in_place(searched, tmp_path):
    study = searched('"net01:make_net"', '"ends:Ends"')
    assert set(study.table()["state"]) == {"complete"}
    key = next(key for key in study.table().index if study.architecture(key).placements)
    study.export(tmp_path / "out", key)
    spec = importlib.util.spec_from_file_location("exported", tmp_path / "out" / "model.py")
    exported = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(exported)
    network = exported.load().train()
    network(torch.randn(2, 1, 8, 8)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.attentions.parameters())


ENDINGS = [nn.ReLU(), nn.Sigmoid(), nn.Softmax(1), nn.Tanh(), nn.ELU(), nn.Softplus(), nn.Hardsigmoid()]


class InPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True)

    def forward(self, x):
        branch = self.conv(x)
        branch += 1
        return self.relu(branch)


@pytest.mark.parametrize("ending", ENDINGS, ids=str)
@pytest.mark.parametrize("module", ["conv", "<relu"])
def test_what_comes_next_may_write_in_place_on_any_attention_s_output(ending, module):
    """The gradients are those of the same network written without anything in place."""
    network = InPlace()
    attach(network, [(Point("stage1.block0.branch", module), ending)])
    images = torch.randn(2, 3, 4, 4, requires_grad=True)
    network(images).square().sum().backward()
    same = images.detach().requires_grad_()
    conv = network.conv._parameters
    branch = nn.functional.conv2d(same, conv["weight"], conv["bias"])
    expected = torch.relu(ending(branch) + 1) if module == "conv" else torch.relu(ending(branch + 1))
    expected.square().sum().backward()
    torch.testing.assert_close(images.grad, same.grad)


def test_no_copy_is_made_where_nothing_learns():
    network = attach(InPlace(), [(Point("stage1.block0.branch", "conv"), nn.Sigmoid())]).eval()
    with torch.profiler.profile() as profile, torch.no_grad():
        network(torch.randn(2, 3, 4, 4))
    assert not [event for event in profile.events() if event.name == "aten::clone"]
    program = torch.export.export(network, (torch.randn(2, 3, 4, 4),))
    assert "clone" not in program.graph_module.code


def test_auxiliary_scores_are_refused_at_once_unless_the_file_says_what_they_count(make_study):
    with pytest.raises(InputError, match=r"in training mode it gives 2 class scores.*auxiliary_weight = 0\.4"):
        plan(Backbone(name="deep_supervision:make_net"), in_channels=1, classes=10)
    with pytest.raises(InputError, match="net01:make_net: auxiliary_weight: gives no auxiliary scores"):
        plan(Backbone(name="net01:make_net", auxiliary_weight=0.4), in_channels=1, classes=10)
    with pytest.raises(InputError, match="resnet8: auxiliary_weight"):
        build(Architecture(), Backbone(name="resnet8", auxiliary_weight=0.4), in_channels=1, classes=10)


def test_torchvisions_auxiliary_scores_are_found_at_the_size_that_they_take():
    pytest.importorskip("torchvision", exc_type=ImportError)
    for name in ("googlenet", "inception_v3"):
        arguments = {"aux_logits": True, "init_weights": False}
        with pytest.raises(InputError, match=r"in training mode it gives [23] class scores"):
            plan(Backbone(name=f"torchvision:{name}", arguments=arguments), in_channels=3, classes=10)


class Scores(nn.Module):
    """Three heads of one layer each, whose scores come in a form of their own."""

    def __init__(self, form):
        super().__init__()
        self.heads, self.form = nn.ModuleList(nn.Linear(64, 10) for _ in range(3)), form

    def forward(self, images):
        scores = [head(images.flatten(1)) for head in self.heads]
        return self.form(scores) if self.training else scores[0]


FORMS = {
    "tuple": tuple,
    "list": list,
    "dict": lambda scores: dict(zip(("out", "aux1", "aux2"), scores, strict=True)),
    "nested": lambda scores: (scores[0], scores[1:]),
    "with none": lambda scores: (scores[0], None, *scores[1:]),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_loss_is_the_first_and_the_weight_times_each_other(protocol, form):
    network = Scores(FORMS[form])
    learner = Classifier(network, protocol.task.data, Recipe(label_smoothing=0.1), 0, auxiliary_weight=0.25)
    images, labels = torch.randint(256, (5, 1, 8, 8), dtype=torch.uint8), torch.arange(5)
    scores = [learner.normalise(images).flatten(1) @ head.weight.T + head.bias for head in network.heads]
    one, two, three = (nn.functional.cross_entropy(each, labels, label_smoothing=0.1) for each in scores)
    torch.testing.assert_close(learner.loss(images, labels), one + 0.25 * two + 0.25 * three)


def test_deep_supervision_is_searched_with_a_declared_weight(searched):
    study = searched('{name = "deep_supervision:make_net", auxiliary_weight = 0.4}')
    assert set(study.table()["state"]) == {"complete"}


SE = "stage1.block0.branch=se(reduction=4)"


def fails(error):
    def forward(self, features):
        raise error

    return forward


FAULTS = [
    RuntimeError("shapes do not fit\nsecond line"),
    TypeError("unsupported"),
    KeyError("gone"),
    IndexError("far"),
    AssertionError(""),
    ZeroDivisionError("by zero"),
    StopIteration(),
    RecursionError("deep"),
    NotImplementedError("later"),
    SystemExit(3),
]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_whatever_an_attention_raises_is_a_failed_row(protocol, monkeypatch, error):
    monkeypatch.setattr("nas_attn.attention.se.SqueezeExcitation.forward", fails(error))
    found = protocol.train(row(SE))
    assert found.state == "failed"
    assert type(error).__name__ in found.reason
    assert "\n" not in found.reason
    assert found.weights_sha256 == ""
    assert protocol.train(row()).state == "complete"


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_what_the_plain_backbone_raises_too_ends_the_search_without_a_row(protocol, monkeypatch, error):
    monkeypatch.setattr("nas_attn.backbones.resnet.BasicBlock.forward", fails(error))
    for spelt in ("none", SE):
        with pytest.raises(InputError, match=r"^the plain backbone cannot be trained: .*" + type(error).__name__):
            protocol.train(row(spelt))
    assert protocol.train(row(role="width-matched")).state == "failed"


def test_who_wants_to_leave_leaves(protocol, monkeypatch):
    monkeypatch.setattr("nas_attn.attention.se.SqueezeExcitation.forward", fails(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        protocol.train(row(SE))


def test_a_search_goes_on_after_a_candidate_that_fails(make_study, monkeypatch):
    monkeypatch.setattr("nas_attn.attention.spatial.SpatialAttention.forward", breaks_in_training)
    study = nas_attn.open_study(make_study(STUDY, SPACE.format(backbone='"resnet8"', kind="spatial") + "[kinds.se]"))
    said = study.run()
    table = study.table()
    failed = table["architecture"].str.contains("spatial")
    assert list(table["state"][failed]) == ["failed"]
    (key,) = table.index[failed]
    assert list(table["reason"][failed]) == [f"TypeError: not while it learns; see failures/{key}-seed0.txt"]
    assert "breaks_in_training" in (study.folder.path / "failures" / f"{key}-seed0.txt").read_text()
    assert list(table["state"][~failed]) == ["complete", "complete"]
    (reason,) = table["reason"][failed]
    assert said == f"3 of 3 networks are trained; 1 of them failed, the first for this reason: {reason}"
    assert study.run() == said


def breaks_in_training(self, features):
    if self.training:
        raise TypeError("not while it learns")
    return features * 0.5


def test_lost_images_and_a_full_disk_end_the_search_without_a_row(protocol, monkeypatch):
    def lost(*_args):
        raise FileNotFoundError(2, "No such file or directory", "photo7.png")
        yield

    with monkeypatch.context() as patched:
        patched.setattr("nas_attn.data.batches.PartBatches.__iter__", lost)
        with pytest.raises(InputError, match=r"the images cannot be read: FileNotFoundError: .*photo7"):
            protocol.train(row(SE))
    with monkeypatch.context() as patched:
        patched.setattr(
            "nas_attn.attention.se.SqueezeExcitation.forward", fails(OSError(28, "No space left on device"))
        )
        with pytest.raises(InputError, match=r"fault of this machine, not of a network: OSError: .*No space left"):
            protocol.train(row(SE))
    protocol.keeps.parent.joinpath("a file").write_text("")
    with pytest.raises(InputError, match="a file/weights: cannot be written: Not a directory"):
        replace(protocol, keeps=protocol.keeps.parent / "a file" / "weights").train(row(SE))


def test_what_a_callers_own_function_raises_is_no_fault_of_a_network(protocol):
    class EnoughError(Exception):
        pass

    def stop(done, epochs):
        raise EnoughError

    with pytest.raises(EnoughError):
        protocol.train(row(SE), stop)


def test_one_network_that_cannot_be_screened_is_reported_and_the_others_are(tmp_path, monkeypatch):
    (tmp_path / "space.toml").write_text('backbone = "resnet8"\nper = "stage"\n[kinds.spatial]\n[kinds.se]\n')
    space, data = load_space(tmp_path / "space.toml")[1], load_data(Digits(), tmp_path)
    supernet = build_supernet(space, "resnet8", in_channels=1, classes=10)
    monkeypatch.setattr("nas_attn.attention.spatial.SpatialAttention.forward", fails(TypeError("no")))
    options = {"calibration": 64, "batch_size": 64, "seed": 0, "device": torch.device("cpu")}
    found = dict(zip(map(str, space.baselines()), screened(supernet, data, space.baselines(), **options), strict=True))
    failed = [name for name, scored in found.items() if isinstance(scored, TrainingFailed)]
    assert failed == [name for name in found if "spatial" in name]
    assert str(found[failed[0]]).startswith("TypeError: no; in spatial(start=identity) at stage1.block0")
    assert all(found[name].validation["loss"] > 0 for name in found if name not in failed)
    monkeypatch.setattr("nas_attn.backbones.resnet.BasicBlock.forward", fails(TypeError("all")))
    with pytest.raises(TrainingFailed, match="all"):
        list(screened(supernet, data, space.baselines()[1:], **options))
