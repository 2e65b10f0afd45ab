"""How well cheap proxies rank networks, and how much cheaper they are than what people write today.

    python benchmarks/proxies.py FOLDER --truth inherit --data ../shared/data/cifar10/train-00000-of-00001.parquet

Makes a study in FOLDER, audits it, and times a stock Lightning loop (`stock.py`) on the same networks with the same
recipe. Without `--data` the images are scikit-learn's digits. A FOLDER that holds a study.toml is taken as it is. What
was interrupted goes on; what is there is not trained again.
"""

import random
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Annotated

import torch
import typer
from pairing import paired_factor
from stock import stock_seconds

import nas_attn
from nas_attn.audit import Audit, audited
from nas_attn.audit.ranking import Ranking, step_ranking
from nas_attn.chain import Chain, Watch
from nas_attn.results import Evaluation
from nas_attn.settings import FINAL, Step
from nas_attn.study import StudyFolder

SPACE = """
backbone = {{name = "resnet8", arguments = {{width = 8}}}}
image = [{image}]

[kinds.se]
reduction = [2, 4]
[kinds.eca]
[kinds.spatial]
kernel_size = [3, 7]
[kinds.cbam]
reduction = 4
kernel_size = 3
[kinds.coordinate]
reduction = 4
[kinds.global_context]
reduction = 4
[kinds.gate]
[kinds.simam]
[kinds.non_local]
position = "block"
"""

DIGITS = """
[data]
kind = "digits"
validation = 0.3

[recipe]
epochs = {epochs}
learning_rate = {rate}
batch_size = 64
crop_padding = 1
"""

PHOTOGRAPHS = """
[data]
kind = "parquet"
path = "{path}"
image_column = "img"
limit = {images}
image_size = 16
validation = 0.3
test = 0.1

[recipe]
epochs = {epochs}
learning_rate = {rate}
batch_size = 64
crop_padding = 2
horizontal_flip = true
"""

BASE = "\n[base]\nepochs = 20\nlearning_rate = 0.1\nbatch_size = 64\n"

CHAINS = {
    "inherit": """
    {proxy = "supernet", epochs = 20, learning_rate = 0.1, networks = 100},
    {proxy = "inherit", name = "inherit1", epochs = 1, seeds = 3},
    {proxy = "inherit", name = "supernet_inherit1", weights = "supernet", epochs = 1, seeds = 2},
    {proxy = "inherit", name = "supernet_inherit2", weights = "supernet", epochs = 2},
    {proxy = "inherit", name = "inherit2", epochs = 2},
""",
    "scratch": """
    {proxy = "supernet", epochs = 20, learning_rate = 0.1, networks = 100},
    {proxy = "inherit", name = "inherit1", epochs = 1, learning_rate = 0.05},
    {proxy = "scratch", name = "scratch_quarter", epochs = 3, seeds = 2},
    {proxy = "scratch", name = "scratch_half", epochs = 6},
    {proxy = "scratch", name = "scratch_narrow", width = 0.5},
    {proxy = "scratch", name = "scratch_low", resolution = 0.75},
    {proxy = "scratch", name = "scratch_data", data_share = 0.25},
""",
}

STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops"]
final = "{truth}"
chain = [{steps}    "final",
]
"""


class Truth(StrEnum):
    """What the winner will be."""

    SCRATCH = "scratch"
    INHERIT = "inherit"


def main(
    folder: Path,
    truth: Truth = Truth.INHERIT,
    data: Path | None = None,
    images: int = 10_000,
    networks: int = 24,
    seeds: int = 3,
    candidates: Annotated[int, typer.Option(help="How many share what is trained once.")] = 100,
    stock: Annotated[int, typer.Option(help="Networks that the stock loop trains.")] = 4,
    jobs: int = 1,
) -> None:
    """Audit, time, and print what came of it."""
    if not (folder / "study.toml").exists():
        _write(folder, truth, data, images)
    study = nas_attn.open_study(folder)
    watch = Watch(on_step=lambda step: typer.echo(f"step {step.name}", err=True), on_row=_tell_row)
    found = study.audit(networks, seeds, jobs=jobs, watch=watch)
    seconds = _stock(study.folder, [row.architecture for row in found.audit.truth.networks], stock)
    rows = study.folder.all_rows()
    steps = {step.name: step for step in study.folder.file.steps if step.name != FINAL}
    shared = {one.ranking.name: one.ranking.shared_seconds for one in found.audit.ranked}
    told = audited(rows, _rankings(rows, steps, shared, candidates))
    typer.echo(f"\n{folder}: {len(told.truth.networks)} networks, {seeds} seeds, truth: {study.folder.file.final}")
    typer.echo(f"(a) stock loop, full recipe: {seconds:.1f} s a candidate (median of {stock})")
    _tell(told, seconds)
    for step in study.folder.file.steps:
        here = [row for row in rows if row.step == step.name]
        if len({row.seed for row in here}) > 1:
            factors = ", ".join(f"{metric} {factor}" for metric, factor in paired_factor(here).items())
            typer.echo(f"variance of paired over unpaired differences, {step.name}: {factors}")


def _rankings(
    rows: list[Evaluation], steps: dict[str, Step], shared: dict[str, float], candidates: int
) -> list[Ranking]:
    """Each step by each of its measures, with all its seeds and with the first alone."""
    found = []
    for name, step in steps.items():
        for score in ("loss", "accuracy", "train_loss"):
            for seeds in sorted({1, step.seeds}):
                some = [row for row in rows if row.step == name and row.seed < seeds]
                ranking = step_ranking(some, name, score, shared[name], candidates)
                found.append(replace(ranking, name=f"{name} x{seeds} {score}"))
    return found


def _write(folder: Path, truth: Truth, data: Path | None, images: int) -> None:
    """A small residual network and every kind that is cheap there, on digits or on photographs of 16 x 16 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "space.toml").write_text(SPACE.format(image="3, 16, 16" if data else "1, 8, 8"))
    epochs, rate = (6, 0.01) if truth == Truth.INHERIT else (12, 0.1)
    chain = STUDY.format(truth=truth, steps=CHAINS[truth])
    path = data.absolute() if data else ""
    table = (PHOTOGRAPHS if data else DIGITS).format(path=path, images=images, epochs=epochs, rate=rate)
    augmented = "crop_padding = 2\nhorizontal_flip = true\n" if data else "crop_padding = 1\n"
    (folder / "study.toml").write_text(chain + table + BASE + augmented)


def _tell_row(row: object, trained: int) -> None:
    typer.echo(f"{trained} {row}"[:120], err=True)


def _stock(folder: StudyFolder, spellings: list[str], number: int) -> float:
    """Seconds that what people write today takes for a candidate, by the recipe of the whole training."""
    chain = Chain.open(folder)
    chosen = random.Random(0).sample(spellings, min(number, len(spellings)))
    recipe = folder.file.recipe if folder.file.final == "scratch" else folder.file.base_recipe
    build = {"in_channels": chain.data.image[0], "classes": chain.data.classes}
    return median(
        stock_seconds(nas_attn.build(nas_attn.parse(one), chain.backbone, **build), chain.data, recipe)
        for one in chosen
    )


def _tell(found: Audit, stock: float) -> None:
    full = sum(row.train_seconds for row in found.truth.networks) / len(found.truth.networks)
    typer.echo(f"full training here: {full:.1f} s a candidate, {stock / full:.1f} x cheaper than (a)")
    typer.echo(f"agreement of two seeds: {found.ceiling.agreement}; ceiling: {found.ceiling.reachable}")
    for metric, parts in found.components.items():
        typer.echo(f"{metric}: networks {parts.between:.5f}, seed noise {parts.noise:.5f}, p {parts.p:.2g}")
    typer.echo(f"{'ranking':<32}{'s each':>8}{'shared s':>10}{'x':>8}  {'Spearman':<24}{'share of ceiling':<24}")
    for one in found.ranked:
        each, shared = one.ranking.seconds, one.ranking.shared_seconds
        whole = each + shared / one.ranking.shared_by
        times = f"{stock / whole:.1f}" if whole > 0 else "-"
        line = f"{one.ranking.name:<32}{each:>8.2f}{shared:>10.1f}{times:>8}"
        typer.echo(f"{line}  {one.spearman!s:<24}{one.share!s:<24}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
