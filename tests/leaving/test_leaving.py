"""However a network is written, it leaves: its files go along, and elsewhere it gives the same scores."""

import py_compile
import re
import shutil
import sys
import zipfile
from contextlib import contextmanager

import proofs
import pytest
import torch
from made_up import evaluation
from placing import installed
from ways import SCALE, WAYS

import nas_attn
from nas_attn import cli
from nas_attn.assembly import build
from nas_attn.backbones import network, sites
from nas_attn.backbones.foreign import _plan
from nas_attn.export import Winner, export, leaving
from nas_attn.export.program import Program
from nas_attn.settings import Backbone, ImageFacts
from nas_attn.space import InputError, parse

FACTS = ImageFacts(1, 8, 7, ("cat", "dog", "owl"), (0.5,), (0.2,))
SHAPE = {"in_channels": 1, "classes": 3}
IMAGES = [torch.randn(shape, generator=torch.Generator().manual_seed(1)) for shape in ((2, 1, 8, 7), (1, 1, 11, 12))]
ALONE = ["imported in a pass"]  # which another module of the name of its own would break
LOAD = """
import importlib.util, pathlib, sys, torch
sys.modules["nas_attn"] = None
out, *names = sys.argv[1:]
for name in names:
    try:
        spec = importlib.util.spec_from_file_location(f"export_{name}", pathlib.Path(out, name, "model.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        network = module.load()
        with torch.inference_mode():
            result = [network(images) for images in torch.load(pathlib.Path(out, "images.pt"))]
    except Exception as error:
        result = repr(error)
    torch.save(result, pathlib.Path(out, f"{name}.pt"))
"""


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="latin-1" if "latin-1" in text else "utf-8")


@contextmanager
def imported_from(folder):
    """Context in which a folder's modules can be imported; afterwards they are forgotten."""
    before, path = set(sys.modules), [*sys.path]
    sys.path.insert(0, str(folder))
    _plan.cache_clear()  # another network of the same name
    try:
        yield folder
    finally:
        sys.path[:] = path
        forget(before)


@pytest.fixture
def home(tmp_path):
    """An author's folder, from which modules are imported."""
    folder = tmp_path / "home"
    folder.mkdir()
    with imported_from(folder):
        yield folder


def forget(before):
    for name in set(sys.modules) - before:
        if not installed_module(name):
            del sys.modules[name]


def installed_module(name):
    return "site-packages" in (getattr(sys.modules[name], "__file__", None) or "site-packages")


def made(backbone, kind):
    """The network with an attention after its first block, and its architecture."""
    found = sites(lambda insert: network(backbone)(**SHAPE, insert=insert))
    site = next(site for site in found if site.position == "block")
    spelling = parse(f"{site.name}={kind}")
    built = build(spelling, backbone, **SHAPE, seed=3)
    generator = torch.Generator().manual_seed(0)
    for tensor in built.state_dict().values():
        if tensor.dtype == torch.float32:
            tensor += 0.1 * torch.rand(tensor.shape, generator=generator)
    return spelling, built.eval()


