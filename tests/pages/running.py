"""Pages and notebooks with what comes out of their Python; a page shows it in a `text` block after a block."""

import ast
import copy
import re
from contextlib import redirect_stdout
from io import StringIO
from textwrap import dedent

BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n(?P<shown>\n```text\n.*?```\n)?", re.DOTALL)


def filled_page(text, names):
    """The page with what comes out of each block of Python, where it shows an output."""

    def fill(found):
        out = _run(found["code"], names)["text/plain"]
        return f"```python\n{found['code']}```\n" + (f"\n```text\n{out}\n```\n" if found["shown"] else "")

    return BLOCK.sub(fill, text)


def filled_notebook(notebook, names):
    """The notebook with what comes out of each cell, as Jupyter keeps it."""
    filled = copy.deepcopy(notebook)
    for cell in code_cells(filled):
        forms = _run("".join(cell["source"]), names)
        data = {kind: out.splitlines(keepends=True) for kind, out in forms.items()}
        cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": data}] if any(data.values()) else []
    return filled


def texts(notebook):
    """What comes out of each cell: its media types and its text, but for cells tagged as ones that vary."""
    return [
        [(sorted(one["data"]), [*map(_as_before, one["data"]["text/plain"])]) for one in cell["outputs"]]
        for cell in code_cells(notebook)
        if "varies" not in cell["metadata"].get("tags", [])
    ]


def _as_before(line):
    """A line as torch 2.6 writes it, which says nothing of the bias of a normalisation."""
    return line.replace("affine=True, bias=True", "affine=True")


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _run(code, names):
    """What the code prints, and what its last expression is, in each form that it has."""
    body = ast.parse(dedent(code)).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    printed, value = StringIO(), None
    with redirect_stdout(printed):
        exec(compile(ast.Module(body, []), "page", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "page", "eval"), names)
    forms = _forms(value)
    text = printed.getvalue() + forms.pop("text/plain")
    return {**forms, "text/plain": "\n".join(line.rstrip() for line in text.rstrip().splitlines())}


def _forms(value):
    """The forms of a value by their media types: frames in full, charts as pictures, texts without quotes."""
    if hasattr(value, "_repr_mimebundle_"):
        return {"image/svg+xml": value._repr_mimebundle_()["image/svg+xml"], "text/plain": type(value).__name__}
    if hasattr(value, "to_html"):
        return {"text/html": value.to_html(border=0), "text/plain": value.to_string()}
    return {"text/plain": "" if value is None else value if isinstance(value, str) else repr(value)}
