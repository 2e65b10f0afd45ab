"""What the commands show while a study is at work."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import typer

from .showing import spelt


@contextmanager
def watched(screen: Any, study: Path, command: str, steps: bool = True, again: str = "") -> Iterator[Any]:
    """A line for each network, and on a terminal a bar for what is going on; an interrupt says how to go on.

    A line shows the leading objective. With `steps` each step of a chain is announced; `again` are the options with
    which the same command goes on.
    """
    from nas_attn.chain import Watch
    from nas_attn.study import StudyFolder

    progress = _Progress(screen, StudyFolder.open(study).file.leading.name, steps)
    with progress.bars:
        try:
            yield Watch(
                on_step=progress.on_step,
                on_row=progress.on_row,
                on_epoch=lambda _row, done, total: progress.on_part("epochs", done, total),
                on_timed=lambda done, total: progress.on_part("timed for the prediction of latencies", done, total),
                on_screened=lambda done, total: progress.on_part("screened", done, total),
                on_pretrained=lambda what, done, total: progress.on_part(f"epochs of the {what}", done, total),
                on_waiting=partial(screen.print, soft_wrap=True),
                on_checked=lambda line: screen.print(f"{study}: {line}", soft_wrap=True),
            )
        except KeyboardInterrupt:
            said = f"nas-attn {command} {study} {again}".rstrip()
            screen.print(f"Interrupted; what is finished is kept. Go on with: {said}", soft_wrap=True)
            raise typer.Exit(130) from None


class _Progress:
    """A bar for the networks of a step, and one for what is being done with a part of it."""

    def __init__(self, screen: Any, leading: str, steps: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.screen, self.leading, self.steps = screen, leading, steps
        self.known: dict[str, Any] = {}  # the steps that have begun, by name
        self.last: Any = None  # of them
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.bars = Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
        self.networks = self.bars.add_task("networks", total=None)
        self.part = self.bars.add_task("", total=None, visible=False)

    def on_step(self, step: Any) -> None:
        self.known[step.name] = self.last = step
        self.bars.update(self.networks, description=step.name, completed=0, total=step.networks)
        seeds = f" with {step.seeds} seeds each" if step.seeds > 1 else ""
        if self.steps:
            noun = "network" if step.networks == 1 else "networks"
            self.screen.print(f"step {step.name}: up to {step.networks} {noun}{seeds}", soft_wrap=True)

    def on_row(self, row: Any, trained: int) -> None:
        step = self.last if row.role == "width-matched" else self.known.get(row.step, self.last)
        self.bars.update(self.networks, description=step.name, completed=trained, total=step.networks)
        seed = f"seed {row.seed}  " if step.seeds > 1 else ""
        self.screen.print(_row_line(row, self.leading, seed, trained, step.networks), soft_wrap=True)

    def on_part(self, what: str, done: int, total: int) -> None:
        self.bars.update(self.part, description=what, completed=done, total=total, visible=done < total)
        if done == total and total and what != "epochs":
            self.screen.print(f"{total} {what}", soft_wrap=True)


def _row_line(row: Any, leading: str, seed: str, trained: int, total: int) -> str:
    if row.state == "over_budget":
        return f"   -     {row.key}  over budget: {row.reason}  {row.architecture}"
    found, flops, latency = spelt(row, (leading, "flops", "latency_ms"))
    found = found if row.state == "complete" else f"failed: {row.reason}"
    count = f"{trained:>4}/{max(total, trained):<4}"
    return f"{count}{row.key}  {seed}{found:>8}  {flops}FLOPs  {latency}  {row.architecture}"
