"""The folder of an export: what is replaced, what is left alone, and what a kill leaves."""

import json
import os
import py_compile
import re
import shutil
import subprocess
from pathlib import Path

import processes
import pytest
from proofs import fork_proofs
from test_export import winner

from nas_attn.export import export
from nas_attn.export.standalone.folder import claimed
from nas_attn.space import InputError


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An export; no test may change it."""
    out = tmp_path_factory.mktemp("whole") / "out"
    with pytest.MonkeyPatch.context() as patch:
        fork_proofs(patch)
        export(winner("none"), out)
    return out


@pytest.fixture
def earlier(whole, tmp_path):
    """A copy of an export, to be changed."""
    return Path(shutil.copytree(whole, tmp_path / "out"))


def snapshot(folder):
    """All that lies below a folder, links as links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = content
    return found


def list_all(folder):
    """A manifest that is right for whatever stands in a folder, as `sha256sum * > MANIFEST.sha256` writes it."""
    subprocess.run("sha256sum -- * > ../sums; mv ../sums MANIFEST.sha256", shell=True, cwd=folder, check=True)


def thesis(out):
    shutil.rmtree(out)
    (out / "data").mkdir(parents=True)
    (out / "chapter.tex").write_text("all of it")
    (out / "data" / "measured.csv").write_text("1,2")
    (out / "MANIFEST.sha256").write_text("")


def manifest_of_mine(out):
    shutil.rmtree(out)
    out.mkdir()
    (out / "MANIFEST.sha256").write_text("sums of another kind")


def published_model(out):
    """Files of a model hub, which have the names of ours."""
    shutil.rmtree(out)
    out.mkdir()
    for name in ("README.md", "model.py", "model.safetensors"):
        (out / name).write_text("mine")
    (out / "config.json").write_text('{"architectures": ["Mine"]}')
    list_all(out)


def my_model_by_the_same_names(out):
    (out / "model.py").write_text("class Mine: ...")
    (out / "MANIFEST.sha256").unlink()
    list_all(out)


def notes_beside_it(out):
    (out / "notes.txt").write_text("what I found")


def listed_notes(out):
    notes_beside_it(out)
    (out / "MANIFEST.sha256").unlink()
    list_all(out)


def folder_in_it(out):
    (out / "runs").mkdir()


def hidden_file(out):
    (out / ".DS_Store").write_bytes(b"\0")


def other_case(out):
    (out / "readme.md").write_text("mine")


def edited_card(out):
    (out / "README.md").write_text((out / "README.md").read_text() + "\nI changed the classes.\n")


def edited_source(out):
    (out / "model.py").write_text((out / "model.py").read_text().replace("def load(", "def load_mine("))


def lost_weights(out):
    (out / "model.safetensors").unlink()


def names_my_secret(out):
    (out.parent / "secret").write_text("mine")
    with (out / "MANIFEST.sha256").open("a") as file:
        file.write(f"{'0' * 64}  ../secret\n")


def linked_file(out):
    (out / "model.pt2").rename(out.parent / "big.pt2")
    (out / "model.pt2").symlink_to(out.parent / "big.pt2")


def cache_of_mine(out):
    (out / "__pycache__").mkdir()
    (out / "__pycache__" / "helper.cpython-311.pyc").write_bytes(b"")


def cached_notes(out):
    (out / "__pycache__").mkdir()
    (out / "__pycache__" / "notes.txt").write_text("mine")


def code_of_mine(out):
    (out / "code").mkdir()
    (out / "code" / "helper.py").write_text("mine")


def with_code(out):
    """As an export of a network in a file of a package is written."""
    config = json.loads((out / "config.json").read_text())
    config["leaves"]["files"] = ["code/shop/nets.py"]
    (out / "config.json").write_text(json.dumps(config, indent=2))
    (out / "code" / "shop").mkdir(parents=True)
    (out / "code" / "shop" / "nets.py").write_text("class Net: ...")
    (out / "MANIFEST.sha256").unlink()
    listed = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    sums = subprocess.run(["sha256sum", "--", *listed], cwd=out, check=True, capture_output=True)
    (out / "MANIFEST.sha256").write_bytes(sums.stdout)


def code_that_is_named(out):
    with_code(out)
    (out / "code" / "helper.py").write_text("mine")
    subprocess.run("sha256sum -- code/helper.py >> MANIFEST.sha256", shell=True, cwd=out, check=True)


def linked_code(out):
    with_code(out)
    (out / "code" / "shop").rename(out.parent / "shop")
    (out / "code" / "shop").symlink_to(out.parent / "shop")


