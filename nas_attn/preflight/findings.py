"""What a preflight finds: a line for each thing that was checked."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

from nas_attn.space import InputError
from nas_attn.training import TrainingFailed, faults_reported

T = TypeVar("T")

State = Literal["ok", "coped with", "warning", "fault"]
"""`coped with`: unusual, and a search does well with it; `warning`: a search goes on, and some of it fails or says
less; `fault`: no search."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    what: str
    state: State
    text: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.text}{f'; {self.cure}' if self.cure else ''}"


@dataclass(frozen=True, slots=True)
class Checked:
    """Outcome of a preflight."""

    findings: tuple[Finding, ...]
    before: bool = False
    """Whether an earlier preflight found this, of the same study with the same code."""

    @property
    def faults(self) -> list[Finding]:
        """What has to be mended before a search."""
        return self.of("fault")

    def of(self, *states: State) -> list[Finding]:
        """The findings of these states."""
        return [finding for finding in self.findings if finding.state in states]

    @property
    def summary(self) -> str:
        """A sentence that counts them."""
        counts = {"fault": len(self.faults), "warning": len(self.of("warning"))}
        found = " and ".join(f"{count} {noun}{'s' * (count > 1)}" for noun, count in counts.items() if count)
        found = found or "no fault"
        return f"checked before, and unchanged: {found}" if self.before else f"checked: {found}"


OnFinding = Callable[[Finding], None]
"""Called with each finding once it is known."""


@dataclass(frozen=True, slots=True)
class Findings:
    """List of what is found, which reports each at once."""

    known: list[Finding]
    on_finding: OnFinding

    def add(self, finding: Finding) -> None:
        """Take in what was found."""
        self.known.append(finding)
        self.on_finding(finding)

    def attempt(self, what: str, check: Iterable[Finding]) -> bool:
        """Take in what a check finds; where it fails, that is a fault. Whether it came to its end without one."""
        before = len(self.known)
        self.value(what, lambda: deque(map(self.add, check), maxlen=0))
        return all(finding.state != "fault" for finding in self.known[before:])

    def value(self, what: str, call: Callable[[], T]) -> T | None:
        """What a call returns; where it fails, that is a fault, and None."""
        try:
            with faults_reported():
                return call()
        except (InputError, TrainingFailed) as failure:
            lines = str(failure).splitlines()
            if any(line.startswith(" ") for line in lines):  # one fault that takes several
                lines = ["; ".join(map(str.strip, lines)).replace(":; ", ": ")]
            for line in lines:
                self.add(Finding(what, "fault", line))
            return None
