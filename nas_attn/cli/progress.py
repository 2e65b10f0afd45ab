"""What the commands say while a study is at work."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from .bars import Bars
from .reporting import Reporter
from .showing import spelt


@contextmanager
def watched(reporter: Reporter, study: Path, command: str) -> Iterator[Any]:
    """A line for each network, and on a terminal bars for what is going on; an interrupt says how to go on.

    A line shows the leading objective, and what ranks networks where that is another measure.
    """
    from nas_attn.chain import Watch
    from nas_attn.study import StudyFolder

    progress = _Progress(reporter, StudyFolder.open(study))
    with progress.bars.shown():
        try:
            yield Watch(
                on_step=progress.on_step,
                on_row=progress.on_row,
                on_epoch=progress.on_epoch,
                on_timed=lambda done, total: progress.on_part("networks timed, to predict latencies", done, total),
                on_screened=lambda done, total: progress.on_part("networks screened", done, total),
                on_pretrained=lambda what, done, total: progress.on_part(f"epochs of the {what}", done, total),
                on_waiting=lambda line: reporter.say("waiting", line),
                on_checked=lambda line: reporter.say("checked", f"{study}: {line}"),
                on_planned=progress.on_planned,
                on_base=progress.on_base,
                on_promoted=progress.on_promoted,
            )
            progress.on_end()
        except KeyboardInterrupt:
            line = f"Interrupted; what is finished is kept. Go on with: nas-attn {command} {study}"
            reporter.end([line], interrupted=True)
            raise typer.Exit(130) from None


class _Progress:
    """Lines, events and bars of what happens to the networks of a study."""

    def __init__(self, reporter: Reporter, folder: Any) -> None:
        self.reporter, self.leading = reporter, folder.file.leading.name
        self.first_seed = folder.file.seed
        self.ranking = {step.name: step.score for step in folder.file.steps[:-1]}  # what decides who goes on
        self.bars = Bars(reporter.screen, reporter.live)
        self.known: dict[str, Any] = {}  # the steps that have begun, by name
        self.last: Any = None  # of them
        self.rows: dict[str, list[Any]] = {}  # by key, of networks with seeds to come
        self.trained: int | None = None  # networks with all their seeds, once a row has said it
        self.more: Counter[str] = Counter()  # trainings beyond the seeds of the step
        self.foretold = False  # whether the plan has said all of the only step

    def on_planned(self, plan: Any) -> None:
        from nas_attn.planning import plan_said

        self.bars.plan(plan)
        self.foretold = len(plan.steps) == 1 and plan.steps[0].trainings > 0
        if self.reporter.loudness.as_json:
            self.reporter.say("plan", **plan.as_dict())
            return
        for line in plan_said(plan):
            self.reporter.say("plan", line)

    def on_step(self, step: Any) -> None:
        self.on_end()
        self.known[step.name] = self.last = step
        self.bars.begin(step)
        seeds = f" with {step.seeds} seeds each" if step.seeds > 1 else ""
        score = self.ranking.get(step.name)
        ranked = "" if score in (None, self.leading) else f", ranked by {score}"
        noun = "network" if step.networks == 1 else "networks"
        facts = {"step": step.name, "networks": step.networks, "seeds": step.seeds, "ranked_by": score}
        line = f"step {step.name}: up to {step.networks} {noun}{seeds}{ranked}"
        self.reporter.say("step", line, detail=self.foretold, **facts)

    def on_row(self, row: Any, trained: int) -> None:
        step = self.last if row.role == "width-matched" else self.known.get(row.step, self.last)
        self.bars.trained(step, row)
        measures = [*dict.fromkeys((self.leading, self.ranking.get(step.name, self.leading), "flops", "latency_ms"))]
        several = step.seeds > 1 and row.state == "complete"
        seed = f"seed {row.seed}  " if several else ""
        line = _row_line(row, measures, seed, trained, step.networks)
        facts = {name: row[name] for name in ("key", "architecture", "step", "seed", "role", "state", "reason")}
        facts |= {**row.measures, "latency_ms": row.latency.ms, "train_seconds": row.train_seconds, "networks": trained}
        self.reporter.say("row", line, detail=several, **facts)
        if several:
            self._add(step, row, measures, trained)

    def _add(self, step: Any, row: Any, measures: Sequence[str], trained: int) -> None:
        """Say what a network has got over its seeds, once it has all of them."""
        seen = self.rows.setdefault(row.key, [])
        seen.append(row)
        last, baseline = row.seed - self.first_seed == step.seeds - 1, row.role == "width-matched"
        known = last and trained > 0 if self.trained is None else trained > self.trained  # None: it goes on
        whole = len(seen) == step.seeds or (last if baseline else known)
        self.more.update([row.key] * (row.seed - self.first_seed >= step.seeds))
        if whole:
            from nas_attn.results import across_seeds

            mean, seed = across_seeds(seen)[0], f"seed {row.seed}  " if len(seen) == 1 else ""
            self.reporter.say("network", _row_line(mean, measures, seed, trained, step.networks), key=row.key)
        self.trained = self.trained if baseline else trained

    def on_epoch(self, row: Any, done: int, total: int) -> None:
        seed = f" seed {row.seed}"
        self.bars.advance(f"{row.key}{seed}", (row.key, row.seed), done, total)
        facts = {"key": row.key, "step": row.step, "seed": row.seed, "done": done, "epochs": total}
        self.reporter.say("epoch", f"{row.key}{seed}: epoch {done} of {total}", detail=True, **facts)

    def on_part(self, what: str, done: int, total: int) -> None:
        self.bars.advance(what, what, done, total)
        if done == total and total:
            self.reporter.say("progress", f"{total:,} {what}", done=done, total=total)

    def on_base(self, validation: Mapping[str, float]) -> None:
        from nas_attn.settings import measure

        said = ", ".join(f"{measure(name).word} {measure(name).spell(value)}" for name, value in validation.items())
        self.reporter.say("base", f"the plain backbone from which networks inherit: {said}", measures=dict(validation))

    def on_promoted(self, step: Any, following: Any, chosen: Sequence[Any], ties: int) -> None:
        keys = [one.key for one in chosen]
        shown = ", ".join([*keys[:6], *(["..."] if len(keys) > 6 else [])])
        behind = f"; {ties} with an equal {step.score} stay behind, for what they cost or by their keys" if ties else ""
        line = f"from {step.name}, ranked by {step.score}, {len(keys)} go on to {following.name}: {shown}{behind}"
        self.reporter.say("promoted", line, step=step.name, to=following.name, keys=keys, ties=ties)

    def on_end(self) -> None:
        """Say where further trainings went."""
        if self.more:
            shown = ", ".join(f"{key} {count}" for key, count in self.more.most_common(6))
            rest = f" and {len(self.more) - 6} others" if len(self.more) > 6 else ""
            self.reporter.say(
                "more", f"{self.more.total()} more trainings, of {shown}{rest}", trainings=dict(self.more)
            )
        self.rows, self.trained, self.more = {}, None, Counter()


def _row_line(row: Any, measures: Sequence[str], seed: str, trained: int, total: int) -> str:
    """What a training, or the mean of several, has found, so short that most fit into a line of a screen."""
    if row.state == "over_budget":
        return f"   -     {row.key}  over budget: {row.reason}  {row.architecture}"
    without_ends = row.but(latency_ms_low=math.nan, latency_ms_high=math.nan)
    *found, flops, latency = spelt(without_ends, measures)
    texts = "  ".join(found) if row.state == "complete" else f"failed: {row.reason}"
    count = f"{trained:>4}/{max(total, trained):<4}"
    over = f"of {row.seeds} seeds  " if row.seeds > 1 else ""
    return f"{count}{row.key}  {seed}{texts:>8}  {over}{flops}FLOPs  {latency}  {row.architecture}"
