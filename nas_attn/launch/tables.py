"""Published tables of whole spaces."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from nas_attn.assembly import load_space
from nas_attn.results import evaluations, read_csv
from nas_attn.search import Table
from nas_attn.settings import FINAL
from nas_attn.space import InputError, allowed

_ROWS, _SPACE = "rows.csv", "space.toml"
_PACKAGE = Path(__file__).parents[1]
_PUBLISHED = (_PACKAGE / "published", _PACKAGE.parent / "studies")
"""Where tables lie: in an installed package, and in a checkout."""


def load_table(name: Path | str, objectives: Sequence[str] = ("accuracy", "flops")) -> Table:
    """A published table by its name, such as `digits-table`, or one of your own by its folder.

    The folder holds `rows.csv`, as a study's report writes it, and `space.toml`, the space of its networks. Rows of
    other steps than `final` are passed over. Raises `InputError` where one of them is missing or has faults, and as
    `Table` does.
    """
    found = (path.parent for place in _PUBLISHED for path in sorted(place.glob(f"*/{_ROWS}")))
    folders = {folder.name: folder for folder in found if _whole(folder)}
    folder = folders.get(str(name), Path(name))
    rows, space = folder / _ROWS, folder / _SPACE
    if not rows.is_file():
        raise InputError(f"table: found {str(name)!r}; {allowed(name, folders)}, or a folder that holds a {_ROWS}")
    known = tuple(row for row in evaluations(read_csv(rows)) if row.step == FINAL)
    if not space.is_file():
        raise InputError(f"{space}: there is no such file; put the search-space file of {rows} there")
    try:
        return Table(folder.absolute().name, load_space(space)[1], known, tuple(objectives))
    except InputError as error:
        where = "" if str(error).startswith(str(folder)) else f"{rows}: "
        raise InputError(f"{where}{error}") from None


def _whole(folder: Path) -> bool:
    """Whether published rows are of a whole space, and not of networks that a study lists."""
    file = folder / "study.toml"
    chain = tomllib.loads(file.read_text(encoding="utf-8")).get("chain", []) if file.is_file() else []
    return not any(isinstance(step, Mapping) and "architectures" in step for step in chain)
