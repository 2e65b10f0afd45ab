"""How far gains are known where one part validates, and where folds validate in turn, with as many trainings.

    python benchmarks/folds.py [--seeds 6] [--folds 3] [--keep FOLDER]

Trains the networks of `other_images.py` on scikit-learn's digits, with the same seeds in both ways, and prints the
standard errors of their gains over the plain backbone. With `--keep` what was trained is there the next time.
"""

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from other_images import KEYS, RECIPES, Found, row, trained

from nas_attn.data import ImageData, load_data
from nas_attn.settings import Digits, measure
from nas_attn.space import parse
from nas_attn.statistics import adjusted_means, image_records, image_variance, trainings


def in_turn(data: ImageData, folds: int, seeds: int, folder: Path) -> Found:
    """What each image got with each seed, which validates on its fold."""
    found: Found = {}
    for seed in range(seeds):
        found |= trained(data.of_fold(seed % folds), RECIPES["digits"], [seed], folder)
    return found


def errors(found: Found, name: str, folds: int) -> tuple[int, np.ndarray]:
    """How many images judge; mean standard errors of gains by seeds, by images, and by both together, shape (3,)."""
    known = trainings([row(place, float(one.values[name].mean()), name) for place, one in found.items()], name)
    fit = adjusted_means(known, measure(name).sign)
    keys = [one.key for one in known.networks]
    weights = np.eye(len(keys)) - np.eye(len(keys))[keys.index(parse("none").key)]
    weights = weights[weights.any(axis=1)]
    of_seeds = fit.variance * np.diag(fit.covariance(weights))
    records = image_records(keys, found, name, folds)
    assert records is not None
    images = image_variance(records, weights)
    both = of_seeds + np.maximum(images.variances - images.contained, 0)
    return records.images, np.sqrt(np.mean([of_seeds - images.contained, images.variances, both], axis=1))


def main(
    seeds: Annotated[int, typer.Option(min=2, help="How many seeds each network is trained with.")] = 6,
    folds: Annotated[int, typer.Option(min=2, help="How many folds validate in turn.")] = 3,
    keep: Annotated[Path | None, typer.Option(help="Where to keep what each image got.")] = None,
) -> None:
    """Print the errors of both ways, in points of accuracy and in nats."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        usual = in_turn(load_data(Digits(), Path.cwd()), 1, seeds, folder / "one part")
        turns = in_turn(load_data(Digits(folds=folds), Path.cwd()), folds, seeds, folder / f"{folds} folds")
    for name, unit in (("accuracy", 100), ("loss", 1)):
        for title, found, number in (("one part validates", usual, 1), (f"{folds} folds in turn", turns, folds)):
            count, (of_seeds, images, both) = errors(found, name, number)
            typer.echo(
                f"{name}, {title}: {count:,} images judge {len(KEYS)} networks with {seeds} seeds; standard error of a "
                f"gain {unit * both:.4f}, of it by seeds {unit * of_seeds:.4f}, by images {unit * images:.4f}"
            )


if __name__ == "__main__":
    typer.run(main)
