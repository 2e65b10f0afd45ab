"""The report of a study: a page and a picture, in the study's folder."""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from nas_attn.audit import audited, read_rankings
from nas_attn.results import Evaluation, across_seeds, hypervolume, table
from nas_attn.results.pictures import front_chart, write_picture
from nas_attn.settings import lasting, measure
from nas_attn.space import without_passwords
from nas_attn.study import StudyFolder, read_facts, read_outline, read_slots
from nas_attn.verdict import VERDICT, Conclusion, concluded, read_thumbnails, standings

from .gallery import Gallery, gallery
from .page import Report, write_report


def report_study(path: Path, picture: Path | None = None) -> list[Path]:
    """Write `report.html` into a study's folder, and a picture of its front where one is wanted; return their paths.

    Raises `InputError` as `write_report` and `write_picture` do, and for a picture where no network is trained.
    """
    folder = StudyFolder.open(path).once()
    rows, rankings = folder.all_rows(), path / "audit.json"
    last, page = folder.table(), path / "report.html"
    conclusion = concluded(folder) if (path / VERDICT).is_file() and folder.full_rows() else None
    front = write_report(
        Report(
            title=path.absolute().name,
            table=table(across_seeds(rows)),
            objectives=folder.file.objectives,
            slots=tuple(read_slots(folder.study()).items()),
            settings=_settings(folder),
            facts={**_history(folder, rows), **_facts(folder, last)},
            standings=standings(folder) if rows else None,
            audit=audited(rows, read_rankings(rankings), folder.file.leading) if rankings.is_file() else None,
            conclusion=conclusion,
            gallery=None if conclusion is None else _gallery(folder, conclusion),
            outline=read_outline(folder.study()),
            limits={**folder.file.budget.limits, **folder.file.budget.floors},
            width_matched=across_seeds(folder.width_matched()),
            path=str(path),
        ),
        page,
    )
    if picture is None:
        return [page]
    write_picture(front_chart(front), picture)
    return [page, picture]


def _gallery(folder: StudyFolder, conclusion: Conclusion) -> Gallery | None:
    changed = conclusion.changed
    if changed is None:
        return None
    pngs = read_thumbnails(folder.path, changed.images, [one.number for one in changed.most])
    return gallery(changed, read_facts(folder.study()).class_names, pngs)


def _settings(folder: StudyFolder) -> str:
    """The study file as it is written, but for passwords and tokens."""
    return without_passwords((folder.path / "study.toml").read_text(encoding="utf-8"), folder.file.search.storage)


def _facts(folder: StudyFolder, table: pd.DataFrame) -> Mapping[str, str]:
    images, budget = read_facts(folder.study()), folder.file.budget.limits
    return {
        "Budget": ", ".join(f"{name} at most {limit:,g}" for name, limit in budget.items()) or "none",
        "Data": f"{folder.file.data.kind}: {images.in_channels} x {images.height} x {images.width}"
        + (f", {len(images.class_names)} classes" if images.class_names else ""),
        "Recipe": json.dumps(lasting(folder.file.recipe)),
        "Sampler": folder.file.search.sampler,
        "Seed": str(folder.file.seed),
        "Step": _values(table, "step"),
        "Trained on": _values(table, "device"),
        "Timed on": _values(table, "latency_device"),
        "Target": _values(table, "latency_target"),
        **({"Predicted latencies": prediction} if (prediction := folder.prediction()) else {}),
        "Hypervolume": f"{hypervolume(table, folder.file.objectives):.4g}",
        "Versions": _values(table, "versions"),
    }


def _history(folder: StudyFolder, rows: Sequence[Evaluation]) -> Mapping[str, str]:
    """When and for how long the study was run, and by which commands."""
    trials = [trial for study in folder.studies() for trial in study.get_trials(deepcopy=False)]
    moments = [moment for trial in trials for moment in (trial.datetime_start, trial.datetime_complete) if moment]
    took = math.fsum(row.train_seconds for row in rows if math.isfinite(row.train_seconds))
    ends = [f"{moment:%Y-%m-%d %H:%M}" for moment in (min(moments), max(moments))] if moments else []
    commands = ("search", *(["audit"] if (folder.path / "audit.json").is_file() else []))
    commands += ("verdict",) if (folder.path / VERDICT).is_file() else ()
    return {
        "Commands": "; ".join(
            f"nas-attn {command} {shlex.quote(str(folder.path))}" for command in (*commands, "report")
        ),
        **({"Searched": " to ".join(dict.fromkeys(ends))} if ends else {}),
        "Training time": measure("train_seconds").spell(took) + f" in all, for {len(rows):,} trainings",
    }


def _values(table: pd.DataFrame, column: str) -> str:
    return "; ".join(dict.fromkeys(value for value in table[column] if value)) or "unknown"
