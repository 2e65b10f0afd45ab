"""What a search will take, as values."""

from dataclasses import asdict, dataclass
from typing import Any

from nas_attn.settings import Measure


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """What a step of a chain trains, at most."""

    name: str
    networks: int
    seeds: int
    more: int
    """Trainings beyond these seeds."""
    trained: int
    """Trainings that are done already, networks over budget among them."""
    epochs: int
    images: int | None
    """Of one epoch; None where a user's own code says."""
    seconds: float
    """For what is left of it, in one process; NaN where it is not known."""

    @property
    def trainings(self) -> int:
        """How many are left."""
        return max(0, self.networks * self.seeds + self.more - self.trained)


@dataclass(frozen=True)
class SearchPlan:
    """What a search will take, at most, from where it stands."""

    steps: tuple[PlannedStep, ...]
    space: int
    """Networks to choose from."""
    parts: tuple[int, int, int] | None
    """Images to train on, to judge by and to test; None where a user's own code has them."""
    measure: Measure
    """What is learnt and judged."""
    latency_s: float
    timed: int
    """Networks whose training was timed; 0 where none was."""
    iteration_ms: float
    batch_size: int
    jobs: int
    device: str
    folds: int = 1
    """How many parts validate in turn, with one seed after the other; `parts` are those of the first."""
    judging: int = 0
    """Images that validate with all seeds of the last step."""

    @property
    def seconds(self) -> float:
        """Of all steps; NaN where it is not known."""
        return (sum(step.seconds for step in self.steps) + self.latency_s) / self.jobs

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain values, with the name of its measure and the seconds of all."""
        return {**asdict(self), "measure": self.measure.name, "seconds": self.seconds}
