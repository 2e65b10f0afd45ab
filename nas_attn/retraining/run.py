"""Training for good: the final recipe on all images but the test part, which then judges once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import log
from pathlib import Path

from torch import nn

from nas_attn.chain import Chain
from nas_attn.data import Part, joined
from nas_attn.evaluation import Evaluator, data_question, read_weights, weights_file, workers
from nas_attn.results import Evaluation
from nas_attn.search import train_width_matched
from nas_attn.settings import Backbone, Step
from nas_attn.space import Architecture, InputError, parse, reported
from nas_attn.study import (
    RETRAINED,
    OptunaStudy,
    Unwritten,
    check_images,
    read_picks,
    read_rows,
    read_tested,
    write_pick,
    write_tested,
)
from nas_attn.tasks import ImageTask, Task
from nas_attn.training import TrainingFailed
from nas_attn.verdict.widths import Widened, widths_of

from .retrained import Retrained, read_retrained

HOLD_OUT = 0.25
"""Share of the validation part that does not train: by it the best of several seeds is chosen."""


@dataclass(frozen=True)
class Retraining:
    """A network of a study with what it has to beat, and how they are trained."""

    chain: Chain
    """With the images that train."""
    study: OptunaStudy
    step: Step
    row: Evaluation
    """Of the picked network, as the search found it."""

    @property
    def seeds(self) -> range:
        """One for each training of a network."""
        first = self.chain.folder.file.seed
        return range(first, first + self.step.seeds)

    @property
    def folder(self) -> Path:
        """Of the trained weights."""
        return retrained_weights(self.chain.folder.path)

    def run(self) -> tuple[Retrained, list[str]]:
        """Train what has no row yet, choose, and only then let the test part judge; what was found, and remarks.

        Raises `InputError` where no training of the picked network succeeds, and as `Chain.run_step` does.
        """
        baseline, remarks = self._baseline()
        networks = [parse(self.row.architecture)]
        networks += [Architecture()] if networks[0].placements else []
        keys = [one.key for one in networks[1:]] + ([baseline.row(timed=False).key] if baseline else [])
        write_pick(self.study, self.row.key, keys)
        said = {"name": "training for good", "networks": 1 + len(keys)}
        self.chain.watch.on_step(self.step.model_copy(update=said))
        self._train(networks)
        if baseline is not None:
            self._train_baseline(baseline)
        self._test({one.key: self.chain.backbone for one in networks} | _backbones(baseline))
        found = read_retrained(self.chain.folder, self.row.key)
        if found is None:
            reasons = [row.reason for row in read_rows(self.study).values() if row.key == self.row.key]
            raise InputError(f"{self.row.key}: no training of it has succeeded: {reasons[0]}")
        return found, remarks

    def _baseline(self) -> tuple[Widened | None, list[str]]:
        """The plain backbone at the width whose FLOPs are nearest to those of the picked network."""
        if not parse(self.row.architecture).placements:
            return None, [f"{self.row.key} is the plain backbone: there is nothing that it has to beat"]
        widths, reason = widths_of(self.chain)
        if not widths:
            return None, [reason]
        return min(widths, key=lambda plain: abs(log(plain.price("flops") / self.row["flops"]))), []

    def _train(self, networks: Sequence[Architecture]) -> None:
        known = read_rows(self.study)
        pairs = [(one, seed) for seed in self.seeds for one in networks if (one.key, seed) not in known]
        if not pairs:
            return
        protocol, watch, chain = (
            replace(self.chain.protocol(self.step), keeps=self.folder),
            self.chain.watch,
            self.chain,
        )
        with workers(protocol, chain.jobs) as pool:
            evaluator = Evaluator(chain.timing, None, protocol, pool, watch.on_epoch, failures=chain.failures)
            costs = {one: evaluator.measure(evaluator.count(one)) for one in networks}
            rows = [replace(costs[one], seed=seed, step=self.step.name) for one, seed in pairs]
            rows = [row if parse(row.architecture).placements else replace(row, role="baseline") for row in rows]
            store, unwritten = partial(chain.store, protocol), Unwritten.of(chain.folder.path, self.study)
            train_width_matched(self.study, rows, evaluator, self._on_row, chain.reservations, store, unwritten)

    def _train_baseline(self, baseline: Widened) -> None:
        known, row = read_rows(self.study), replace(baseline.row(), step=self.step.name)
        rows = [replace(row, seed=seed) for seed in self.seeds if (row.key, seed) not in known]
        if rows:
            baseline.train_rows(self.study, self.step, rows, self._on_row, keeps=self.folder)

    def _on_row(self, row: Evaluation) -> None:
        known = read_rows(self.study)
        keys = (self.row.key, *read_picks(self.study)[self.row.key])
        self.chain.watch.on_row(row, sum(all((key, seed) in known for seed in self.seeds) for key in keys))

    def _test(self, backbones: dict[str, Backbone]) -> None:
        """Judge each training by the test part, if there is one, that it has not judged yet."""
        known, task, file = read_tested(self.study), self.chain.task, self.chain.folder.file
        for row in read_rows(self.study).values():
            if row.key in backbones and row.state == "complete" and (row.key, row.seed) not in known:
                self.chain.folder.artifacts.fetch(weights_file(self.folder, row.key, row.seed))
                network = retrained_network(self.folder, task, backbones[row.key], row)
                with reported(f"{row.key}: cannot be tested", TrainingFailed):
                    measures, images = task.test(network, file.recipe.batch_size, file.trainer)
                if measures:
                    self.chain.reservations.check()
                    write_tested(self.study, row.key, row.seed, measures, images)


def run_retraining(chain: Chain, row: Evaluation, seeds: int) -> tuple[Retrained, list[str]]:
    """Train a network of a study for good, with so many seeds, beside what it has to beat; and remarks.

    That is the plain backbone, and the width-matched baseline whose FLOPs are nearest. All are trained by the final
    recipe on the train part and the validation part but a quarter, the hold-out part, by which the best seed is chosen.
    Then the test part judges all. Trainings that have a row are not repeated. Raises as `Retraining.run` does, and
    where the images are not those with which the study was begun.
    """
    folder = chain.folder
    check_images(folder.study(), {"data": data_question(folder.file)}, chain.task.facts, chain.task.fingerprint())
    whole, remarks = _with_validation(chain)
    step = folder.file.final_step(3, seeds).model_copy(update={"name": RETRAINED})
    found, more = Retraining(whole, whole.study(step), step, row).run()
    return found, [*remarks, *more]


def retrained_weights(folder: Path) -> Path:
    """The folder of the weights of networks that a study has trained for good."""
    return folder / "retrained"


def retrained_network(weights: Path, task: Task, backbone: Backbone, row: Evaluation) -> nn.Module:
    """What was trained, with the weights of one training; raises as `read_weights` does."""
    network = task.build(parse(row.architecture), backbone.untrained, row.seed)
    return read_weights(network, weights_file(weights, row.key, row.seed), row.weights_sha256)


def _with_validation(chain: Chain) -> tuple[Chain, list[str]]:
    """The chain with most of the validation part among what trains, where the images are ours to divide."""
    if isinstance(chain.task, ImageTask) and isinstance(chain.task.data.train, Part):
        return replace(chain, task=ImageTask(joined(chain.task.data, HOLD_OUT))), []
    return chain, ["the images are divided by code of your own: its train part trains, and its validation part chooses"]


def _backbones(baseline: Widened | None) -> dict[str, Backbone]:
    return {} if baseline is None else {baseline.row(timed=False).key: baseline.backbone}