def winner(name, kind="se"):
    backbone = Backbone(name=name)
    architecture, built = made(backbone, kind)
    row = evaluation(
        str(architecture), latency_ms=0.5, latency_iqr_ms=0.01, accuracy=0.75, loss=0.5, state="complete", seed=3
    )
    return Winner(built, backbone, row, FACTS, {"seed": 0}, {"accuracy": 0.7}, 30)


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """Every network as it was exported, its scores, and its scores where its author's folder and nas_attn are not."""
    out, found = tmp_path_factory.mktemp("left"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas_attn.export.folder.torch_program", lambda *_: Program("model.pt2", note="not tried"))
        proofs.fork_proofs(patch)
        for name, way in WAYS.items():
            if all(map(installed, way.needs)):
                home = tmp_path_factory.mktemp("home")
                write(home, way.files)
                with imported_from(home):
                    found[name] = taken(way, out / name)
                shutil.rmtree(home)
    torch.save(IMAGES, out / "images.pt")
    for names in ({*found} - {*ALONE}, *([name] for name in ALONE)):
        proofs.run([sys.executable, "-I", "-c", LOAD, str(out), *names]).check_returncode()
    return out, found


def taken(way, out):
    """How a network leaves before it is built, what its export says, and its scores; or what was raised."""
    try:
        leaves = leaving(Backbone(name=way.name), [parse(f"here={way.kind}").placements[0].attention.kind], **SHAPE)
        given = winner(way.name, way.kind)
        notes = export(given, out)
        with torch.inference_mode():
            return leaves, notes, [given.network(images) for images in IMAGES]
    except Exception as error:
        return error


@pytest.mark.parametrize("name", WAYS)
def test_a_network_gives_its_scores_far_from_its_authors_folder(left, name):
    out, found = left
    way = WAYS[name]
    if name not in found:
        pytest.skip(f"one of {way.needs} is not installed")
    if isinstance(found[name], Exception):
        raise found[name]
    leaves, notes, expected = found[name]
    listed = [line.partition("  code/")[2] for line in (out / name / "MANIFEST.sha256").read_text().splitlines()]
    assert {*filter(None, listed)} == set(way.goes.split() or way.files)
    assert {*leaves.files} == set(way.goes.split() or way.files)
    assert leaves.packages == way.needs
    assert notes == ["not tried"]
    scores = torch.load(out / f"{name}.pt")
    assert not isinstance(scores, str), scores
    for ours, theirs in zip(expected, scores, strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-6)


def test_modules_keep_their_names_beside_those_of_an_export(left, tmp_path):
    out, _ = left
    write(tmp_path, {"nets.py": "MINE = True\n", "utils.py": "MINE = True\n"})
    code = """
import sys
sys.modules["nas_attn"] = None
out, mine = sys.argv[1:]
sys.path[:] = [out, mine, *sys.path]
import nets, model
network = model.load()
import pickle, utils
assert nets.MINE and utils.MINE and sys.modules["nets"] is nets
assert "models.nets" in sys.modules  # of which there is no other
pickle.dumps(network[1])
"""
    proofs.run([sys.executable, "-I", "-c", code, str(out / "models and utils"), str(tmp_path)]).check_returncode()


def test_a_module_in_an_archive_leaves_as_a_file(home):
    with zipfile.ZipFile(home / "nets.zip", "w") as archive:
        archive.writestr("zipped/nets.py", WAYS["one file"].files["nets.py"])
        archive.writestr("zipped/__init__.py", "")
    sys.path.insert(0, str(home / "nets.zip"))
    assert {*leaving(Backbone(name="zipped.nets:make_net"), **SHAPE).files} == {"zipped/__init__.py", "zipped/nets.py"}


def compiled(home, _=None):
    write(home, WAYS["two files"].files)
    py_compile.compile(home / "blocks.py", home / "blocks.pyc")
    (home / "blocks.py").unlink()


def in_the_program(_, monkeypatch):
    defined = {}
    exec(WAYS["one file"].files["nets.py"], defined)
    monkeypatch.setattr(sys.modules["__main__"], "make_net", defined["make_net"], raising=False)


KEPT = WAYS["one file"].files["nets.py"]
CANNOT = {
    compiled: ("nets:make_net", "blocks: found blocks.pyc; allowed: a module with a source file"),
    in_the_program: ("__main__:make_net", "__main__ is no module with a file of its own"),
}


@pytest.mark.parametrize("case", CANNOT, ids=lambda case: case.__name__)
def test_a_source_that_cannot_leave_is_known_before_anything_is_trained(home, monkeypatch, case):
    case(home, monkeypatch)
    name, reason = CANNOT[case]
    leaves = leaving(Backbone(name=name), **SHAPE)
    assert str(leaves) == f"leaves as: weights and model.pt2 only: {reason}"
    assert (leaves.files, leaves.packages) == ({}, ())


def test_an_installed_package_is_imported_by_name(home, tmp_path, forked_proofs):
    site = home / "site-packages"
    write(site, {"shop_of_nobody/__init__.py": "", "shop_of_nobody/nets.py": KEPT, "kept_by_nobody.py": "WIDTH = 4\n"})
    with imported_from(site):
        leaves = leaving(Backbone(name="shop_of_nobody.nets:make_net"), **SHAPE)
        assert (str(leaves), leaves.files) == ("leaves as: shop_of_nobody by name", {})
        notes = export(winner("shop_of_nobody.nets:make_net"), tmp_path / "out")
        assert not [note for note in notes if "model.py" in note]
        write(home, {"nets.py": f"from kept_by_nobody import WIDTH\n{KEPT}"})
        leaves = leaving(Backbone(name="nets:make_net"), **SHAPE)
        assert (str(leaves), leaves.packages) == (
            "leaves as: 1 file of nets; needs kept_by_nobody too",
            ("kept_by_nobody",),
        )


def test_a_file_that_an_argument_names_does_not_go_along(home):
    write(
        home,
        {
            "net.yaml": "width: 4",
            "nets.py": KEPT.replace("def make_net(in_channels, classes)", "def make_net(in_channels, classes, config)"),
        },
    )
    leaves = leaving(Backbone(name="nets:make_net", arguments={"config": f"{home}/net.yaml"}), **SHAPE)
    assert leaves.remarks == (f"nets:make_net: its argument config names {home}/net.yaml, which does not go along",)


def test_a_network_for_batches_alone_leaves_and_that_is_said(home, tmp_path, forked_proofs):
    text = KEPT.replace("nn.Flatten()", "Squeeze()")
    write(
        home,
        {"nets.py": f"{text}\n\nclass Squeeze(nn.Module):\n    def forward(self, x):\n        return x.squeeze()\n"},
    )
    notes = export(winner("nets:make_net"), tmp_path / "out")
    assert "the network takes no batch of one image" in notes
    assert (tmp_path / "out" / "model.py").is_file()


def test_a_package_called_model_cannot_be_imported_beside_model_py(home):
    write(home, WAYS["a file named model"].files)
    assert "model cannot be imported by name" in leaving(Backbone(name="model:make_net"), **SHAPE, by_name=True).reason
    assert leaving(Backbone(name="model:make_net"), **SHAPE).reason == ""


UNKEPT = {
    "self.register_buffer('c', torch.ones(1, dtype=torch.complex128))": "1.c: found torch.complex128; weights can be",
    "self.get_extra_state = lambda: {'epoch': 3}": "",
    "self.register_state_dict_post_hook(lambda m, s, p, _: s.__delitem__(p + 'conv1.bias'))": "1.conv1.bias",
}


@pytest.mark.parametrize("line", UNKEPT, ids=["a type", "no tensor", "dropped"])
def test_weights_that_cannot_be_kept_are_refused_before_anything_is_trained(home, line):
    text = KEPT.replace("        self.relu,", f"        {line}\n        self.relu,").replace(
        "    def forward", "    def set_extra_state(self, state):\n        pass\n\n    def forward"
    )
    if "extra" in line:
        text = text.replace(line, "pass").replace(
            "    def forward", "    def get_extra_state(self):\n        return {'epoch': 3}\n\n    def forward"
        )
    write(home, {"nets.py": f"import torch\n{text}"})
    said = UNKEPT[line] or "1._extra_state: found dict; weights can be kept as float64"
    with pytest.raises(InputError, match=rf"nets:make_net: its weights cannot be kept: .*{re.escape(said)}"):
        leaving(Backbone(name="nets:make_net"), **SHAPE)


REMARKS = {
    "open(Path(__file__).with_name('lost.json'))": "nets names lost.json, which is not found beside it",
    "open('here.json')": "nets names here.json, found in the current folder",
    "open('{home}/far/there.txt')": "nets names {home}/far/there.txt, which is not found beside it",
    "Path(__file__).parent / 'many'": "nets names the folder many, which is too large to go along",
}


@pytest.mark.parametrize("line", REMARKS, ids=["lost", "in the current folder", "absolute", "too many"])
def test_a_file_that_is_read_and_does_not_go_along_is_named(home, monkeypatch, line):
    write(home, {"here.json": "{}", "far/there.txt": "", **{f"many/{n}.csv": "" for n in range(70)}})
    monkeypatch.chdir(home)
    read = f"from pathlib import Path\nREAD = lambda: {line.format(home=home)}\n"
    write(home, {"nets.py": read + KEPT})
    leaves = leaving(Backbone(name="nets:make_net"), **SHAPE)
    assert [remark.removesuffix(" and does not go along") for remark in leaves.remarks] == [
        REMARKS[line].format(home=home)
    ]
    assert {*leaves.files} == {"nets.py"} | ({"here.json"} if "'here" in line else set())


def test_sites_and_space_say_how_a_network_leaves(home, monkeypatch, capsys):
    write(home, {**WAYS["an attention too"].files, "mine/__init__.py": SCALE})
    space = '[backbone]\nname = "nets:make_net"\n[kinds."mine:Scale"]\nbias = true\n'
    write(home, {"space.toml": f"image = [1, 8, 7]\nclasses = 3\n{space}"})
    for arguments, said in (
        (("sites", "nets:make_net", "--image", "1x8x7", "--classes", "3"), "3 files of blocks, chains and nets"),
        (("sites", f"{home}/space.toml"), "4 files of blocks, chains, mine and nets"),
        (("space", f"{home}/space.toml"), "4 files of blocks, chains, mine and nets"),
        (("sites", "resnet8"), "its own source"),
    ):
        monkeypatch.setattr(sys, "argv", ["nas-attn", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert not stopped.value.code
        assert f"\nleaves as: {said}\n" in capsys.readouterr().out


def test_a_search_begins_with_what_cannot_leave(home, make_study, monkeypatch, caplog):
    compiled(home)
    space = 'backbone = "nets:make_net"\n[kinds.se]\n'
    monkeypatch.setattr("nas_attn.launch.study.run_chain", lambda *_: "not run")
    nas_attn.open_study(make_study(space=space)).run()
    assert "nets:make_net: leaves as: weights and model.pt2 only: blocks: found blocks.pyc" in caplog.text
