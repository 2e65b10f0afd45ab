"""Real processes that are killed or run out of disk: the same command goes on, and nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import processes
import pytest
from fakes import FakeEvaluator, begun, search
from optuna.trial import TrialState

from nas_attn.study import WORKER, read_rows

HERE = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}


def start(folder, log, what):
    return processes.start_program((HERE / "killed_worker.py").read_text(), folder, log, what)


def start_interpreter(folder, log, what):
    """The same as a user begins it, who may interrupt it: how it ends is the interpreter's."""
    command = [sys.executable, HERE / "killed_worker.py", folder, log, what]
    return subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


def noted(log, kind):
    lines = log.read_text().splitlines() if log.exists() else []
    return [tuple(line.split()[1:]) for line in lines if line.startswith(kind)]


def left(folder, step):
    """What is known of the trials that nobody has ended; of one that was interrupted as it began, nothing."""
    trials = begun(folder, step=step).trials
    return [trial.user_attrs for trial in trials if trial.state == TrialState.RUNNING]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize(
    ("what", "step", "kind", "rows", "lost"),
    [("search", "final", "row", 16, 3), ("screen", "inherit", "begin", 60, 25)],
)
def test_a_stopped_process_loses_no_more_than_it_had_in_hand(tmp_path, sent, what, step, kind, rows, lost):
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    process = (start_interpreter if sent == signal.SIGINT else start)(tmp_path, first, what)
    while len(noted(first, kind)) < rows // 2 + 1:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(sent)
    process.communicate(timeout=60)
    assert process.returncode == -sent
    kept = {(key, str(seed)) for key, seed in read_rows(begun(tmp_path, step=step))}
    begun_before = set(noted(first, "begin"))
    assert set(noted(first, "row")) <= kept <= begun_before
    assert 0 < len(begun_before - kept) <= (lost if sent == signal.SIGKILL or what == "search" else 1)
    if sent == signal.SIGINT:
        running = left(tmp_path, step)
        assert len(running) < 2
        assert not any(WORKER in attributes for attributes in running), "it was not only interrupted as it began"
    again = start(tmp_path, second, what)
    _, said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    assert not kept & set(noted(second, "begin")), "nothing is done twice"
    found = {(key, str(seed)) for key, seed in read_rows(begun(tmp_path, step=step))}
    assert len(found) == rows
    assert begun_before <= found
    assert left(tmp_path, step) == []


FULL_DISK = """
    import resource, signal, sys
    from pathlib import Path
    from fakes import FakeEvaluator, search
    from nas_attn.space import InputError
    from nas_attn.study import storage_faults

    folder = Path(sys.argv[1])
    search(folder, FakeEvaluator()).run(2)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    room = (folder / "study.db").stat().st_size + int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    written = []
    try:
        with storage_faults(folder, None):
            search(folder, FakeEvaluator(), on_row=lambda row, trained: written.append(row.key)).run(30)
    except InputError as error:
        print(*written)
        sys.exit(f"error: {error}")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process there has no limit on the size of its files")
@pytest.mark.parametrize("room", [0, 12288])
def test_a_full_disk_is_reported_and_no_row_is_lost(tmp_path, room):
    process = processes.program(FULL_DISK, tmp_path, room)
    assert process.returncode == 1
    assert process.stderr.startswith(f"error: storage sqlite:///{tmp_path}/study.db: cannot be used")
    assert "Traceback" not in process.stderr
    kept = {key for key, _ in read_rows(begun(tmp_path))}
    assert set(process.stdout.split()) <= kept
    assert len(kept) == 2 + len(process.stdout.split())
    evaluator = FakeEvaluator()
    assert search(tmp_path, evaluator).run(30) == "30 of 30 networks are trained"
    assert len(evaluator.trained) == 30 - len(kept)
