"""Pages that load nothing: the texts of templates, with the program that draws their charts inside."""

from functools import cache
from typing import Any

import altair as alt
import vl_convert
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_SNIPPET = "window.vegaEmbed = vegaEmbed;"


def page(template: str, room: str = __package__, **contents: Any) -> bytes:
    """The page that a template of a room makes of these contents, each of which is escaped."""
    folders = ChoiceLoader([PackageLoader(name, ".") for name in dict.fromkeys((room, __package__))])
    pages = Environment(loader=folders, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    pages.policies["json.dumps_kwargs"] = {}  # what a tooltip tells keeps its order
    pages.globals["program"] = _program
    return pages.get_template(template).render(contents).encode()


def specification(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """A chart as a page holds it: without the address of a schema."""
    kept: dict[str, Any] = chart.to_dict()
    del kept["$schema"]
    return kept


@cache
def _program() -> Markup:
    return Markup(vl_convert.javascript_bundle(_SNIPPET))
