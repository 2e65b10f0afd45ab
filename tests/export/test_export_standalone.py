"""What leaves the package stands alone: the source of its networks, and the reading of their weights."""

import ast
import inspect
import json
import re
import sys
from importlib import util
from types import ModuleType

import pytest
import safetensors.torch
import torch

from nas_attn.assembly import build
from nas_attn.attention import ATTENTIONS
from nas_attn.backbones import BACKBONES, CifarResNet
from nas_attn.export.standalone import tensors as tensors_module
from nas_attn.export.standalone.proof import prove
from nas_attn.export.standalone.source import standalone_source
from nas_attn.export.standalone.tensors import read_tensors
from nas_attn.space import parse

DTYPES = tuple(tensors_module._TYPES.values())


def executed(monkeypatch, *things):
    """The names of the source of these things, executed where this package cannot be imported."""
    imports, definitions = standalone_source(things)
    module = ModuleType("alone")
    for name in [name for name in sys.modules if name.partition(".")[0] == "nas_attn"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "alone", module)
    exec(compile(f"{imports}\n\n\n{definitions}", "alone.py", "exec"), vars(module))
    return module


@pytest.mark.parametrize("kind", ATTENTIONS)
@pytest.mark.parametrize("position", ["branch", "block"])
def test_a_network_from_its_source_gives_the_outputs_of_the_network(monkeypatch, kind, position):
    sites = [f"stage{stage}.block0.{position}" for stage in (1, 2, 3)]
    network = build(parse(" ".join(f"{site}={kind}" for site in sites)), "resnet8", in_channels=3, classes=5)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    alone = executed(monkeypatch, ATTENTIONS[kind], CifarResNet)
    with pytest.raises(ImportError):
        exec("import nas_attn.space")

    attention = getattr(alone, ATTENTIONS[kind].__name__)
    copy = alone.CifarResNet(
        depth=8,
        in_channels=3,
        classes=5,
        insert=lambda site: attention(site.channels) if site.name in sites else None,
    )
    assert type(copy) is not type(network)
    copy.load_state_dict(network.state_dict())
    images = torch.randn(2, 3, 9, 6)
    for mode in (True, False):
        assert torch.equal(copy.train(mode)(images), network.train(mode)(images))
    assert_same(copy.state_dict(), network.state_dict())


@pytest.mark.parametrize("name", ["mobilenetv2_small_images", "vgg11"])
def test_every_class_of_network_gives_its_outputs_from_its_source(monkeypatch, name):
    made = BACKBONES[name]
    network = made(in_channels=3, classes=5, insert=lambda site: None).eval()
    alone = executed(monkeypatch, made.func)
    copy = getattr(alone, made.func.__name__)(**made.keywords, in_channels=3, classes=5, insert=lambda site: None)
    assert type(copy) is not type(network)
    copy.load_state_dict(network.state_dict())
    images = torch.randn(2, 3, 40, 33)
    assert torch.equal(copy.eval()(images), network(images))


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype
        assert one[name].shape == other[name].shape
        bits = (tensor.reshape(-1).view(torch.uint8) for tensor in (one[name], other[name]))
        assert torch.equal(*bits)


def test_the_source_defines_each_name_once_before_its_use_and_names_this_package_nowhere():
    imports, definitions = standalone_source([read_tensors, *ATTENTIONS.values(), CifarResNet])
    tree = ast.parse(definitions)
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    assert len(names) == len(set(names))
    assert {"Site", "BasicBlock", "CifarResNet", "reduced_width", "read_tensors"} <= set(names)
    assert names.index("BasicBlock") < names.index("CifarResNet")
    assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree))
    assert "nas_attn" not in imports + definitions


def test_what_is_not_needed_stays_at_home():
    _, definitions = standalone_source([ATTENTIONS["se"]])
    assert {node.name for node in ast.parse(definitions).body} == {
        "_is_count",
        "choice",
        "_see",
        "count",
        "reduced_width",
        "switch",
        "SqueezeExcitation",
    }


