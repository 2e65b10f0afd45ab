"""Work on one study from several folders by the commands that do it: worker, status, doctor."""

import json
import shutil
from dataclasses import replace

import processes
import pytest
from small_study import SPACE

from nas_attn.study import StudyFolder, Unwritten

STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops"]
chain = [{{proxy = "inherit", epochs = 1, networks = 3}}, {{proxy = "final", networks = 2}}]
{more}
[data]
kind = "digits"
[recipe]
epochs = 1
batch_size = 256
[search]
storage = "{url}"
artifacts = "{place}"
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('storage')}/shared.db"


@pytest.fixture(scope="module")
def first(tmp_path_factory, url):
    """The folder of a study that one process has searched."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "study.toml").write_text(STUDY.format(url=url, place=folder.parent / "place", more=""))
    (folder / "space.toml").write_text(SPACE)
    processes.command("search", folder, "--no-check")
    return folder


def name_of(folder):
    return (folder / "study.id").read_text().strip()


def test_a_worker_needs_the_storage_alone(first, url, tmp_path):
    rows = StudyFolder.open(first).table(), StudyFolder.open(first).table("inherit")
    printed = processes.command("worker", url, name_of(first), cwd=tmp_path)
    assert "2 of 2 networks are trained" in printed
    folder = StudyFolder.open(tmp_path / name_of(first))
    assert folder.table().equals(rows[0])
    assert folder.table("inherit").equals(rows[1]), "nothing is trained twice"
    base = [path.name for path in (folder.path / "trained").iterdir()] if (folder.path / "trained").exists() else []
    assert base in ([], [path.name for path in (first / "trained").iterdir()])
    processes.command("export", folder.path, tmp_path / "out", "--pick", "best")  # its weights are fetched
    assert (tmp_path / "out" / "model.safetensors").exists()


def test_what_a_worker_is_refused(first, url, tmp_path):
    def refused(*arguments):
        process = processes.start("worker", *arguments, cwd=tmp_path)
        printed, said = process.communicate()
        assert process.returncode == 2, printed
        assert "Traceback" not in said
        return said

    assert f"'{name_of(first)}'" in refused(url, name_of(first)[:-1])
    assert "leads out" not in refused("sqlite:///nowhere.db", "name")
    assert "reads no images from a path" in refused(url, name_of(first), "--folder", "a", "--data", "photos")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "study.id").write_text("another\n")
    assert "is of the study another" in refused(url, name_of(first), "--folder", "b")


def test_a_study_of_somebody_elses_code_needs_trust(url, tmp_path):
    folder = tmp_path / "named"
    folder.mkdir()
    more = '[trainer]\ncallbacks = [{class = "pytorch_lightning.callbacks:Timer"}]'
    (folder / "study.toml").write_text(STUDY.format(url=url, place="place", more=more))
    (folder / "space.toml").write_text(SPACE)
    process = processes.start("search", folder, "--no-check")
    process.communicate()
    process = processes.start("worker", url, name_of(folder), "--folder", "w", cwd=tmp_path)
    _, said = process.communicate()
    assert process.returncode == 2
    assert "names code that is imported and called: pytorch_lightning.callbacks:Timer" in said
    assert not (tmp_path / "w").exists()


def test_status_says_how_far_a_study_is(first):
    said = json.loads(processes.command("status", first, "--json"))
    assert said["workers"] == []
    assert [(step["step"], step["trained"]) for step in said["steps"]] == [("inherit", 3), ("final", 2)]
    rows = StudyFolder.open(first).all_rows()
    assert said["device_hours"] == pytest.approx(sum(row.train_seconds for row in rows) / 3600)
    assert "nobody works on it" in processes.command("status", first)


def test_doctor_finds_and_mends(first, tmp_path):
    folder = shutil.copytree(first, tmp_path / "patient")
    flipped, gone = sorted((folder / "weights").iterdir())[:2]
    content = bytearray(flipped.read_bytes())
    content[-1] ^= 1
    flipped.write_bytes(content)
    gone.unlink()
    base = next((folder / "trained").iterdir())
    base.write_bytes(base.read_bytes()[:-7])
    (folder / "weights" / ".0123456789abcdef.part").touch()
    row = StudyFolder.open(folder).all_rows()[0]
    (folder / "running").mkdir(exist_ok=True)
    for left in (f"{row.seed}", f"{row.seed}-in2", f"{row.seed + 7}"):
        (folder / "running" / f"{row.step}-{row.key}-seed{left}.ckpt").touch()
    kept = Unwritten(folder / "unwritten" / row.step)
    for seed in (row.seed, row.seed + 7):
        kept.keep(replace(row, seed=seed))
    latencies = folder / "latency.jsonl"
    whole = latencies.read_text().splitlines(keepends=True)
    latencies.write_text("".join([whole[0].replace('"median_ms": ', '"median_ms": 7'), *whole[1:], '{"question": ']))
    untouched = json.dumps(sorted(map(str, folder.rglob("*"))))
    lines = [json.loads(line) for line in processes.command("doctor", folder, "--no-mend", "--json").splitlines()]
    assert json.dumps(sorted(map(str, folder.rglob("*")))) == untouched
    assert {one["what"] for one in lines if one.get("state") in ("coped with", "warning")} == {
        "weights",
        "base",
        "latencies",
        "strays",
    }
    said = processes.command("doctor", folder)
    assert said.count("a whole one was fetched from the artifacts") == 1
    assert "files are as they were written, 1 of them fetched from the artifacts" in said
    assert flipped.read_bytes() == (first / "weights" / flipped.name).read_bytes()
    assert gone.read_bytes() == (first / "weights" / gone.name).read_bytes()
    assert not base.exists()
    assert f"2 of {len(whole) + 1} lines of latency.jsonl are not what was written" in said
    assert latencies.read_text() == "".join(whole[1:])
    assert not [*folder.rglob("*.part")]
    assert [path.name for path in (folder / "running").iterdir()] == [f"{row.step}-{row.key}-seed{row.seed + 7}.ckpt"]
    assert [one.seed for one in kept.rows()] == [row.seed + 7], "which no row has"
    again = processes.command("doctor", folder)
    assert "coped with" not in again
