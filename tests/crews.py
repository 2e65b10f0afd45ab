"""Workers on one study in processes of their own, and what they are to leave."""

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import processes
from fakes import Noisy, search, study_file
from optuna.trial import TrialState
from working import NOISE, work

from nas_attn.space import parse
from nas_attn.study import find_study, read_rows
from nas_attn.study.identity import write_study_id


@dataclass
class Crew:
    """Workers on one study, and all that they have said."""

    folders: list[Path]
    url: str | None
    options: dict
    """Of `work`."""
    lines: list[str] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    """Exit codes."""

    @classmethod
    def apart(cls, parent, url, options, folders=3):
        """A crew in several folders, all of one study in a storage."""
        made = [parent / f"study{n}" for n in range(folders)]
        for folder in made:
            folder.mkdir()
            write_study_id(folder, "study-1")
        return cls(made, url, options)

    def begin(self, number=0, **options):
        """Begin a worker in one of the folders."""
        arguments = {"url": self.url, **self.options, **options}
        return processes.Forked(partial(work, str(self.folders[number % len(self.folders)]), **arguments))

    def end(self, *workers):
        """Wait until they have ended, and return what they have said."""
        said = []
        for worker in workers:
            printed, error = worker.communicate()
            assert error == "", error
            said += printed.splitlines()
            self.ended.append(worker.returncode)
        self.lines += said
        return said

    def trained(self):
        """How often each training was begun, by key and seed."""
        return Counter(tuple(line.split()[1:]) for line in self.lines if line.startswith("trains"))

    def rows(self):
        return read_rows(self.study())

    def study(self, name="final"):
        return find_study(self.folders[0], self.url, name)

    def strays(self):
        """What workers have left behind that should not be there: running trials, locks, and rows unwritten."""
        names = ("final", "search-lease", "search-reservations")
        running = [trial for name in names for trial in self.study(name).get_trials(states=(TrialState.RUNNING,))]
        left = [path for folder in self.folders for path in folder.rglob("*") if path.is_file()]
        return running + [path for path in left if path.suffix in (".lock", ".part") or "unwritten" in path.parts]


def check(crew, tmp_path, networks, seeds=1, repeated=0):
    """Every network and seed has its row, once trained, as one worker alone writes it."""
    rows, trained = crew.rows(), crew.trained()
    assert {(key, str(seed)) for key, seed in rows} == {*trained}
    assert sum(trained.values()) - len(trained) <= repeated
    assert len({key for key, _ in rows}) == networks
    assert len(rows) == networks * seeds
    assert rows == alone(tmp_path, rows)
    assert crew.strays() == []


def alone(tmp_path, rows, noise=NOISE):
    """The rows of the same networks, by one worker in one process, with the same seeds."""
    seeds = {seed for _, seed in rows}
    file = study_file(chain=[{"proxy": "final", "seeds": len(seeds)}])
    given = dict.fromkeys(parse(row.architecture) for row in rows.values())
    (tmp_path / "alone").mkdir()
    searching = search(tmp_path / "alone", Noisy(noise), file=file, given=[*given])
    searching.run()
    found = read_rows(searching.study)
    return {place: found[place] for place in rows}
