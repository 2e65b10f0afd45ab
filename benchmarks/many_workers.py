"""What many workers lose against one, as they propose while hundreds of networks are in training.

    OMP_NUM_THREADS=1 python benchmarks/many_workers.py --workers 1 8 64 500 --trainings 1000 --picture FILE

Simulated in one process on one of the spaces of `samplers.py`: a worker that is free asks for a network, sees the
results of those that are trained and which are in training, and is free again after a time that differs by a factor of
four. A proposal that is trained already, or in training, is answered at once, as a search does, and counts as a
duplicate. Shares are of the volume of the true front, at equal numbers of trained networks.
"""

import heapq
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import optuna
import pandas as pd
import typer
from samplers import SAMPLERS, Task, simulated

from nas_attn.results.pictures import write_picture

AT = (25, 50, 100, 200, 400, 700, 1000)


class Simulation:
    """Workers that share one study, by the clock of a simulation."""

    def __init__(self, task: Task, workers: int, seed: int) -> None:
        self.task, self.workers = task, workers
        self.study = optuna.create_study(
            directions=[*task.directions], sampler=SAMPLERS["known cost"](task, seed), pruner=None
        )
        self.durations = np.random.default_rng([seed, workers])
        self.trained: list[dict[str, Any]] = []
        self.busy: dict[tuple[Any, ...], list[optuna.Trial]] = {}
        self.known: dict[tuple[Any, ...], tuple[float, ...]] = {}
        self.duplicates = self.proposals = 0
        self.asking_s = 0.0

    def run(self, trainings: int) -> None:
        """Train so many networks."""
        free = [(0.0, worker) for worker in range(self.workers)]
        running: list[tuple[float, int, tuple[Any, ...], dict[str, Any], tuple[float, ...]]] = []
        begun = 0
        while len(self.trained) < trainings:
            if begun < trainings and free and (not running or free[0][0] <= running[0][0]):
                now, worker = heapq.heappop(free)
                answers, values = self._propose()
                done = now + float(self.durations.uniform(1, 4))
                heapq.heappush(running, (done, worker, self._place(answers), answers, values))
                begun += 1
                continue
            now, worker, place, answers, values = heapq.heappop(running)
            self.known[place] = values
            for trial in self.busy.pop(place):
                self.study.tell(trial, values)
            self.trained.append(answers)
            heapq.heappush(free, (now, worker))

    def _propose(self) -> tuple[dict[str, Any], tuple[float, ...]]:
        """A network that nobody trains or has trained."""
        while True:
            began = time.perf_counter()
            trial = self.study.ask()
            values = self.task.objective(trial)
            self.asking_s += time.perf_counter() - began
            self.proposals += 1
            place = self._place(trial.params)
            if place in self.known:
                self.duplicates += 1
                self.study.tell(trial, self.known[place])
            elif place in self.busy:
                self.duplicates += 1
                self.busy[place].append(trial)
            else:
                self.busy[place] = [trial]
                return dict(trial.params), values

    def _place(self, answers: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(answers[name] for name in self.task.choices)


def main(
    workers: tuple[int, int, int, int] = (1, 8, 64, 500),
    trainings: int = 1000,
    repeats: int = 2,
    space: str = "stages, with interactions",
    picture: Path | None = None,
) -> None:
    """Print proposals a second, duplicates, and the share of the front's volume for each number of workers."""
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    found = []
    for number in workers:
        runs = []
        for seed in range(repeats):
            simulation = Simulation(simulated(space, seed), number, seed)
            simulation.run(trainings)
            runs.append(simulation)
            found += [
                {
                    "workers": number,
                    "seed": seed,
                    "networks": at,
                    "share": simulation.task.share(simulation.trained[:at]),
                }
                for at in AT
                if at <= trainings
            ]
        shares = pd.DataFrame(found).query("workers == @number").groupby("networks")["share"].mean()
        proposals = sum(one.proposals for one in runs)
        print(
            f"{number:>4} workers: {proposals / sum(one.asking_s for one in runs):.1f} proposals a second, "
            f"{sum(one.duplicates for one in runs)} of {proposals} were duplicates; volume "
            + ", ".join(f"{share:.1%} at {at}" for at, share in shares.items()),
            flush=True,
        )
    if picture is not None:
        means = pd.DataFrame(found).groupby(["workers", "networks"], as_index=False)["share"].mean()
        chart = alt.Chart(means).mark_line(point=True)
        chart = chart.encode(
            x=alt.X("networks", title="networks trained", scale=alt.Scale(type="log")),
            y=alt.Y("share", title="share of the front's volume", scale=alt.Scale(zero=False)),
            color=alt.Color("workers:N", title="workers"),
        )
        write_picture(chart.properties(width=420, height=260), picture)


if __name__ == "__main__":
    typer.run(main)
