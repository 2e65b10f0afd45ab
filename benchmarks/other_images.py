"""How often a gain that was measured on some images holds on others, with and without the image term.

    python benchmarks/other_images.py [--seeds 16] [--splits 100] [--keep FOLDER]

Trains a few thin networks with several seeds, once, on scikit-learn's digits and on CIFAR-10, where that lies in
`../shared/data/cifar10`. Then the validation images are split in two at random, many times, and so are the seeds. Each
network's gain over the plain backbone is measured by one half, with its 95 % interval widened by the error of the other
half, which then says whether the interval holds. With `--keep` what was trained is there the next time.
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy import stats

from nas_attn.assembly import build
from nas_attn.data import ImageData, load_data
from nas_attn.results import Evaluation, Outcomes, evaluation, outcomes_file, packed_outcomes, unpacked_outcomes
from nas_attn.settings import Backbone, Digits, Parquet, Recipe, measure
from nas_attn.space import parse
from nas_attn.statistics import Estimate, adjusted_means, image_records, image_variance, trainings
from nas_attn.training import train
from nas_attn.verdict.difference import Difference
from nas_attn.verdict.widened import for_other_images

CIFAR10 = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "cifar10" / "train-00000-of-00001.parquet"
NETWORKS = (
    "none",
    "stage3.block0.branch=se(reduction=4)",
    "stage2.block0.branch=cbam(kernel_size=3,reduction=4)",
    "stage3.block0.block=non_local",
)
WIDER = "width=2"
"""The key of the plain backbone with twice the channels, as a verdict has it for a baseline."""
KEYS = {**{parse(spelt).key: spelt for spelt in NETWORKS}, WIDER: "none"}
RECIPES = {
    "digits": Recipe(epochs=15, batch_size=64, learning_rate=0.1, crop_padding=1),
    "CIFAR-10": Recipe(epochs=8, batch_size=64, learning_rate=0.1, crop_padding=2, horizontal_flip=True),
}

Found = dict[tuple[str, int], Outcomes]


def images() -> Iterator[tuple[str, ImageData]]:
    """The sets of images that are here."""
    yield "digits", load_data(Digits(validation=0.2, test=0.01), Path.cwd())
    if CIFAR10.is_file():
        photographs = {"path": str(CIFAR10), "image_column": "img", "limit": 3600, "image_size": 16}
        yield "CIFAR-10", load_data(Parquet(**photographs, validation=0.12, test=0.01), Path.cwd())
    else:
        typer.echo(f"CIFAR-10 is passed over, as there is no {CIFAR10}")


def trained(data: ImageData, recipe: Recipe, seeds: Iterable[int], folder: Path) -> Found:
    """What each validation image got from each network with each seed."""
    found: Found = {}
    for seed in seeds:
        for key, spelt in KEYS.items():
            path = outcomes_file(folder, key, seed)
            if not path.with_suffix(".sha256").exists():
                backbone = Backbone(name="resnet8", arguments={"width": 16 if key == WIDER else 8})
                sizes = {"in_channels": data.image[0], "classes": data.classes}
                score = train(build(parse(spelt), backbone, **sizes, seed=seed), data, recipe, seed)
                assert score.outcomes is not None
                content, sha256 = packed_outcomes(score.outcomes)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                path.with_suffix(".sha256").write_text(sha256)
            found[key, seed] = unpacked_outcomes(path.read_bytes(), path.with_suffix(".sha256").read_text())
    return found


def half(found: Found, name: str, seeds: np.ndarray, rows: np.ndarray) -> list[tuple[Estimate, Estimate]]:
    """Each network's gain by these images and seeds, with its 95 % interval over seeds, and over images too."""
    kept = {
        place: Outcomes(one.images, one.classes[rows], {name: one.values[name][rows]})
        for place, one in found.items()
        if place[1] in seeds
    }
    known = trainings([row(place, float(one.values[name].mean()), name) for place, one in kept.items()], name)
    fit = adjusted_means(known, measure(name).sign)
    keys = [row.key for row in known.networks]
    one = np.eye(len(keys))
    plain = keys.index(parse("none").key)
    weights = np.delete(one, plain, axis=0) - one[plain]
    errors = np.sqrt(fit.variance * np.diag(fit.covariance(weights)))
    records = image_records(keys, kept, name)
    assert records is not None
    pairs = []
    for contrast, value, error in zip(weights, weights @ fit.means, errors, strict=True):
        reach = float(stats.t.ppf(0.975, fit.freedom) * error)
        gain = Estimate(float(value), float(value) - reach, float(value) + reach)
        narrow = Difference("", gain, 0.0, 0.0)
        (wide,) = for_other_images([narrow], image_variance(records, contrast[None]))
        pairs.append((narrow.gain, wide.gain))
    return pairs


def row(place: tuple[str, int], value: float, name: str) -> Evaluation:
    """The row of a network and a seed, by its value of a measure."""
    known = {"key": place[0], "architecture": KEYS[place[0]], "seed": place[1], "state": "complete"}
    return evaluation(**known, params=1, macs=1, flops=1, **{name: value})


def holds(first: Estimate, other: Estimate) -> bool:
    """Whether an interval, widened by the other half's own error, holds what the other half says."""
    reach = np.hypot(first.high - first.value, other.high - other.value)
    return bool(abs(first.value - other.value) <= reach)


def compare(found: Found, name: str, splits: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Whether intervals hold without and with the image term, (splits, networks, 2), and their mean reaches, (2,)."""
    rng = np.random.default_rng(seed)
    seeds, count = sorted({place[1] for place in found}), len(next(iter(found.values())))
    held, reaches = [], []
    for _ in range(splits):
        rows, drawn = rng.permutation(count), rng.permutation(seeds)
        halves = [half(found, name, drawn[part::2], np.sort(rows[part::2])) for part in (0, 1)]
        held.append([[holds(*pair) for pair in zip(*both, strict=True)] for both in zip(*halves, strict=True)])
        reaches += [[one.high - one.value for one in pair] for both in halves for pair in both]
    return np.array(held), np.mean(reaches, axis=0)


def main(
    seeds: Annotated[int, typer.Option(min=6, help="How many seeds each network is trained with.")] = 16,
    splits: Annotated[int, typer.Option(min=1, help="How often images and seeds are halved.")] = 100,
    keep: Annotated[Path | None, typer.Option(help="Where to keep what each image got.")] = None,
) -> None:
    """Print how many intervals hold, with and without the image term."""
    every = []
    with tempfile.TemporaryDirectory() as scratch:
        for title, data in images():
            found = trained(data, RECIPES[title], range(seeds), (keep or Path(scratch)) / title)
            for name in ("accuracy", "loss"):
                held, reaches = compare(found, name, splits)
                without, with_images = 100 * held.mean(axis=(0, 1))
                singly = 100 * held[..., 1].mean(axis=0)
                count = len(next(iter(found.values())))
                typer.echo(
                    f"{title}, {name}, {count} images, {held[..., 0].size} comparisons: "
                    f"{without:.1f} % hold over seeds alone (they reach {reaches[0]:.4f}), {with_images:.1f} % with "
                    f"the image term ({reaches[1]:.4f}); network by network {singly.min():.0f} to {singly.max():.0f} %"
                )
                every.append(held)
    over_seeds, over_both = 100 * np.concatenate(every).mean(axis=(0, 1))
    typer.echo(f"intervals that hold for other images: {over_both:.1f} %, without the image term {over_seeds:.1f} %")


if __name__ == "__main__":
    typer.run(main)
