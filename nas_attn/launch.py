"""Joint of study, evaluation and export: a study's folder, opened to search, to be read and to hand out networks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from nas_attn.assembly import build
from nas_attn.cost import Readings, device_name
from nas_attn.evaluation import Evaluator, OnEpoch, read_weights, timing_device, weights_file
from nas_attn.export import Winner, export
from nas_attn.results import Evaluation, agreement
from nas_attn.settings import Backbone, ImageFacts
from nas_attn.space import Architecture, parse
from nas_attn.spacefile import load_space
from nas_attn.study import (
    OnRow,
    Search,
    StudyFolder,
    begin_study,
    check_images,
    find_study,
    hold,
    read_facts,
    storage_faults_told,
    terminable,
    write_asked,
    write_prediction,
)
from nas_attn.timing import OnTimed, Timing, host, predictor
from nas_attn.training import ImageData, load_data, score


@dataclass(frozen=True)
class Study:
    """A study: searched with `run`, read with `table`, and a source of trained networks."""

    folder: StudyFolder

    def run(
        self,
        trials: int | None = None,
        *,
        on_row: OnRow = lambda _row, _trained: None,
        on_epoch: OnEpoch = lambda _row, _done, _epochs: None,
        on_timed: OnTimed = lambda _done, _total: None,
    ) -> str:
        """Search until `trials` networks of this study are trained, those of earlier runs among them.

        Without a number, as many as the study file says. Returns a sentence on why the search stopped. What was
        interrupted, in whatever way, goes on with the next call.

        Raises `InputError` where the question has changed since the study was begun, nothing meets the budget, or a
        file has faults; `KeyboardInterrupt` on Ctrl-C and SIGTERM, with all rows kept.
        """
        file, path = self.folder.file, self.folder.path
        spacefile, space = load_space(path / file.space)
        with hold(path), terminable(), storage_faults_told(path, file.search.storage):
            data = load_data(file.data, path)
            timing = self._timing(spacefile.backbone, data)
            study = find_study(path, file.search.storage) or begin_study(path, file.search.storage, file.objectives)
            asked = {**self._asked(), "backbone": spacefile.backbone.identity()}
            if "latency_ms" in file.objectives or file.budget.max_latency_ms:
                asked["latency"]["measured_on"] = f"{device_name(timing.device)}, host {host(timing.device)}"
            write_asked(study, asked, space, _facts(data))
            if learnt := predictor(timing, space, on_timed) if file.latency.source == "predicted" else None:
                write_prediction(study, agreement(learnt.prediction.left_out_ms, learnt.prediction.latencies_ms))
            evaluator = Evaluator(
                backbone=spacefile.backbone,
                data=data,
                recipe=file.recipe,
                timing=timing,
                predictor=learnt,
                seed=file.seed,
                weights=path / "weights",
                on_epoch=on_epoch,
            )
            search = Search(study, space, file, evaluator, on_row)
            return search.run(file.search.trials if trials is None else trials)

    def table(self) -> pd.DataFrame:
        """One row an architecture, indexed by key, in the order of first trial."""
        return self.folder.table()

    def front(self) -> pd.DataFrame:
        """The rows that no other beats in the study's objectives, within its budget."""
        return self.folder.front()

    def architecture(self, key: str) -> Architecture:
        """What stands where in the trained network with this key, or in the `knee` or `best` of the study."""
        return parse(self.folder.pick(key).architecture)

    def network(self, key: str) -> nn.Module:
        """The network with this key, or the `knee` or `best`, with its trained weights, in evaluation mode.

        Raises `InputError` where it was not trained, or its weights are missing.
        """
        return self._network(self.folder.pick(key), read_facts(self.folder.study()))

    def export(self, out: Path | str, pick: str = "knee") -> tuple[Evaluation, list[str]]:
        """Write a network into a folder that needs torch alone, as `nas_attn.export.export` says.

        Its accuracy on the test part is measured here, for the first time. Returns its row, and what the user should
        know about the files.
        """
        row, study = self.folder.pick(pick), self.folder.study()
        data = load_data(self.folder.file.data, self.folder.path)
        facts = _facts(data)
        check_images(study, self._asked(), facts)
        network = self._network(row, facts)
        accuracy, _ = score(network, data.test, data, self.folder.file.recipe.batch_size)
        winner = Winner(
            network=network,
            backbone=self._backbone,
            row=row,
            facts=facts,
            study={
                **self.folder.file.model_dump(mode="json", exclude={"search": {"storage"}}),  # it may hold a password
                "latency_prediction": self.folder.prediction(),
            },
            test_accuracy=accuracy,
            test_images=len(data.test),
        )
        return row, export(winner, Path(out))

    def _timing(self, backbone: Backbone, data: ImageData) -> Timing:
        target = self.folder.file.latency
        readings = Readings(self.folder.path / "latency.jsonl")
        return Timing(backbone, data.image, data.classes, target, timing_device(target), readings)

    @property
    def _backbone(self) -> Backbone:
        return load_space(self.folder.path / self.folder.file.space)[0].backbone

    def _network(self, row: Evaluation, facts: ImageFacts) -> nn.Module:
        architecture, classes = parse(row.architecture), len(facts.class_names)
        bare = self._backbone.untrained
        network = build(architecture, bare, in_channels=facts.in_channels, classes=classes, seed=row.seed)
        return read_weights(network, weights_file(self.folder.path / "weights", row.key))

    def _asked(self) -> dict[str, Any]:
        """What a row of this study answers; where files stand, and what the target is called, are no part."""
        asked = self.folder.file.model_dump(include={"objectives", "seed", "data", "recipe", "latency"})
        for place in ("path", "test_path"):
            asked["data"].pop(place, None)
        for told_by_each_row in ("name", "source"):
            del asked["latency"][told_by_each_row]
        return asked


def open_study(path: Path | str) -> Study:
    """Open a study's folder; raises `InputError` where its `study.toml` is missing or has faults."""
    return Study(StudyFolder.open(path))


def _facts(data: ImageData) -> ImageFacts:
    return ImageFacts(*data.image, class_names=data.class_names, mean=data.mean, std=data.std)
