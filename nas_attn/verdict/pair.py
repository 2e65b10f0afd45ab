"""Two networks, or what two studies say of the same networks, compared seed by seed."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from nas_attn.results import Evaluation, across_seeds
from nas_attn.settings import MEASURES, changes, flat, measure
from nas_attn.space import InputError, allowed, present_key
from nas_attn.statistics import Estimate
from nas_attn.study import StudyFolder, read_question


def by_seed(rows: Sequence[Evaluation], name: str) -> dict[int, float]:
    """A measure of each complete row that has it, by its seed."""
    return {row.seed: float(row[name]) for row in rows if row.state == "complete" and not math.isnan(row[name])}


def paired(ones: Mapping[int, float], others: Mapping[int, float]) -> Estimate | None:
    """The mean difference of two networks over the seeds that both have, with the 95 % interval of a paired t-test.

    Without a second seed in common the interval is unknown, NaN; without a first there is nothing.
    """
    differences = np.array([ones[seed] - others[seed] for seed in sorted(ones.keys() & others.keys())])
    if not len(differences):
        return None
    mean, seeds = float(differences.mean()), len(differences)
    if seeds < 2:
        return Estimate(mean, math.nan, math.nan)
    reach = float(stdtrit(seeds - 1, 0.975) * differences.std(ddof=1) / math.sqrt(seeds))
    return Estimate(mean, mean - reach, mean + reach)


def compare_networks(folder: StudyFolder, keys: Sequence[str]) -> pd.DataFrame:
    """Two networks of a study: a row a measure, with the value of each, and how much more the second has.

    What is learnt is the mean over the seeds of each; `difference`, `low` and `high` are those of `paired`, over
    `seeds` that both have. A cost has its difference alone. Keys may be `knee` or `best`. Raises `InputError` where
    there is no such network, or one of them twice.
    """
    rows = [folder.pick(key) for key in keys]
    if rows[0].key == rows[1].key:
        raise InputError(f"compare: found {rows[0].key} twice; allowed: two networks")
    each = [[row for row in folder.seed_rows(found.step) if row.key == found.key] for found in rows]
    named = [one.name for one in MEASURES.values() if all(not math.isnan(row[one.name]) for row in rows)]
    lines = {name: [rows[0][name], rows[1][name], *_difference(name, rows, each)] for name in named}
    columns = [rows[0].key, rows[1].key, *_DIFFERENCE]
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns).rename_axis("measure")


def compare_studies(folders: Sequence[StudyFolder], keys: Sequence[str] = ()) -> pd.DataFrame:
    """The networks that two studies of one space have trained as the winner will be: a row a network, by its key.

    Each has its mean of the first study's leading measure in both, and how much more it has in the second, paired by
    seeds, and whether it is on the front of each. With keys, or `knee` and `best` of the first, only these count.
    Raises `InputError` for studies of two backbones or spaces, and where no such network is in both.
    """
    if strange := [line for line in differing(folders) if line.startswith(("backbone", "space"))]:
        raise InputError(f"{folders[1].path}: is of another space than {folders[0].path}: {strange[0]}")
    name = folders[0].file.leading.name
    each = [[row for row in folder.full_rows() if row.state == "complete"] for folder in folders]
    means = [{row.key: row for row in across_seeds(rows)} for rows in each]
    fronts = [set(folder.front().best.index) for folder in folders]
    said = [folders[0].pick(key).key if key in ("knee", "best") else present_key(key) for key in keys]
    wanted = said or [key for key in means[0] if key in means[1]]
    lines = {}
    for key in wanted:
        if lacks := [folder.path for folder, known in zip(folders, means, strict=True) if key not in known]:
            common = [one for one in means[0] if one in means[1]]
            raise InputError(f"{lacks[0]}: has not trained {key!r} as the winner will be; {allowed(key, common)}")
        rows = [known[key] for known in means]
        seeds = [[row for row in known if row.key == key] for known in each]
        lines[key] = [rows[0].architecture, rows[0][name], rows[1][name], *_difference(name, rows, seeds)]
        lines[key] += [key in front for front in fronts]
    if not lines:
        raise InputError(f"{folders[1].path}: has trained no network as the winner will be that {folders[0].path} has")
    columns = ["architecture", "first", "second", *_DIFFERENCE, "front_first", "front_second"]
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns).rename_axis("key")


def differing(folders: Sequence[StudyFolder]) -> list[str]:
    """What two studies ask differently, a line a setting, as `changes` has it."""
    one, other = (flat(read_question(folder.study())) for folder in folders)
    return changes(one, other)


_DIFFERENCE = ["difference", "low", "high", "seeds"]


def _difference(name: str, rows: Sequence[Evaluation], each: Sequence[Sequence[Evaluation]]) -> list[float]:
    """How much more the second has, with its interval, and over how many seeds."""
    if measure(name).source != "learnt":
        return [rows[1][name] - rows[0][name], math.nan, math.nan, 0]
    first, second = (by_seed(found, name) for found in each)
    gain = paired(second, first)
    if gain is None:
        return [rows[1][name] - rows[0][name], math.nan, math.nan, 0]
    return [gain.value, gain.low, gain.high, len(first.keys() & second.keys())]