def test_comments_to_the_type_checker_stay_at_home():
    _, definitions = standalone_source([CifarResNet, *ATTENTIONS.values()])
    assert "type: ignore" not in definitions
    assert "# type: ignore" in inspect.getsource(inspect.getmodule(CifarResNet))


def test_imports_stand_in_two_groups():
    imports, _ = standalone_source([read_tensors, ATTENTIONS["gate"], CifarResNet])
    standard, others = imports.split("\n\n")
    assert {line.split()[1] for line in standard.splitlines()} == {
        "json",
        "collections.abc",
        "dataclasses",
        "pathlib",
        "typing",
    }
    assert others.splitlines() == ["import torch", "import torch.nn.functional as F", "from torch import Tensor, nn"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes modules of `nas_attn` from their source, for as long as the test runs."""

    def make(**sources):
        modules = {}
        for name, source in sources.items():
            path = tmp_path / f"{name}.py"
            path.write_text(source)
            spec = util.spec_from_file_location(f"nas_attn.{name}", path)
            modules[name] = util.module_from_spec(spec)
            monkeypatch.setitem(sys.modules, spec.name, modules[name])
        for module in modules.values():
            module.__spec__.loader.exec_module(module)
        return modules

    return make


def test_definitions_are_copied_as_they_are_written(package):
    size = "@dataclass(frozen=True)\nclass Size:\n    height: int = 3  # pixels\n"
    least = 'LEAST: int = 3\n"""The least there may be."""\n'
    function = "def least(size: Size):\n    return LEAST if size else MOST"
    made = package(
        first=f"from dataclasses import dataclass\n\nMOST = 4\n{least}\n\n{size}",
        second=f"from .first import LEAST, MOST, Size\n\n\n{function}  # type: ignore[no-any-return]\n",
    )
    imports, copied = standalone_source([made["second"].least])
    assert imports == "from dataclasses import dataclass"
    assert copied == f"{least}\n\nMOST = 4\n\n\n{size}\n\n{function}\n"


def test_functions_that_need_each_other_are_copied_once(package):
    made = package(
        made="def even(n):\n    return n == 0 or odd(n - 1)\n\n\ndef odd(n):\n    return n != 0 and even(n - 1)\n"
    )["made"]
    _, copied = standalone_source([made.even, made.odd])
    assert copied.count("def even") == copied.count("def odd") == 1
    names = {}
    exec(copied, names)
    assert [names["even"](n) for n in range(4)] == [True, False, True, False]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("def width():\n    return 1\n", "def width():\n    return 2\n"),
        ("def width():\n    return 1\n", "width = 2\n"),
        ("def width():\n    return 1\n", "from math import pi as width\n"),
        ("from math import pi as width\n", "from math import e as width\n"),
        ("import math as width\n", "import json as width\n"),
        ("import math as width\n", "def width():\n    return 2\n"),
    ],
)
def test_two_meanings_of_one_name_never_meet(package, first, second):
    made = package(
        first=f"{first}\n\ndef one():\n    return width\n", second=f"{second}\n\ndef other():\n    return width\n"
    )
    for things in ([made["first"].one, made["second"].other], [made["second"].other, made["first"].one]):
        with pytest.raises(ValueError, match=r"^width: is one thing .* and another "):
            standalone_source(things)


def test_one_meaning_of_one_name_may_be_met_twice(package):
    made = package(
        first="import torch\nimport torch.nn.functional\nfrom math import pi\n\ndef one():\n    return torch, pi\n",
        second="import torch\nfrom math import pi\n\ndef other():\n    return torch, pi\n",
    )
    imports, _ = standalone_source([made["first"].one, made["second"].other])
    assert imports == "from math import pi\n\nimport torch\nimport torch.nn.functional"


@pytest.mark.parametrize("line", ["from nas_attn.first import one as two", "from nas_attn import first as two"])
def test_an_import_that_a_copy_cannot_replace_is_reported(package, line):
    made = package(first="def one():\n    return 1\n", second=f"{line}\n\ndef other():\n    return two\n")
    with pytest.raises(ValueError, match=r"^two: nas_attn\.second must import a definition, under its own name"):
        standalone_source([made["second"].other])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_are_read_as_the_library_reads_them(tmp_path, dtype):
    path = tmp_path / "some.safetensors"
    numbers = torch.arange(-30, 30)
    written = {
        "matrix": numbers.reshape(3, 4, 5).to(dtype),
        "scalar": torch.tensor(7).to(dtype),
        "one": torch.tensor([-3]).to(dtype),
        "empty": torch.empty((0, 4)).to(dtype),
        "odd.name é": numbers[:7].clone().to(dtype),
    }
    safetensors.torch.save_file(written, path)
    assert_same(read_tensors(path), written)
    assert_same(read_tensors(path), safetensors.torch.load_file(path))


def test_types_may_be_mixed_and_extremes_are_kept(tmp_path):
    path = tmp_path / "some.safetensors"
    written = {str(dtype): torch.tensor([float("inf"), -0.0, 1e-30, 3e38]).to(dtype) for dtype in DTYPES[:-1]}
    written["integers"] = torch.tensor([2**63 - 1, -(2**63)])
    written["byte"] = torch.ones(1, dtype=torch.float16)
    safetensors.torch.save_file(written, path)
    assert_same(read_tensors(path), written)


@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        ({}, None),
        ({}, {"architecture": "none"}),
        ({"one": torch.ones(2)}, None),
        ({"one": torch.ones(2)}, {}),
        ({"one": torch.ones(2)}, {"architecture": "none", "é": "ü"}),
    ],
)
def test_metadata_is_no_tensor(tmp_path, tensors, metadata):
    path = tmp_path / "some.safetensors"
    safetensors.torch.save_file(tensors, path, metadata)
    assert_same(read_tensors(path), tensors)


def test_what_was_read_can_be_trained_further(tmp_path):
    path = tmp_path / "some.safetensors"
    safetensors.torch.save_file({"one": torch.ones(2)}, path)
    before = path.read_bytes()
    read_tensors(path)["one"].add_(1)
    assert path.read_bytes() == before
    assert read_tensors(path)["one"].tolist() == [1, 1]


def test_a_type_that_is_not_read_is_not_guessed(tmp_path):
    path = tmp_path / "some.safetensors"
    header = json.dumps({"one": {"dtype": "F4", "shape": [1], "data_offsets": [0, 1]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    with pytest.raises(KeyError, match="F4"):
        read_tensors(path)


def test_a_network_that_prints_is_proved_and_one_that_differs_is_reported(tmp_path, forked_proofs):
    (tmp_path / "model.py").write_text(
        "import torch\nprint('imported')\n\ndef load(_):\n    return torch.nn.Identity()\n"
    )
    shapes = {"model.py": [(2, 3, 5, 4), (1, 3, 5, 4)]}
    assert prove(tmp_path, torch.nn.Identity(), shapes) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["model.py"]
    (fault,) = prove(tmp_path, torch.nn.ReLU(), shapes).values()
    assert re.fullmatch(r"differs by .* for images of shape \(2, 3, 5, 4\)", fault)
    program = torch.export.export(torch.nn.Identity(), (torch.zeros(2, 3, 5, 4),))
    torch.export.save(program, tmp_path / "model.pt2")
    (tmp_path / "model.py").write_text("import os\nos._exit(7)\n")
    faults = prove(tmp_path, torch.nn.Identity(), {**shapes, "model.pt2": shapes["model.py"][:1]})
    assert faults == {"model.py": "does not load on its own: exit code 7"}
    (tmp_path / "model.py").write_text("import nas_attn\n")
    assert "ModuleNotFoundError: import of nas_attn halted" in prove(tmp_path, torch.nn.Identity(), shapes)["model.py"]
