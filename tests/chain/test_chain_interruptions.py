"""A chain that is killed at any of its stages goes on with the same command, to the same rows."""

import signal
import time
from pathlib import Path

import processes
import pytest
from small_study import CHAIN, SPACE, reproducible
from thoroughness import thorough

import nas_attn
from nas_attn.study import StudyFolder
from nas_attn.training import checkpoint

STUDY = CHAIN.replace("epochs = 2, networks = 20", "epochs = 6, networks = 40").replace(
    "[recipe]\nepochs = 2", "[recipe]\nepochs = 3"
)


def keep_each_epoch():
    """Not one in so many seconds, so that there is something to go on from, and a moment in which to be killed."""
    checkpoint.KEEP_EVERY_SECONDS = 0
    save = checkpoint.WholeFiles.save_checkpoint

    def keep(*given, **named):
        time.sleep(0.2)
        return save(*given, **named)

    checkpoint.WholeFiles.save_checkpoint = keep


def start(folder, command, *options):
    return processes.start(command, folder, *options, before=keep_each_epoch)


def rows(folder, step):
    try:
        return [row for row in StudyFolder.open(folder).all_rows() if row.step == step]
    except Exception:  # the storage is being made
        return []


REACHED = {
    "supernet training": lambda folder: [*folder.glob("trained/supernet-*.ckpt")],
    "screening": lambda folder: rows(folder, "supernet"),
    "base training": lambda folder: [*folder.glob("trained/base-*.ckpt")],
    "confirming": lambda folder: rows(folder, "final"),
}


def write(folder: Path):
    (folder / "study.toml").write_text(STUDY)
    (folder / "space.toml").write_text(SPACE)
    return folder


def finish(folder):
    """Search, audit, and give back every row."""
    study = nas_attn.open_study(folder)
    study.run()
    study.audit(6, 2)
    return reproducible(study.folder.all_rows())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The rows of a search and an audit that nobody has stopped."""
    return finish(write(tmp_path_factory.mktemp("undisturbed")))


def kill(process, reached):
    """Kill a process as soon as it has come so far."""
    while not reached():
        assert process.returncode is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@thorough
def test_a_chain_that_is_killed_at_every_stage_finds_what_one_finds_that_is_not(undisturbed, tmp_path):
    folder = write(tmp_path)
    for stage, reached in REACHED.items():
        kill(start(folder, "search", "--no-check"), lambda reached=reached: reached(folder))
        assert reached(folder), stage
    nas_attn.open_study(folder).run()
    audit = start(folder, "audit", "--networks", "6", "--seeds", "2")
    kill(audit, lambda: len({row.key for row in rows(folder, "final")}) > 3)
    assert not (folder / "audit.csv").exists()
    assert finish(folder) == undisturbed
    assert (folder / "audit.csv").is_file()
