"""Questions about a study that neither its images nor its backbone answer."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A question, with the answer that is assumed where nobody can be."""

    text: str
    assumed: str
    choices: tuple[str, ...] = ()
    """The answers that are allowed; without them any."""


Ask = Callable[[Question], str]
"""Gives the answer of a question; one of its choices, if it has some."""


def assumed(question: Question) -> str:
    """The answer that is assumed."""
    return question.assumed
