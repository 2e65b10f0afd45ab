"""The tests that are marked `cuda`, on the device."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from .bench import Bench
from .needs import ROOT
from .rows import Row, Skipped

_TESTS = "tests/cuda"
_REPORT_SECONDS = 8.0
"""Time for what ends the running test, and for the report."""


def passed(bench: Bench) -> Iterator[Row]:
    """How many passed; raises `RuntimeError` where one failed, or there was no time for all."""
    if not (ROOT / _TESTS).is_dir():
        raise Skipped(f"there is no {_TESTS}")
    report = bench.folder / "tests.xml"
    code = _run(bench, "-W", "default", "-m", "cuda", _TESTS, "-q", "-p", "no:cacheprovider", f"--junitxml={report}")
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise Skipped(f"no test of {_TESTS} is marked cuda")
    if not report.exists():
        raise RuntimeError(f"pytest ended with exit code {code}, without a report")
    suite = ElementTree.parse(report).getroot()[0]
    tests, failures, errors, skipped = (int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped"))
    counted = {"passed": tests - failures - errors - skipped, "failed": failures + errors, "skipped": skipped}
    yield Row("tests marked cuda", {**counted, "in_seconds": float(suite.get("time", 0))})
    for reason, number in Counter(one.get("message", "") for one in suite.iter("skipped")).items():
        yield Row(f"{number} of the tests marked cuda", skipped=reason)
    amiss = [
        str(case.get("name")) for case in suite.iter("testcase") if {"failure", "error"} & {one.tag for one in case}
    ]
    if amiss:
        raise RuntimeError(f"{len(amiss)} of {tests} tests failed: {', '.join(amiss)}")
    if code == pytest.ExitCode.INTERRUPTED:
        raise RuntimeError(f"only {tests} tests had the time to end")
    if code in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
        raise RuntimeError(f"pytest ended with exit code {code}")


def _run(bench: Bench, *arguments: str) -> int:
    """The exit code of pytest, which is interrupted in time to write its report."""
    process = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], cwd=ROOT)
    try:
        return process.wait(bench.left() - _REPORT_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        return process.wait()
