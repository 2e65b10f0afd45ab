"""`make gpu`: parts in processes of their own, what is kept of them, and the table."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest
from gpu import marked_tests, needs
from gpu.bench import Bench
from gpu.parts import PARTS
from gpu.rows import compared, markdown
from gpu.steps import union_length
from gpu.wheels import lacking

ROOT = Path(__file__).parent.parent
MACHINE = {
    "device": "Made-up GPU",
    "place": "cuda:0",
    "driver": "999.1",
    "torch": "9.0",
    "cuda": "99.0",
    "python": "3.12.3",
    "cores": 16,
    "sources": "0123456789ab",
    "missing": {},
}
MADE_UP = """
    import os, signal, subprocess, sys, time
    from pathlib import Path
    from gpu.rows import Row, Skipped

    def note(word):
        with (Path(__file__).parent / "log").open("a") as log:
            log.write(word + "\\n")

    def fine(bench):
        note("fine")
        yield Row("a network", {"ours_seconds": 2.0, "stock_seconds": 5.0}, [2.5, 2.4, 2.75])

    def good(bench):
        note("good")
        yield Row("waits", {"waiting_share": 0.03}, goal="< 5 %", met=True)
        yield Row("memory", skipped="nobody counts it")

    def failing(bench):
        note("failing")
        yield Row("begun", {"ours_ms": 1.0})
        raise RuntimeError("too hot\\nto touch")

    def crashing(bench):
        os.kill(os.getpid(), signal.SIGSEGV)
        yield

    def slow(bench):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        note(f"{os.getpid()} {child.pid}")
        yield Row("in time", {"ours_ms": 3.0})
        time.sleep(60)

    def skipping(bench):
        raise Skipped("there is no such thing here")
        yield

    def lacking(bench):
        raise ModuleNotFoundError("No module named 'torchvision'", name="torchvision")
        yield
