"""The reply to a question: its answers, as a screen, a table, plain values and a page that can be sent."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nas_attn.results.pages import page, specification
from nas_attn.settings import duration, lasting, with_null
from nas_attn.space import without_passwords, write_whole
from nas_attn.study import StudyFolder

from .answer import Answer, Answers
from .meaning import WORDS
from .picture import answers_chart
from .wording import details, screen, shared, title

_PAGE, _JSON = "ask.html", "ask.json"


@dataclass(frozen=True, eq=False, slots=True)
class Reply:
    """The reply to a question."""

    network: str
    """The backbone, with its arguments."""
    data: str
    """Which images."""
    found: Answers
    trained: int
    """How many trainings there were for it, this time."""
    minutes: float
    """How long it took, this time."""
    folder: Path
    """The study that was made, or used."""

    @property
    def answers(self) -> tuple[Answer, ...]:
        """One for each spelling and start."""
        return self.found.answers

    @property
    def table(self) -> pd.DataFrame:
        """One row an answer, indexed by key: spelling, start, finding, gains with their intervals, and prices."""
        return self.found.table

    @property
    def question(self) -> str:
        """What was to be found out."""
        spellings = [*dict.fromkeys(one.candidate.spelling for one in self.answers)]
        what = spellings[0] if len(spellings) == 1 else f"any of {', '.join(spellings)}"
        return f"Does {what} help {self.network} on {self.data}?"

    @property
    def stopped(self) -> str:
        """Why no more was trained."""
        why = "the time is over" if self.found.open else "all is known" + self._but
        number = f"{self.trained} {'training' if self.trained == 1 else 'trainings'}"
        return f"stopped after {duration(60 * self.minutes)} and {number}: {why}"

    @property
    def _but(self) -> str:
        return " that can be" if any(one.finding == "not known yet" for one in self.answers) else ""

    @property
    def page(self) -> Path:
        """The page that can be sent to a colleague."""
        return self.folder / _PAGE

    def __str__(self) -> str:
        lines = [self.question, "", *screen(self.found), self.stopped, f"page: {self.page}"]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, which JSON knows: what is not known is null."""
        table = self.table.reset_index()
        return {
            "question": self.question,
            "network": self.network,
            "data": self.data,
            "judged_by": self.found.measure.name,
            "answers": [
                with_null({str(name): value for name, value in line.items()}) for line in table.to_dict("records")
            ],
            "seed_noise": with_null(self.found.noise),
            "comparisons": self.found.comparisons,
            "without_width_matched_baseline": self.found.matching or None,
            "open": self.found.open,
            "trainings": self.trained,
            "minutes": self.minutes,
            "study": str(self.folder),
            "page": str(self.page),
        }

    def write(self) -> None:
        """Write page and plain values into the study's folder; each appears whole or not at all."""
        write_whole(self.folder / _JSON, (json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n").encode())
        write_whole(self.page, page("answers.html.jinja", __package__, **self._contents()))

    def _contents(self) -> dict[str, Any]:
        folder, chart = StudyFolder.open(self.folder), answers_chart(self.found)
        text = (self.folder / "study.toml").read_text(encoding="utf-8")
        return {
            "title": self.question,
            "answers": [(title(one), one.finding, [*details(self.found, one)]) for one in self.answers],
            "figure": None if chart is None else specification(chart),
            "shared": [*shared(self.found), self.stopped],
            "architectures": {title(one): str(one.candidate.architecture) for one in self.answers},
            "facts": dict(self._facts(folder)),
            "settings": without_passwords(text, folder.file.search.storage),
            "words": {word: " ".join(meaning.split()) for word, meaning in WORDS.items()},
        }

    def _facts(self, folder: StudyFolder) -> Iterator[tuple[str, str]]:
        yield "Recipe", json.dumps(lasting(folder.file.recipe))
        if (plain := self.found.plain) is not None:
            yield from (("Trained on", plain.device or "unknown"), ("Versions", plain.versions or "unknown"))
