import hashlib
import json
import subprocess
import sys

import processes
import proofs
import pytest
import torch
from made_up import evaluation
from placing import installed
from safetensors.torch import load_file
from thoroughness import thorough
from versions import TORCH_FREES_FEWER_SIZES

from nas_attn.assembly import build
from nas_attn.attention import ATTENTIONS
from nas_attn.export import Winner, export
from nas_attn.export.model_source import model_source
from nas_attn.settings import Backbone, ImageFacts
from nas_attn.space import InputError, parse

FACTS = ImageFacts(3, 9, 8, ("cat", "dog", "owl"), (0.5, 0.4, 0.3), (0.2, 0.2, 0.2))
EVERY_KIND = (
    "stage1.block0.branch=se(reduction=4) stage1.block0.block=cbam(kernel_size=3) stage2.block0.branch=gate "
    "stage2.block0.block=non_local(subsample=true) stage2.block0.pre=se(start=identity) "
    "stage3.block0.branch=spatial stage3.block0.block=coordinate stage1.block0.inner=eca "
    "stage2.block0.inner=global_context(start=identity) stage3.block0.inner=simam stage1.block0.identity=scse "
    "stage2.block0.identity=bam stage3.block0.identity=efficient stage1.block0.pre=triplet stage3.block0.pre=ese "
    "stage1.block0.stage=multi_scale stage2.block0.stage=shuffle"
)

FURTHER_KINDS = (
    "stage1.block0.branch=gather_excite(extent=4) stage2.block0.branch=gather_excite(variant=plus,extent=2) "
    "stage1.block0.inner=selective_kernel stage2.block0.inner=strip(start=identity) "
    "stage3.block0.branch=efficient_local stage3.block0.inner=gather_excite"
)


def winner(spelling, backbone="resnet8", **changes):
    architecture, backbone = parse(spelling), Backbone.model_validate(backbone)
    network = build(architecture, backbone, in_channels=3, classes=3, seed=1)
    generator = torch.Generator().manual_seed(0)
    for tensor in network.state_dict().values():  # trained weights are not initial ones
        if tensor.is_floating_point():
            tensor += 0.1 * torch.rand(tensor.shape, generator=generator)
    row = evaluation(str(architecture), latency_ms=0.5, latency_iqr_ms=0.01, accuracy=0.75, loss=0.5, state="complete")
    values = {"network": network, "backbone": backbone, "row": row, "facts": FACTS, "study": {"seed": 0}}
    return Winner(**{**values, "tested": {"accuracy": 0.7}, "test_images": 30, **changes})


def outputs_of(folder, images, *, what="model.load()"):
    """The outputs of the exported files in a process that cannot import this package."""
    torch.save(images, folder.parent / "images.pt")
    code = (
        "import os, sys; sys.modules['nas_attn'] = None; sys.path.insert(0, sys.argv[1]); os.chdir(sys.argv[1])\n"
        f"import torch, model\nnetwork = {what}\n"
        "torch.save([network(i).detach() for i in torch.load('../images.pt')], '../outputs.pt')"
    )
    proofs.run([sys.executable, "-I", "-c", code, str(folder)]).check_returncode()
    return torch.load(folder.parent / "outputs.pt")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    given, out = winner(EVERY_KIND), tmp_path_factory.mktemp("export") / "out"
    assert export(given, out) == []
    return given, out


def test_further_kinds_give_their_outputs_at_any_size_without_this_package(tmp_path, forked_proofs):
    given, out = winner(FURTHER_KINDS), tmp_path / "out"
    assert export(given, out) == []
    images = [torch.randn(shape) for shape in ((4, 3, 9, 8), (1, 3, 24, 17), (3, 3, 10, 40))]
    with torch.no_grad():
        expected = [given.network(batch) for batch in images]
    for ours, theirs in zip(
        expected, outputs_of(out, images, what="torch.export.load('model.pt2').module()"), strict=True
    ):
        torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("what", ["model.load()", "torch.export.load('model.pt2').module()"])
def test_the_files_give_the_networks_outputs_without_this_package(exported, what):
    given, out = exported
    images = [torch.randn(shape) for shape in ((4, 3, 9, 8), (1, 3, 9, 8), (1, 3, 24, 17), (3, 3, 10, 40))]
    with torch.no_grad():
        expected = [given.network(batch) for batch in images]
    for ours, theirs in zip(expected, outputs_of(out, images, what=what), strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-6)


