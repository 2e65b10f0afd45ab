"""The steps of a chain, as rows tell of them: how many networks each has evaluated, and what that took."""

import pandas as pd

from nas_attn.settings import measure

_FINAL = "final"


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the step that decides: `final` where it has complete rows, otherwise the last step that has some.

    Rows of one step are all; so are those of a table without steps.
    """
    if "step" not in table.columns or table["step"].nunique() < 2:
        return table
    complete = table.loc[table["state"] == "complete", "step"] if "state" in table.columns else table["step"]
    if complete.empty:
        return table
    return table[table["step"] == (_FINAL if _FINAL in set(complete) else complete.iloc[-1])]


def steps(table: pd.DataFrame) -> pd.DataFrame:
    """A row a step, in the order in which they come: networks, seeds of a network and seconds; empty for one step."""
    if "step" not in table.columns or table["step"].nunique() < 2:
        return pd.DataFrame()
    rows = table.rename_axis("key").reset_index()
    groups = rows.assign(spent=rows["train_seconds"] * rows["seeds"]).groupby("step", sort=False)
    return pd.DataFrame(
        {
            "Step": pd.Series({name: name for name, _ in groups}),
            "Networks": groups["key"].nunique(),
            "Complete": groups["state"].agg(lambda states: int((states == "complete").sum())),
            "Seeds": groups["seeds"].agg(_span),
            "Training time": groups["spent"].sum().map(lambda seconds: measure("train_seconds").spell(seconds)),
        }
    )


def _span(counts: pd.Series) -> str:
    fewest, most = int(counts.min()), int(counts.max())
    return str(most) if fewest == most else f"{fewest} to {most}"