"""


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """Starts the driver with made-up parts, which share the time evenly, on a made-up machine."""
    (tmp_path / "made_up_parts.py").write_text(textwrap.dedent(MADE_UP))
    path = os.pathsep.join(map(str, (ROOT, ROOT / "benchmarks", tmp_path)))
    monkeypatch.setenv("PYTHONPATH", path)

    def start(*names, minutes=1.0, again=False, **machine):
        code = (
            "import sys\nfrom pathlib import Path\nfrom gpu import driver\nfrom gpu.parts import Part\n"
            f"driver.probed = lambda _: {MACHINE | machine}\ndriver._LEAST_SECONDS = 0.5\n"
            f"parts = [Part(name, 2, 'made_up_parts:' + name) for name in {names}]\n"
            f"sys.exit(driver.run(parts, Path('gpu.json'), {minutes}, None, {again}))"
        )
        command = [sys.executable, "-c", code]
        return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(*names, **said):
        process = start(*names, **said)
        printed, _ = process.communicate(timeout=60)
        return process.returncode, printed

    run.start, run.log, run.json = start, tmp_path / "log", tmp_path / "gpu.json"
    return run


def parts_of(path):
    return json.loads(path.read_text())["parts"]


def is_running(number):
    status = Path(f"/proc/{number}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_without_a_gpu_the_command_says_so_and_exits_with_3(tmp_path):
    command = [sys.executable, "-m", "gpu"]
    path = os.pathsep.join(map(str, (ROOT, ROOT / "benchmarks")))
    hidden = {**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "", "NAS_ATTN_GPU_DEVICE": ""}
    ended = subprocess.run(command, cwd=tmp_path, env=hidden, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.splitlines()[0][:22]) == (3, "There is no GPU here (")
    assert not list(tmp_path.iterdir())


def test_missing_packages_are_named_with_the_cure(made_up):
    code, printed = made_up("fine", missing={"optuna": "No module named 'optuna'"})
    assert code == 4
    assert "optuna cannot be imported" in printed
    assert "make gpu-wheels GPU_PYTHON=3.12" in printed


def test_every_part_is_kept_with_what_became_of_it(made_up):
    code, printed = made_up("fine", "failing", "crashing", "skipping", "lacking", "good")
    assert code == 1
    found = {name: (part["state"], part["reason"]) for name, part in parts_of(made_up.json).items()}
    assert found == {
        "fine": ("done", ""),
        "failing": ("failed", "RuntimeError: too hot"),
        "crashing": ("failed", "ended by SIGSEGV"),
        "skipping": ("skipped", "there is no such thing here"),
        "lacking": ("skipped", "torchvision is not installed"),
        "good": ("done", ""),
    }
    table = printed[printed.index("Measured on") :]
    assert table.startswith("Measured on Made-up GPU, driver 999.1, torch 9.0, CUDA 99.0, Python 3.12.3, 16 cores.\n")
    assert "| a network | ours 2 s, stock 5 s | 2.5 (2.4 to 2.75) |  |  |" in table
    assert "| waits | waiting 3 % |  | < 5 % | yes |" in table
    assert "- memory: nobody counts it" in table
    assert "- skipping: skipped: there is no such thing here" in table
    assert str(made_up.json) in printed.splitlines()[-1]


def test_what_is_done_is_not_run_again_and_what_failed_is(made_up):
    assert made_up("fine", "failing")[0] == 1
    code, printed = made_up("fine", "failing", "good")
    assert (code, made_up.log.read_text().split()) == (1, ["fine", "failing", "failing", "good"])
    assert "| a network |" in printed
    assert made_up("good", again=True)[0] == 0
    assert made_up.log.read_text().split()[-1] == "good"
    assert parts_of(made_up.json).keys() == {"fine", "failing", "good"}


def test_on_another_device_all_begins_anew_and_what_was_known_stays(made_up):
    assert made_up("fine")[0] == 0
    code, printed = made_up("good", device="Another GPU")
    assert code == 0
    assert "another device" in printed
    assert parts_of(made_up.json).keys() == {"good"}
    assert parts_of(made_up.json.with_suffix(".before.json")).keys() == {"fine"}


def test_a_part_whose_time_is_over_ends_with_its_processes_and_keeps_its_rows(made_up):
    code, printed = made_up("slow", "good", minutes=0.1)
    assert code == 1
    slow = parts_of(made_up.json)["slow"]
    assert (slow["state"], [row["what"] for row in slow["rows"]]) == ("out of time", ["in time"])
    assert parts_of(made_up.json)["good"]["state"] == "done"
    assert "| in time |" in printed
    assert not any(map(is_running, made_up.log.read_text().splitlines()[0].split()))


def test_parts_for_which_no_time_is_left_are_not_begun(made_up):
    code, printed = made_up("fine", minutes=0.0)
    assert (code, parts_of(made_up.json)["fine"]["state"]) == (1, "out of time")
    assert "- fine: out of time: no time was left for it" in printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_what_is_known_and_ends_what_runs(made_up, number):
    process = made_up.start("fine", "slow", "good")
    until = time.monotonic() + 20
    while not (made_up.log.exists() and " " in made_up.log.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(number)
    printed, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert {name: part["state"] for name, part in parts_of(made_up.json).items()} == {
        "fine": "done",
        "slow": "broken off",
    }
    assert "| a network |" in printed
    assert not any(map(is_running, made_up.log.read_text().splitlines()[-1].split()))


def test_wheels_of_what_is_not_installed_are_found_behind_what_is(tmp_path):
    for name, module in (("numpy", "numpy"), ("nowhere_else", "nowhere_else")):
        with zipfile.ZipFile(tmp_path / f"{name}-9.9-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{module}.py", "HERE = True\n")
    code = "import numpy, nowhere_else; print(nowhere_else.HERE, hasattr(numpy, 'HERE'))"
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, env=needs.environment(tmp_path), capture_output=True, text=True, check=False)
    assert ended.stdout.split() == ["True", "False"], ended.stderr


def test_what_is_gathered_are_dependencies_in_turn_but_not_what_such_a_machine_has():
    found = lacking("3.12")
    assert {"optuna", "alembic", "mako", "pydantic-core", "moocore", "cffi", "fvcore", "iopath"} <= found.keys()
    assert not {"torch", "numpy", "pandas", "torchvision", "pytorch-lightning", "nas-attn", "pytest"} & found.keys()


@pytest.mark.parametrize(
    ("said", "visible", "expected"),
    [
        ("", None, "0"),
        ("cuda", None, "0"),
        ("cuda:1", None, "1"),
        ("cuda:1", "4,7", "7"),
        ("cuda:2", "4", ""),
        ("cpu", "4", ""),
    ],
)
def test_processes_see_the_chosen_device_alone(said, visible, expected):
    given = {"NAS_ATTN_GPU_DEVICE": said} | ({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    assert needs.of_one_device(given)["CUDA_VISIBLE_DEVICES"] == expected


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ([], 0),
        ([(0, 2), (5, 6)], 3),
        ([(0, 4), (1, 2), (3, 5)], 5),
        ([(5, 6), (0, 2), (2, 3)], 4),
        ([(0, 1), (0, 1), (0.5, 0.75)], 1),
    ],
)
def test_time_in_which_kernels_overlap_counts_once(intervals, expected):
    assert union_length(intervals) == expected


def test_the_ratio_is_that_of_each_round():
    row = compared(
        "a step", {"ours": [1.0, 2.0, 4.0], "stock": [3.0, 4.0, 20.0]}, over="stock", under="ours", unit="ms"
    )
    assert (row.what, row.ratios) == ("a step: stock over ours", [3.0, 2.0, 5.0])
    assert row.figures == {"ours_ms": 2.0, "stock_ms": 4.0}


def test_in_small_form_no_goal_is_judged():
    parts = {"one": {"state": "done", "reason": "", "rows": [{"what": "waits", "goal": "< 5 %", "met": False}]}}
    assert "**no**" in markdown(MACHINE, parts)
    small = markdown(MACHINE | {"place": "cpu"}, parts)
    assert "**no**" not in small
    assert small.startswith("In small form")


def test_runs_take_turns_as_long_as_there_is_time(tmp_path):
    turns = []

    def run(name, seconds):
        turns.append(name)
        time.sleep(seconds)
        return seconds

    bench = Bench("cuda:0", time.monotonic() + 0.5, tmp_path)
    found = bench.in_turn({"a": lambda: run("a", 0.05), "b": lambda: run("b", 0.05)}, most=50)
    assert turns == ["a", "b"] * len(found["a"])
    assert 1 < len(found["a"]) < 6
    late = Bench("cuda:0", time.monotonic() - 1, tmp_path)
    assert late.in_turn({"a": lambda: run("a", 0.0)}) == {"a": [0.0]}


def test_the_parts_take_eight_and_a_half_minutes_at_most():
    assert sum(part.seconds for part in PARTS) <= 510
    assert len({part.name for part in PARTS}) == len(PARTS)


ONE_OF_EACH = """
import time, pytest
pytestmark = pytest.mark.cuda
def test_good(): pass
def test_left_out(): pytest.skip("there is none")
"""


@pytest.mark.parametrize(
    ("last", "seconds", "reason"),
    [
        ("def test_bad(): assert not 'to be'", 60, "1 of 3 tests failed: test_bad"),
        ("def test_endless(): time.sleep(60)", 12, "only 2 tests had the time to end"),
    ],
)
def test_tests_on_the_device_are_counted_whatever_becomes_of_them(tmp_path, monkeypatch, last, seconds, reason):
    folder = tmp_path / "tests" / "cuda"
    folder.mkdir(parents=True)
    (folder / "test_one.py").write_text(ONE_OF_EACH + last)
    monkeypatch.setattr(marked_tests, "ROOT", tmp_path)
    found = marked_tests.passed(Bench("cuda:0", time.monotonic() + seconds, tmp_path))
    counted, left_out = next(found), next(found)
    assert (counted.figures["passed"], counted.figures["skipped"], left_out.skipped) == (1, 1, "there is none")
    with pytest.raises(RuntimeError, match=reason):
        next(found)