def test_the_source_is_formatted_linted_and_builds_every_kind(exported):
    _, out = exported
    source = (out / "model.py").read_text()
    compile(source, "model.py", "exec")
    kinds, others = ({one.attention.kind for one in parse(said).placements} for said in (EVERY_KIND, FURTHER_KINDS))
    assert kinds | others == ATTENTIONS.keys()
    for kind in kinds:
        assert f"class {ATTENTIONS[kind].__name__}(" in source
    assert '"stage2.block0.pre": IdentityStart(SqueezeExcitation(16)),' in source
    assert "nas_attn import" not in source
    ruff = [sys.executable, "-m", "ruff", "--quiet"]
    subprocess.run([*ruff, "format", "--check", "--line-length", "120", out / "model.py"], check=True)
    subprocess.run(
        [*ruff, "check", "--isolated", "--line-length", "120", "--select", "E,F,I,B,UP", out / "model.py"], check=True
    )


def test_the_plain_backbone_can_leave_too(tmp_path, forked_proofs):
    given = winner("none")
    export(given, tmp_path / "out")
    source = model_source(given.architecture, given.backbone, in_channels=3, classes=3)
    assert "class SqueezeExcitation" not in source
    assert "No attention anywhere" in (tmp_path / "out" / "README.md").read_text()


def test_the_config_and_the_card_say_what_the_network_is(exported):
    _, out = exported
    config = json.loads((out / "config.json").read_text())
    assert parse(config["architecture"]) == parse(EVERY_KIND)
    assert config["placements"]["stage1.block0.branch"] == "se(reduction=4)"
    assert config["metrics"]["accuracy"] == 0.75
    assert config["metrics"]["test_accuracy"] == 0.7
    assert config["metrics"]["train_seconds"] is None
    assert (config["backbone"], config["backbone_settings"]) == ("resnet8", {})
    assert config["class_names"] == ["cat", "dog", "owl"]
    assert config["normalisation"]["mean"] == [0.5, 0.4, 0.3]
    card = (out / "README.md").read_text()
    for text in ("75.00 %", "70.00 %", "0.500 ms", "a processor", "- `stage2.block0.branch`: gate"):
        assert text in card


def test_the_cards_example_runs_as_written(exported):
    _, out = exported
    code = (out / "README.md").read_text().split("```python\n")[1].split("```")[0]
    subprocess.run([sys.executable, "-c", code], cwd=out, check=True)


def test_the_weights_and_checksums_are_right(exported):
    given, out = exported
    state = given.network.state_dict()
    loaded = load_file(out / "model.safetensors")
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    lines = [line.split("  ") for line in (out / "MANIFEST.sha256").read_text().splitlines()]
    assert {name for _, name in lines} == {path.name for path in out.iterdir()} - {"MANIFEST.sha256", "__pycache__"}
    assert all(hashlib.sha256((out / name).read_bytes()).hexdigest() == checksum for checksum, name in lines)