def edited_code(out):
    with_code(out)
    (out / "code" / "shop" / "nets.py").write_text("mine")


def lost_code(out):
    with_code(out)
    (out / "code" / "shop" / "nets.py").unlink()


def cache_beside_code(out):
    with_code(out)
    (out / "code" / "shop" / "__pycache__").mkdir()
    (out / "code" / "shop" / "__pycache__" / "other.cpython-311.pyc").write_bytes(b"")


def pipe(out):
    os.mkfifo(out / "model.pyc")


CHANGES = {
    thesis: "chapter.tex is no file that an export writes",
    manifest_of_mine: "README.md is missing",
    published_model: "config.json is not of an export",
    my_model_by_the_same_names: "model.py is not of an export",
    notes_beside_it: "notes.txt is no file",
    listed_notes: "notes.txt is no file",
    folder_in_it: "runs is no file",
    hidden_file: ".DS_Store is no file",
    other_case: "readme.md is no file",
    edited_card: "README.md is not what MANIFEST.sha256 says",
    edited_source: "model.py is not what MANIFEST.sha256 says",
    lost_weights: "model.safetensors is missing",
    names_my_secret: "MANIFEST.sha256 names other files too",
    linked_file: "model.pt2 is no file",
    cache_of_mine: "__pycache__/helper.cpython-311.pyc is no file",
    cached_notes: "__pycache__/notes.txt is no file",
    code_of_mine: "code is no file",
    code_that_is_named: "code/helper.py is no file",
    linked_code: "code/shop is no file",
    edited_code: "code/shop/nets.py is not what MANIFEST.sha256 says",
    lost_code: "MANIFEST.sha256 names other files too",
    cache_beside_code: "code/shop/__pycache__/other.cpython-311.pyc is no file",
    pipe: "model.pyc is no file",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_a_user_put_into_a_folder_is_never_replaced(earlier, change):
    change(earlier)
    before = snapshot(earlier.parent)
    with pytest.raises(InputError, match=re.escape(CHANGES[change])) as refused:
        export(winner("stage1.block0.branch=se"), earlier)
    assert str(refused.value).startswith(f"{earlier}: exists, and is no earlier export")
    assert snapshot(earlier.parent) == before


@pytest.mark.parametrize("dangling", [False, True], ids=["to an export", "dangling"])
def test_an_export_never_goes_through_a_link(earlier, dangling):
    link = earlier.with_name("link")
    link.symlink_to("nowhere" if dangling else earlier)
    before = snapshot(earlier.parent)
    for name in ("link", "link/"):
        with pytest.raises(InputError, match=r"link: exists, .* it is a link"):
            export(winner("none"), Path(f"{earlier.parent}/{name}"))
    assert snapshot(earlier.parent) == before


def test_the_current_folder_and_one_within_an_export_are_refused(earlier, monkeypatch):
    before = snapshot(earlier.parent)
    with pytest.raises(InputError, match=f"lies within the export {earlier}"):
        export(winner("none"), earlier / "second")
    monkeypatch.chdir(earlier)
    for here in (Path(), earlier, Path("../out")):
        with pytest.raises(InputError, match="is the current folder"):
            export(winner("none"), here)
    with pytest.raises(InputError, match="is no file that an export writes"):
        export(winner("none"), Path(".."))
    assert snapshot(earlier.parent) == before


def imported(out):
    py_compile.compile(out / "model.py", doraise=True)
    assert (out / "__pycache__").is_dir()


def written_on_windows(out):
    text = (out / "MANIFEST.sha256").read_bytes()
    (out / "MANIFEST.sha256").write_bytes(text.replace(b"\n", b"\r\n"))


def version_0_1_0(out):
    config = json.loads((out / "config.json").read_text())
    del config["weights"], config["leaves"]
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (out / "MANIFEST.sha256").unlink()
    list_all(out)


def without_program(out):
    (out / "model.pt2").unlink()
    (out / "MANIFEST.sha256").unlink()
    list_all(out)


def cached_code(out):
    with_code(out)
    (out / "code" / "shop" / "__pycache__").mkdir()
    (out / "code" / "shop" / "__pycache__" / "nets.cpython-311.pyc").write_bytes(b"")


def empty(out):
    shutil.rmtree(out)
    out.mkdir()


def untouched(_out):
    pass


@pytest.mark.parametrize(
    "change",
    [untouched, imported, written_on_windows, version_0_1_0, without_program, with_code, cached_code, empty],
    ids=lambda change: change.__name__,
)
def test_an_export_that_nobody_changed_is_replaced(earlier, change, monkeypatch, forked_proofs, no_program):
    change(earlier)
    monkeypatch.chdir(earlier.parent)
    notes = export(winner("stage1.block0.branch=se"), Path("../") / earlier.parent.name / "out/")
    assert json.loads((earlier / "config.json").read_text())["architecture"] == "stage1.block0.branch=se"
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "MANIFEST.sha256"], cwd=earlier, check=True)
    assert [path.name for path in earlier.parent.iterdir()] == ["out"]
    assert notes == ["the earlier export is replaced, and the __pycache__ that Python made of its source went"] * (
        change in (imported, cached_code)
    )


