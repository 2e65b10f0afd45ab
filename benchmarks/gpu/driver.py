"""Every part in a process of its own and in its time; what is known is kept in a file after each."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import mps, needs
from .parts import Part
from .rows import markdown

NO_DEVICE, LACKING, BROKEN_OFF = 3, 4, 130
_SAME = ("device", "place", "torch", "sources")
"""What parts that are done before must have in common with this machine, so that they count."""
_LEAST_SECONDS = 5.0
_PATIENCE_SECONDS = 8.0
"""How long a part may tidy up when its time is over."""


@dataclass
class Report:
    """What is known of each part, in a file of JSON."""

    path: Path
    machine: Mapping[str, Any]
    parts: dict[str, dict[str, Any]]

    @classmethod
    def open(cls, path: Path, machine: Mapping[str, Any]) -> "Report":
        """That of a file where it is of this machine and this code; what is another's is moved aside."""
        if not path.exists():
            return cls(path, machine, {})
        before = json.loads(path.read_text())
        changed = [name for name in _SAME if before["machine"].get(name) != machine.get(name)]
        if not changed:
            return cls(path, machine, before["parts"])
        aside = path.with_suffix(f".before{path.suffix}")
        path.replace(aside)
        print(f"{path} is of another {' and '.join(changed)}: all begins anew, and it is now {aside}")
        return cls(path, machine, {})

    def is_done(self, part: Part) -> bool:
        """Whether it need not be run; skipped ones are tried anew."""
        return self.parts.get(part.name, {}).get("state") == "done"

    def note(self, name: str, **part: Any) -> None:
        """Add a part, or what is known anew of it, and write the file."""
        self.parts[name] = part
        written = self.path.with_name(f".{self.path.name}")
        written.write_text(json.dumps({"machine": self.machine, "parts": self.parts}, indent=1) + "\n")
        written.replace(self.path)


def probed(environment: Mapping[str, str]) -> dict[str, Any]:
    """What there is on this machine, found by a process that then ends, so that no part shares the device with it."""
    command = [sys.executable, "-W", "ignore", "-m", "gpu.probe"]
    found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    facts: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return facts


def run(parts: Sequence[Part], path: Path, minutes: float, images: Path | None, again: bool = False) -> int:
    """Run the parts that are not done, print the table, and return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    until = time.monotonic() + 60 * minutes
    environment = needs.of_one_device(needs.environment())
    machine = probed(environment)
    if machine["device"] is None and not machine["missing"]:
        print("There is no GPU here (NAS_ATTN_GPU_DEVICE=cpu does everything in small form without one).")
        return NO_DEVICE
    if machine["missing"]:
        print(needs.cure(machine["missing"], machine["python"]))
        return LACKING
    report = Report.open(path, machine)
    for part in parts if again else ():
        report.parts.pop(part.name, None)
    try:
        with tempfile.TemporaryDirectory() as folder:
            waiting = [part for part in parts if not report.is_done(part)]
            for number, part in enumerate(waiting):
                share = part.seconds / sum(one.seconds for one in waiting[number:])
                _run_part(part, report, share * (until - time.monotonic()), environment, Path(folder), images)
    except KeyboardInterrupt:
        return _end(report, BROKEN_OFF)
    states = {report.parts[part.name]["state"] for part in parts}
    return _end(report, 0 if states <= {"done", "skipped"} else 1)


def _end(report: Report, code: int) -> int:
    print(f"\n{markdown(report.machine, report.parts)}\n\nAll of it: {report.path.absolute()}")
    return code


def _run_part(
    part: Part, report: Report, seconds: float, environment: Mapping[str, str], folder: Path, images: Path | None
) -> None:
    if seconds < _LEAST_SECONDS:
        report.note(part.name, state="out of time", reason="no time was left for it", seconds=0.0, rows=[])
        return
    print(f"{part.name}: {seconds:.0f} s at most", flush=True)
    own, began = Path(tempfile.mkdtemp(prefix=f"{part.name}-", dir=folder)), time.monotonic()
    given = [part.function, own / "rows", seconds, report.machine["place"], own, *filter(None, [images])]
    command = [sys.executable, "-m", "gpu.child", *map(str, given)]
    process = subprocess.Popen(command, env=environment, cwd=needs.ROOT, start_new_session=True)
    state, reason = "broken off", "Ctrl-C or SIGTERM"
    try:
        process.wait(seconds)
        state, reason = _outcome(process.returncode, own / "rows")
    except subprocess.TimeoutExpired:
        state, reason = "out of time", f"it took more than {seconds:.0f} s"
    finally:
        _end_group(process)
        mps.end(own)
        rows = [line["row"] for line in _lines(own / "rows") if "row" in line]
        report.note(part.name, state=state, reason=reason, seconds=time.monotonic() - began, rows=rows)
        print(f"{part.name}: {state}{reason and ': '}{reason} after {time.monotonic() - began:.0f} s", flush=True)


def _outcome(code: int, rows: Path) -> tuple[str, str]:
    """The state of a part that has ended by itself, and the reason for it."""
    said = {name: text for line in _lines(rows) for name, text in line.items() if name != "row"}
    if code < 0:
        return "failed", f"ended by {signal.Signals(-code).name}"
    if code or "failed" in said:
        return "failed", said.get("failed", f"exit code {code}")
    return ("skipped", said["skipped"]) if "skipped" in said else ("done", "")


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a part with all processes that it has started, which share its group."""
    for number, patience in ((signal.SIGTERM, _PATIENCE_SECONDS), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