def test_an_earlier_export_is_replaced_and_anything_else_is_left_alone(tmp_path, forked_proofs, no_program):
    export(winner("none"), tmp_path / "out")
    export(winner("stage1.block0.branch=se"), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["architecture"] == "stage1.block0.branch=se"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(InputError, match="exists, and is no earlier export"):
        export(winner("none"), tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()
    with pytest.raises(InputError, match="exists, and is no earlier export"):
        export(winner("none"), tmp_path / "mine" / "thesis.txt")


def test_a_program_that_differs_is_left_out_and_the_rest_is_kept(tmp_path, monkeypatch, forked_proofs):
    def lie(_network, shapes, _free, path, _one_alike):
        torch.export.save(torch.export.export(torch.nn.Flatten(), (torch.zeros(shapes[0]),)), path)

    monkeypatch.setattr("nas_attn.export.program._export_program", lie)
    (note,) = export(winner("none"), tmp_path / "out")
    assert note.startswith("model.pt2 is not there, because it does not load on its own: ")
    kept = {path.name for path in (tmp_path / "out").iterdir()}
    assert kept == {"MANIFEST.sha256", "README.md", "config.json", "model.py", "model.safetensors"}
    assert "There is no `model.pt2`, because it does not load" in (tmp_path / "out" / "README.md").read_text()


def test_sizes_that_a_program_refuses_are_reported(tmp_path, monkeypatch, forked_proofs):
    load = torch.export.load

    class OfOneSize(torch.nn.Module):
        def __init__(self, program):
            super().__init__()
            self.program = program

        def forward(self, images):
            assert images.shape[2:] == (9, 8), "Guard failed: images.size()[2] == 9"
            return self.program(images)

    class Program:
        def __init__(self, content):
            self.content = content

        def module(self):
            return OfOneSize(load(self.content).module())

    monkeypatch.setattr(torch.export, "load", Program)
    (note,) = export(winner("none"), tmp_path / "out")
    assert note.startswith(
        "model.pt2 takes any batch of images of 9 x 8 pixels only, because torch.export refused others"
    )
    assert "any batch of images of 9 x 8 pixels" in (tmp_path / "out" / "README.md").read_text()


def test_a_program_that_torch_refuses_is_reported_and_the_rest_is_kept(tmp_path, monkeypatch, forked_proofs):
    def refuse(*_args, **_kwargs):
        raise RuntimeError("too dynamic")

    monkeypatch.setattr("nas_attn.attention.programs.export", refuse)
    assert export(winner("none"), tmp_path / "out") == [
        "model.pt2 is not there, because torch.export refused: too dynamic"
    ]
    assert (tmp_path / "out" / "model.py").is_file()
    assert not (tmp_path / "out" / "model.pt2").exists()
    assert "There is no `model.pt2`" in (tmp_path / "out" / "README.md").read_text()


OWN = """
import torch
from torch import nn

from .widths import narrowed


class Scale(nn.Module):
    def __init__(self, channels, *, ratio: int = 4):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, narrowed(channels, ratio), 1)
        self.expand = nn.Conv2d(narrowed(channels, ratio), channels, 1)

    def forward(self, features):
        return features * self.expand(self.squeeze(features.mean((2, 3), keepdim=True))).sigmoid()


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features):
        return torch.relu(features + self.conv2(torch.relu(self.conv1(features))))


def make_net(*, in_channels, classes, width=8, flat=False):
    head = [nn.Flatten(), nn.Linear(72 * width, classes)] if flat else [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    body = [nn.Conv2d(in_channels, width, 3, padding=1), Block(width), Block(width)]
    return nn.Sequential(*body, *head, *([] if flat else [nn.Linear(width, classes)]))
"""


@pytest.fixture
def own_package(tmp_path, monkeypatch):
    """A package with an attention and a network of the user's own, in two modules."""
    package = tmp_path / "mine_to_export"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text(OWN)
    (package / "widths.py").write_text("def narrowed(channels, ratio):\n    return max(1, channels // ratio)\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == package.name]:
        monkeypatch.delitem(sys.modules, name)
    return f"{package.name}.nets"


def test_a_users_own_network_and_attention_leave_with_their_files(tmp_path, own_package, forked_proofs):
    spelling = f"stage1.block0.branch={own_package}:Scale(ratio=2,start=identity) stage1.block1.inner=gate"
    given = winner(spelling, {"name": f"{own_package}:make_net", "arguments": {"width": 12}})
    assert export(given, tmp_path / "out") == []
    package, out = tmp_path / "mine_to_export", tmp_path / "out"
    copies = {path.relative_to(out / "code").as_posix(): path.read_text() for path in (out / "code").rglob("*.py")}
    assert copies == {f"mine_to_export/{path.name}": path.read_text() for path in package.glob("*.py")}
    source = (out / "model.py").read_text()
    assert "class Block" not in source
    assert 'Point("stage1.block0.branch", "1.conv2", "1")' in source
    assert f'IdentityStart(importlib.import_module("{own_package}").Scale(12, ratio=2))' in source
    assert "`code` holds 3 files of the network's author" in (out / "README.md").read_text()
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "MANIFEST.sha256"], cwd=out, check=True)
    images = torch.randn(3, 3, 12, 9)
    with torch.no_grad():
        (theirs,) = outputs_of(tmp_path / "out", [images])
        torch.testing.assert_close(theirs, given.network(images), rtol=1e-5, atol=1e-6)
    assert export(given, out) == [
        "the earlier export is replaced, and the __pycache__ that Python made of its source went"
    ]


def test_a_users_own_package_can_be_imported_by_name(tmp_path, own_package, forked_proofs, no_program):
    given = winner(f"stage1.block0.branch={own_package}:Scale", f"{own_package}:make_net")
    assert export(given, tmp_path / "out", by_name=True) == []
    assert not (tmp_path / "out" / "code").exists()
    assert "\nNeeds mine_to_export and torch. " in (tmp_path / "out" / "model.py").read_text()
    assert json.loads((tmp_path / "out" / "config.json").read_text())["leaves"]["packages"] == [
        "torch",
        "mine_to_export",
    ]


def test_weights_and_program_are_kept_where_the_source_cannot_leave(tmp_path, own_package, forked_proofs):
    path = tmp_path / "mine_to_export" / "nets.py"
    path.write_text(f"{path.read_text()}\nassert '/code/' not in __file__, 'only here'\n")
    given = winner("stage1.block0.branch=se", f"{own_package}:make_net")
    (note,) = export(given, tmp_path / "out")
    assert note == "model.py is not there: it does not load on its own: AssertionError: only here"
    kept = {path.name for path in (tmp_path / "out").iterdir()}
    assert kept == {"MANIFEST.sha256", "README.md", "config.json", "model.pt2", "model.safetensors"}
    images = [torch.randn(3, 3, 12, 9)]
    code = "import torch; i = torch.load('../images.pt'); n = torch.export.load('model.pt2').module()\n"
    torch.save(images, tmp_path / "images.pt")
    processes.program(f"{code}torch.save(n(i[0]), '../outputs.pt')", cwd=tmp_path / "out").check_returncode()
    with torch.no_grad():
        torch.testing.assert_close(torch.load(tmp_path / "outputs.pt"), given.network(*images), rtol=1e-5, atol=1e-6)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "There is no `model.py`" in card
    exec(
        card.split("```python\n")[1].split("```")[0].replace('"model.pt2"', repr(str(tmp_path / "out" / "model.pt2"))),
        {},
    )
    assert export(given, tmp_path / "out") == [note]


def test_a_network_made_of_this_package_says_that_it_needs_it(tmp_path, own_package, forked_proofs, no_program):
    path = tmp_path / "mine_to_export" / "nets.py"
    path.write_text(f"import nas_attn.attention\n{path.read_text()}")
    export(winner("stage1.block0.branch=se", f"{own_package}:make_net"), tmp_path / "out")
    assert "needs nas_attn and torch" in (tmp_path / "out" / "README.md").read_text()


def test_a_network_for_one_size_leaves_with_a_program_for_that_size(tmp_path, own_package, forked_proofs):
    backbone = {"name": f"{own_package}:make_net", "arguments": {"flat": True}, "image": [9, 8]}
    given = winner("stage1.block0.branch=se", backbone)
    assert export(given, tmp_path / "out") == []
    assert "any batch of images of 9 x 8 pixels" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    "backbone",
    [
        {"name": "timm:seresnet18", "attention": "strip", "arguments": {"drop_rate": 0.1}},
        pytest.param({"name": "torchvision:resnet18"}, marks=thorough),
    ],
    ids=lambda backbone: backbone["name"],
)
def test_a_librarys_network_leaves_with_a_call_of_its_library(tmp_path, backbone, forked_proofs):
    library = backbone["name"].partition(":")[0]
    if not installed(library):
        pytest.skip(f"{library} is not installed")
    spelling = "stage1.block0.branch=gate stage2.block1.inner=coordinate(start=identity) stage4.block1.stage=bam"
    given = winner(spelling, backbone)
    notes = export(given, tmp_path / "out")
    assert [note for note in notes if not (TORCH_FREES_FEWER_SIZES and "torch.export refused others" in note)] == []
    source = (tmp_path / "out" / "model.py").read_text()
    assert f"import {library}" in source
    assert f"Needs {' and '.join(sorted([library, 'torch']))}" in source
    assert ("set_submodule" in source) == ("attention" in backbone)
    ruff = [sys.executable, "-m", "ruff", "--quiet"]
    subprocess.run([*ruff, "format", "--check", "--line-length", "120", tmp_path / "out" / "model.py"], check=True)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["backbone"] == backbone["name"]
    assert config["backbone_settings"].get("attention") == backbone.get("attention")