KILLED = """
import json, os, shutil, signal, sys
from pathlib import Path
from nas_attn.space import InputError
from nas_attn.export.standalone.folder import claimed, exchange, write_files


def found(folder):
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name != "MANIFEST.sha256"}


given, out = map(Path, sys.argv[1:])
texts = found(given)
texts["README.md"] += b"later"


def export_again(killed_at):
    calls = 0

    def kill(event, _):
        nonlocal calls
        if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"):
            calls += 1
            if calls == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    with claimed(out) as work:
        write_files(work, texts, out)
        exchange(work, out)


seen = []
for killed_at in range(1, 1000):
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(given, out)
    before, child = found(out), os.fork()
    if not child:
        export_again(killed_at)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    moved = out.with_name(".out-export") / "earlier"
    aside = not out.exists()
    assert found(moved if aside else out) in (before, texts), killed_at
    with claimed(out):
        assert found(out) in (before, texts), killed_at
    assert [path.name for path in out.parent.iterdir()] == ["out"], killed_at
    seen.append("aside" if aside else "later" if found(out) == texts else "before")
    if not os.WIFSIGNALED(status):
        break
print(json.dumps(seen))
"""


def test_an_export_that_is_killed_at_any_moment_leaves_one_whole_and_the_next_clears_the_rest(earlier, tmp_path):
    with_code(earlier)
    (tmp_path / "here").mkdir()
    process = processes.program(KILLED, earlier, tmp_path / "here" / "out")
    assert process.returncode == 0, process.stderr
    seen = json.loads(process.stdout)
    assert seen == sorted(seen, key=["before", "aside", "later"].index)
    assert set(seen) == {"before", "aside", "later"}


def test_what_a_killed_export_of_version_0_1_0_left_is_cleared_and_nothing_else(earlier):
    left, mine = earlier.with_name(".out-k3_b9xyz"), earlier.with_name(".out-sketches")
    shutil.copytree(earlier, left / "export")
    (left / "probes.pt").write_bytes(b"")
    (mine / "export").mkdir(parents=True)
    (mine / "export" / "drawing.svg").write_text("mine")
    earlier.with_name(".out-archives").mkdir()
    earlier.with_name(".outside-k3_b9xyz").mkdir()
    with claimed(earlier):
        pass
    kept = {path.name for path in earlier.parent.iterdir()}
    assert kept == {"out", ".out-sketches", ".out-archives", ".outside-k3_b9xyz"}
    assert (mine / "export" / "drawing.svg").is_file()


def test_something_of_a_users_where_an_export_works_is_reported_and_kept(earlier):
    mine = earlier.with_name(".out-export")
    (mine / "new").mkdir(parents=True)
    (mine / "new" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=f"{re.escape(str(mine / 'new' / 'notes.txt'))}: is in the way"):
        export(winner("none"), earlier)
    assert (mine / "new" / "notes.txt").read_text() == "mine"


def test_two_exports_do_not_write_to_one_folder_at_once(earlier):
    code = "import sys, pathlib\nfrom nas_attn.export.standalone.folder import claimed\n"
    code += "with claimed(pathlib.Path(sys.argv[1])): pass"
    with claimed(earlier) as work:
        process = processes.program(code, earlier)
        assert f"InputError: {earlier}: another export is writing there" in process.stderr
        assert (work / "new").is_dir()
    processes.program(code, earlier).check_returncode()
    assert [path.name for path in earlier.parent.iterdir()] == ["out"]


def test_a_folder_that_changes_while_an_export_works_is_left_alone(earlier, monkeypatch):
    monkeypatch.setattr("nas_attn.export.folder.prove", lambda *_, **__: notes_beside_it(earlier) or {})
    with pytest.raises(InputError, match=r"notes\.txt is no file that an export writes"):
        export(winner("stage1.block0.branch=se"), earlier)
    assert json.loads((earlier / "config.json").read_text())["architecture"] == "none"
    assert (earlier / "notes.txt").is_file()
    assert [path.name for path in earlier.parent.iterdir()] == ["out"]
