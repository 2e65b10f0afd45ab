"""Whether a row fits a budget."""

from dataclasses import replace

from nas_attn.results import Evaluation
from nas_attn.settings import Budget


def over_budget(row: Evaluation, budget: Budget) -> Evaluation | None:
    """The row with what it exceeds, if it exceeds anything; what is not known exceeds nothing."""
    for name, limit in budget.limits.items():
        if (value := row[name]) > limit:
            return replace(row, state="over_budget", reason=f"{name} {value:,.6g} > {limit:,.6g}")
    return None
