"""The tests that are marked `cuda`, on the device."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

from .bench import Bench
from .needs import ROOT
from .rows import Row, Skipped

_TESTS = "tests/cuda"
_NONE_FOUND = 5


def passed(bench: Bench) -> Iterator[Row]:
    """How many passed; raises `RuntimeError` where one failed."""
    if not (ROOT / _TESTS).is_dir():
        raise Skipped(f"there is no {_TESTS}")
    report = bench.folder / "tests.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "cuda",
        _TESTS,
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
    ]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code == _NONE_FOUND:
        raise Skipped(f"no test of {_TESTS} is marked cuda")
    if not report.exists():
        raise RuntimeError(f"pytest ended with exit code {code}, without a report")
    suite = ElementTree.parse(report).getroot()[0]
    counted = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    yield Row("tests marked cuda", {**counted, "tests_seconds": float(suite.get("time", 0))})
    reasons = Counter(one.get("message", "") for one in suite.iter("skipped"))
    for reason, number in reasons.items():
        yield Row(f"{number} of the tests marked cuda", skipped=reason)
    if code:
        amiss = [
            case.get("name") for case in suite.iter("testcase") if {"failure", "error"} & {one.tag for one in case}
        ]
        raise RuntimeError(f"{len(amiss)} of {counted['tests']} tests failed: {', '.join(map(str, amiss))}")
