"""Health of a study's folder and storage: damages and what dead processes left, found and mended where that is safe."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nas_attn.evaluation import weights_file
from nas_attn.export.standalone.weights import broken
from nas_attn.results import OUTCOMES, Evaluation, outcomes_file
from nas_attn.settings import FINAL, unsealed
from nas_attn.space import first_line, stray_files, write_whole
from nas_attn.study import Reservations, StudyFolder, Unwritten, database_faults, find_study, read_rows, shared

from .findings import Checked, Finding, Findings, OnFinding

_MOST_LINES = 10
_OF_PARTS = re.compile(r"-in\d+(?=\.ckpt$)")
"""In the name of a checkpoint whose batches pass in parts."""


def examine(folder: StudyFolder, on_finding: OnFinding = lambda _finding: None, *, mend: bool = True) -> Checked:
    """Check rows, reservations, files and digests of a study; mend what can be, which each finding says.

    Nothing that a living process works at is touched. Raises `InputError` where the storage cannot be opened.
    """
    found = Findings([], on_finding)
    with shared(folder.path, folder.file.search.storage, artifacts=folder.file.search.artifacts) as reservations:
        doctor = _Doctor(folder, reservations, mend)
        found.attempt("storage", doctor.storage())
        found.attempt("processes", doctor.processes())
        found.attempt("rows", doctor.rows())
        found.attempt("weights", doctor.sealed("weights"))
        found.attempt("images", doctor.sealed(OUTCOMES))
        found.attempt("base", doctor.trained())
        found.attempt("latencies", doctor.latencies())
        found.attempt("strays", doctor.strays())
    return Checked(tuple(found.known))


@dataclass(frozen=True)
class _Doctor:
    folder: StudyFolder
    reservations: Reservations
    mend: bool

    def storage(self) -> Iterator[Finding]:
        faults = database_faults(self.folder.path, self.folder.file.search.storage)
        for fault in faults:
            yield Finding("storage", "fault", fault, "put a copy of it from before there")
        if not faults:
            yield Finding("storage", "ok", "can be read, whole")

    def processes(self) -> Iterator[Finding]:
        before = {worker.number: worker for worker in self.reservations.lease.workers()}
        living = self.reservations.living()
        dead = [str(worker) for number, worker in before.items() if number not in living]
        yield from (Finding("processes", "coped with", f"{one} has died; what it had begun is free") for one in dead)
        others = len(living) - 1
        text = f"{others} others work on it" if others else "no other works on it"
        yield Finding("processes", "ok", text)

    def rows(self) -> Iterator[Finding]:
        for study in self.folder.studies():
            rows = read_rows(study)
            states = [row.state for row in rows.values()]
            failed = [row for row in rows.values() if row.state == "failed"]
            text = f"{study.study_name}: {len(rows)} rows, each whole; {states.count('complete')} complete"
            yield Finding("rows", "ok", text)
            for row in failed[:_MOST_LINES]:
                yield Finding("rows", "warning", f"{row.key}, seed {row.seed}, failed: {row.reason}")

    def sealed(self, what: str) -> Iterator[Finding]:
        """Files whose digests stand in rows."""
        whole = fetched = 0
        for path, seal in self._outcomes() if what == OUTCOMES else self._weights():
            there, fault = path.exists(), _differs(path, seal)
            if fault and self.mend and self._fetched_again(path, seal):
                fetched += not there  # as all is that others have trained
                if there:
                    yield Finding(
                        what, "coped with", f"{path.name} {fault}; a whole one was fetched from the artifacts"
                    )
                fault = ""
            whole += not fault
            if fault:
                less = "its images do not count in the verdict" if what == OUTCOMES else "this seed cannot be exported"
                yield Finding(what, "warning", f"{path.name} {fault}: {less}", "put a copy of it there")
        from_others = f", {fetched} of them fetched from the artifacts" if fetched else ""
        yield Finding(what, "ok", f"{whole} files are as they were written{from_others}")

    def _weights(self) -> Iterator[tuple[Path, str]]:
        """Files of trained weights, with their digests: of the search, and of what was trained for good."""
        retrained = self.folder.retrained()
        rows = {"weights": self._full(), "retrained": [] if retrained is None else [*read_rows(retrained).values()]}
        for place, some in rows.items():
            for row in some:
                if row.weights_sha256:
                    yield weights_file(self.folder.path / place, row.key, row.seed), row.weights_sha256

    def _outcomes(self) -> Iterator[tuple[Path, str]]:
        for row in (*self._full(), *self.folder.width_matched()):
            if row.outcomes_sha256:
                yield outcomes_file(self.folder.path / OUTCOMES, row.key, row.seed), row.outcomes_sha256

    def _full(self) -> list[Evaluation]:
        return [row for row in self.folder.all_rows() if row.step == FINAL]

    @property
    def _alone(self) -> bool:
        """Whether what may be in use can be mended."""
        return self.mend and len(self.reservations.living()) == 1

    def _fetched_again(self, path: Path, seal: str) -> bool:
        if self.folder.artifacts.url is None:
            return False
        before = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
        self.folder.artifacts.fetch(path)
        if not _differs(path, seal):
            return True
        if before is not None:
            write_whole(path, before)
        return False

    def trained(self) -> Iterator[Finding]:
        """Networks from which others inherit; a damaged one is trained again."""
        whole = 0
        for path in sorted((self.folder.path / "trained").glob("*.safetensors")):
            try:
                damaged = broken(path.read_bytes())
            except (ValueError, OSError):
                damaged = True
            whole += not damaged
            if damaged:
                if self._alone:
                    path.unlink()
                done = "was removed, and is trained again" if self._alone else "is trained again"
                yield Finding("base", "coped with", f"{path.name} holds other numbers than were written; it {done}")
        yield Finding("base", "ok", f"{whole} files of bases and supernets are whole")

    def latencies(self) -> Iterator[Finding]:
        path = self.folder.path / "latency.jsonl"
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        good = [line for line in lines if _is_reading(line)]
        if len(good) < len(lines):
            if self._alone:
                write_whole(path, b"".join(good))
            done = "were removed" if self._alone else "are passed over"
            text = f"{len(lines) - len(good)} of {len(lines)} lines of {path.name} are not what was written"
            yield Finding("latencies", "coped with", f"{text}; they {done}, and timed again")
        yield Finding("latencies", "ok", f"{len(good)} readings are whole")

    def strays(self) -> Iterator[Finding]:
        if len(self.reservations.living()) > 1:
            yield Finding("strays", "ok", "are left alone while others work on the study")
            return
        running = self.folder.path / "running"
        done = {f"{row.step}-{row.key}-seed{row.seed}.ckpt" for row in self.folder.all_rows() if row.state != "priced"}
        known = [path for path in sorted(running.glob("*.ckpt")) if _OF_PARTS.sub("", path.name) in done]
        for place in sorted((self.folder.path / "unwritten").glob("*")):
            study = find_study(self.folder.path, self.folder.file.search.storage, place.name)
            known += [] if study is None else Unwritten(place).written(read_rows(study))
        paths = [*stray_files(self.folder.path), *known]
        for path in paths[:_MOST_LINES]:
            what = "is of a training that has its row" if path in known else "was left half-written"
            yield Finding("strays", "coped with", f"{path.name} {what}; it {self._removed}")
        if self.mend:
            for path in paths:
                path.unlink(missing_ok=True)
        more = len(paths) - _MOST_LINES
        yield Finding("strays", "ok", f"{more} more" if more > 0 else "nothing else is left behind")

    @property
    def _removed(self) -> str:
        return "was removed" if self.mend else "can be removed"


def _differs(path: Path, seal: str) -> str:
    """What is wrong with a file that has to have this SHA-256; empty for nothing."""
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({first_line(error)})"
    return "" if found == seal else "is not what was written"


def _is_reading(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(unsealed(json.loads(line)), dict)
    except (ValueError, RecursionError):
        return False
