"""Placements of a table's networks, a row each."""

import pandas as pd

from nas_attn.space import InputError, parse

_COLUMNS = ("site", "stage", "block", "position", "kind", "options")


def placements(table: pd.DataFrame) -> pd.DataFrame:
    """A row a placement: where it is, what stands there, and all columns of its network; made for `groupby`.

    A network without attention has one row, whose `site`, `stage`, `block`, `position`, `kind` and `options` are empty.

    >>> known = pd.DataFrame({"architecture": ["none", "s1.b0-1.branch=se(reduction=8)"], "accuracy": [0.9, 0.92]})
    >>> placements(known)[["site", "kind", "options", "accuracy"]].to_csv(index=False).splitlines()
    ['site,kind,options,accuracy', ',,,0.9', 's1.b0.branch,se,reduction=8,0.92', 's1.b1.branch,se,reduction=8,0.92']

    Raises `InputError` where the table has no `architecture`, or one that cannot be read.
    """
    if "architecture" not in table.columns:
        raise InputError("placements: the table has no column 'architecture'")
    rows, numbers = list[tuple[str, ...]](), list[int]()
    for number, spelling in enumerate(table["architecture"]):
        found = [_placed(one.site, str(one.attention)) for one in parse(str(spelling)).placements] or [("",) * 6]
        rows += found
        numbers += [number] * len(found)
    placed = pd.DataFrame(rows, columns=list(_COLUMNS), index=table.index[numbers], dtype="str")
    return pd.concat([placed, table.iloc[numbers].drop(columns="architecture")], axis=1)


def _placed(site: str, attention: str) -> tuple[str, ...]:
    kind, _, options = attention.partition("(")
    block, _, position = site.rpartition(".")
    return site, site.partition(".")[0], block, position, kind, options.removesuffix(")")
