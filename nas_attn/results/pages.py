"""Pages that load nothing: the texts of templates, with the program that draws their charts inside."""

import hashlib
import os
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nas_attn.space import InputError, make_folder, write_whole

_SNIPPET = "window.vegaEmbed = vegaEmbed;"


def page(template: str, room: str = __package__, **contents: Any) -> bytes:
    """The page that a template of a room makes of these contents, each of which is escaped."""
    folders = ChoiceLoader([PackageLoader(name, ".") for name in dict.fromkeys((room, __package__))])
    pages = Environment(loader=folders, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    pages.policies["json.dumps_kwargs"] = {}  # what a tooltip tells keeps its order
    pages.globals["program"] = _program
    pages.globals["source"] = lambda name: Markup(folders.get_source(pages, name)[0])
    return pages.get_template(template).render(contents).encode()


def specification(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """A chart as a page holds it: without the address of a schema."""
    kept: dict[str, Any] = chart.to_dict()
    del kept["$schema"]
    return kept


@cache
def _program() -> Markup:
    """The program that draws charts, which takes seconds to put together and so is kept for later pages."""
    with suppress(OSError, ValueError, RuntimeError):
        digest, _, text = _kept().read_text(encoding="utf-8").partition("\n")
        if hashlib.sha256(text.encode()).hexdigest() == digest:
            return Markup(text)
    text = vl_convert.javascript_bundle(_SNIPPET)
    with suppress(InputError, RuntimeError):  # where nothing can be kept, it is put together again
        make_folder(_kept().parent)
        write_whole(_kept(), f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}".encode())
    return Markup(text)


def _kept() -> Path:
    """Where it is kept, among what can be made again; raises `RuntimeError` for a user without a home."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "nas-attn"
    of = f"{version('vl-convert-python')} {_SNIPPET}"
    return folder / f"charts-{hashlib.sha256(of.encode()).hexdigest()[:16]}.js"