@pytest.mark.skipif(not installed("timm"), reason="timm is not installed")
def test_attention_of_a_library_leaves_with_a_call_of_its_library_and_for_its_size(tmp_path, forked_proofs):
    given = winner(
        "stage1.block0.branch=timm:ecam(rd_ratio=0.5,start=identity) "
        "stage2.block0.branch=timm.layers.squeeze_excite:SEModule(add_maxpool=true) "
        "stage3.block0.branch=timm:bottleneck(height=3,width=2,num_heads=2)"
    )
    assert export(given, tmp_path / "out") == []
    source = (tmp_path / "out" / "model.py").read_text()
    layers = 'importlib.import_module("timm.layers")'
    assert f'IdentityStart({layers}.get_attn("ecam")(16, rd_ratio=0.5))' in source
    assert 'importlib.import_module("timm.layers.squeeze_excite").SEModule(32, add_maxpool=True)' in source
    assert f'{layers}.get_attn("bottleneck")(64, 64, num_heads=2, feat_size=(3, 2))' in source
    assert "class SEModule" not in source
    images = torch.randn(3, 3, 9, 8)
    with torch.no_grad():
        (theirs,) = outputs_of(tmp_path / "out", [images])
        torch.testing.assert_close(theirs, given.network(images), rtol=1e-5, atol=1e-6)
        program = torch.export.load(tmp_path / "out" / "model.pt2").module()
        for batch in (images, images[:1]):
            torch.testing.assert_close(program(batch), given.network(batch), rtol=1e-5, atol=1e-6)


def test_an_attention_for_one_size_leaves_with_a_program_for_that_size_and_the_card_says_so(tmp_path, forked_proofs):
    kind = "attentions_of_others:RelativePositions"
    given = winner(f"stage2.block0.branch={kind}(height=5,width=4) stage3.block0.block={kind}(height=3,width=2)")
    assert export(given, tmp_path / "out") == []
    assert "any batch of images of 9 x 8 pixels" in (tmp_path / "out" / "README.md").read_text()
