"""What a part of `make gpu` works with: a device, the time that it has, and a folder."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

_SMALL_ROUNDS = 2


@dataclass(frozen=True)
class Bench:
    """The place and the time of a part."""

    device: str
    """`cuda:0`, the only one that it sees; or `cpu` for the same in small form."""
    until: float
    """When it should have ended, by `time.monotonic`."""
    folder: Path
    """For files that nobody needs afterwards."""
    images: Path | None = None
    """The folder of CIFAR-10's Parquet files, if it is here."""

    @property
    def small(self) -> bool:
        """Whether everything is done in small form, to see that it works."""
        return self.device == "cpu"

    def left(self) -> float:
        """Seconds that it has."""
        return self.until - time.monotonic()

    def within(self, share: float) -> "Bench":
        """The same with a share of the time that is left."""
        return replace(self, until=time.monotonic() + share * self.left())

    def in_turn(self, runs: Mapping[str, Callable[[], float]], most: int = 9) -> dict[str, list[float]]:
        """What each run gives, A B A B: once at least, and as often as there is time, up to `most` rounds."""
        found: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(min(most, _SMALL_ROUNDS) if self.small else most):
            began = time.monotonic()
            for name, run in runs.items():
                found[name].append(run())
            if 1.2 * (time.monotonic() - began) > self.left():
                break
        return found
