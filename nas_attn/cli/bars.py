"""Bars of a search: the whole, the step and the network in training, with their rates and the time that is left."""

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any


class Bars:
    """Rich's progress bars, shown on a terminal alone.

    The time that is left of a network follows from its epochs, that of a step from its trainings so far, that of the
    whole from the plan, whose later steps are taken to be as much slower or faster than planned as this one.
    """

    def __init__(self, screen: Any, shown: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        note = TextColumn("{task.fields[note]}")
        columns = (TextColumn("{task.description:<10.38}"), BarColumn(24), MofNCompleteColumn(), note)
        self.progress = Progress(*columns, console=screen, transient=True, disable=not shown)
        self._shown = shown
        self.whole, self.step, self.part = (self._bar(name) for name in ("search", "", ""))
        self.planned: dict[str, Any] = {}
        self.spent = [0, 0.0]  # trainings of this step and their seconds
        self.began: tuple[Any, float] = (None, 0.0)  # what is in training, and since when

    def shown(self) -> AbstractContextManager[Any]:
        """Context in which they are shown, where they are: Rich 14.1 ends those that are not with an empty line."""
        return self.progress if self._shown else nullcontext()

    def _bar(self, name: str) -> Any:
        return self.progress.add_task(name, total=None, visible=False, note="")

    def plan(self, plan: Any) -> None:
        """Take note of how many trainings there will be, and how long they are thought to take."""
        self.planned = {step.name: step for step in plan.steps}
        total = sum(step.trainings for step in plan.steps)
        self.progress.update(self.whole, total=total, visible=len(plan.steps) > 1, note=self._left(plan.seconds))

    def begin(self, step: Any) -> None:
        """Show a new step."""
        self.spent = [0, 0.0]
        total = (step.networks or 1) * step.seeds + step.extra_trainings
        self.progress.update(
            self.step, description=f"step {step.name}", total=total, completed=0, visible=True, note=""
        )
        self.progress.update(self.part, visible=False)

    def trained(self, step: Any, row: Any) -> None:
        """Count a training."""
        from math import isfinite

        self.progress.update(self.part, visible=False)
        if not isfinite(row.train_seconds):
            return
        self.spent = [self.spent[0] + 1, self.spent[1] + row.train_seconds]
        self.progress.advance(self.step)
        self.progress.advance(self.whole)
        each = self.spent[1] / self.spent[0]
        bar = self.progress.tasks[self.step]
        left = each * max(0.0, (bar.total or 0) - bar.completed)
        self.progress.update(self.step, note=f"{each:.1f} s a training, {self._left(left)}")
        self.progress.update(self.whole, note=self._left(left + self._later(step, each)))

    def advance(self, what: str, key: Any, done: int, total: int) -> None:
        """Show how far a network, or what is trained or timed once, has come."""
        now = time.perf_counter()
        if self.began[0] != key or not self.began[1]:
            self.began = (key, now)
        seconds = now - self.began[1]
        note = (
            f"{seconds / (done - 1):.2g} s each, {self._left(seconds / (done - 1) * (total - done))}"
            if done > 1
            else ""
        )
        self.progress.update(self.part, description=what, completed=done, total=total, visible=done < total, note=note)

    def _later(self, step: Any, each: float) -> float:
        """Seconds of the planned steps behind this one."""
        names = [*self.planned]
        if step.name not in names:
            return 0.0
        here = self.planned[step.name]
        pace = each * here.trainings / here.seconds if here.seconds > 0 else 1.0
        return float(sum(self.planned[name].seconds * pace for name in names[names.index(step.name) + 1 :]))

    def _left(self, seconds: float) -> str:
        from nas_attn.settings import duration

        return f"{duration(seconds)} left" if seconds == seconds else ""
