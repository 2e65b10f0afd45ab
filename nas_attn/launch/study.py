"""A study's folder, opened to search, to audit, to judge and to hand out networks."""

import html
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import altair as alt
import pandas as pd
from torch import nn

from nas_attn.audit.run import Audited, run_audit
from nas_attn.chain import Chain, Watch, run_chain
from nas_attn.cost import device_name
from nas_attn.drawing import Drawing
from nas_attn.evaluation import versions
from nas_attn.export import export
from nas_attn.export.standalone.folder import claimed
from nas_attn.inquiry import Reply
from nas_attn.inquiry.run import OnRound, run_inquiry
from nas_attn.planning import SearchPlan, plan_search
from nas_attn.preflight import Checked, Finding, OnFinding, preflight, warn_of_what_stays
from nas_attn.results import Evaluation, across_seeds, table
from nas_attn.results.pictures import front_chart
from nas_attn.retraining import Retrained
from nas_attn.retraining.run import run_retraining
from nas_attn.settings import LatencyTarget
from nas_attn.space import Architecture, InputError, parse
from nas_attn.study import (
    StudyFolder,
    patient,
    read_facts,
    read_outline,
    shared,
    storage_faults,
    terminable,
    write_definition,
)
from nas_attn.training import check_trainer, training_device
from nas_attn.verdict.run import Verdict, read_verdict, run_verdict

from .winner import another, picked, trained_network, winner_of

_CALLS = 50  # passes by which each form of an exported network is timed, at least


@dataclass(frozen=True, repr=False)
class Study:
    """A study: searched with `run`, read with `table`, and a source of trained networks."""

    folder: StudyFolder

    def check(self, watch: Watch | None = None, on_finding: OnFinding = lambda _finding: None) -> Checked:
        """All that would end or spoil a search, found before it, each fault with its cure, as `preflight` says.

        `run` need not search for it again as long as the study, the user's own code and the packages stay as they are.
        """
        with terminable():
            return preflight(self.folder, 1, watch, on_finding, again=True)[1]

    def run(self, trials: int | None = None, *, jobs: int = 1, watch: Watch | None = None, check: bool = False) -> str:
        """Take the steps of the study's chain, and say in a sentence why the last one stopped.

        `trials` stands for the number of networks of the first step, those of earlier runs among them; without it, it
        is as the study file says. So many `jobs` train at a time, each in a process of its own. What was interrupted,
        in whatever way, goes on with the next call. With `check` nothing is trained before the study is found without a
        fault, now or before.

        Raises `InputError` where the check finds faults, the question has changed since the study was begun, nothing
        meets the budget, or a file has faults; `KeyboardInterrupt` on Ctrl-C and SIGTERM, with all rows kept.
        """
        with self._opened(jobs, watch, check) as chain:
            if not check:
                warn_of_what_stays(chain)
            if chain.watch.on_planned is not None:
                chain.watch.on_planned(plan_search(chain, trials))
            return run_chain(chain, trials)

    def plan(self, trials: int | None = None, *, jobs: int = 1) -> SearchPlan:
        """What `run` will take from where the study stands, as `plan_search` says; raises as `run` does."""
        with terminable():
            return plan_search(Chain.open(self.folder, jobs), trials)

    def audit(self, networks: int = 24, seeds: int = 3, *, jobs: int = 1, watch: Watch | None = None) -> Audited:
        """Hold the steps of the chain against training as the winner will be trained, as `nas_attn.audit` says.

        Rows that are there are reused, and what was interrupted goes on with the next call. Raises as `run` does.
        """
        with self._opened(jobs, watch) as chain:
            return run_audit(chain, networks, seeds)

    def verdict(
        self,
        seeds: int | None = None,
        *,
        minutes: float | None = None,
        train: bool = True,
        jobs: int = 1,
        watch: Watch | None = None,
    ) -> Verdict:
        """Whether attention pays, after training what its best network has to be compared with, as `run_verdict` says.

        Rows that are there are reused, and what was interrupted goes on with the next call; without `train`, only they
        count. Raises as `run` does, and as `run_verdict` and `read_verdict`.
        """
        if not train:
            return read_verdict(self.folder, minutes)
        with self._opened(jobs, watch) as chain:
            return run_verdict(chain, seeds, minutes)

    def ask(
        self,
        *spellings: str,
        minutes: float = 30.0,
        jobs: int = 1,
        watch: Watch | None = None,
        on_round: OnRound = lambda _answers, _keys: None,
    ) -> Reply:
        """Whether what is spelt helps the backbone of the study, trained in the study's terms, as `run_inquiry` says.

        Rows that are there are reused, and what was interrupted goes on with the next call. Raises as `run` does, and
        as `run_inquiry`.
        """
        with self._opened(jobs, watch) as chain:
            return run_inquiry(chain, spellings, minutes, on_round)

    def table(self, *, every_step: bool = False) -> pd.DataFrame:
        """One row an architecture, indexed by key, in the order of first trial: of the last step, or of every one."""
        return table(across_seeds(self.folder.all_rows())) if every_step else self.folder.table()

    def front(self) -> pd.DataFrame:
        """The rows that no other beats in the study's objectives, within its budget."""
        return self.folder.front().best

    def plot(self) -> alt.ConcatChart:
        """The front as a chart, the leading objective against each other one; raises `InputError` without any row."""
        return front_chart(self.folder.front())

    def drawing(self, key: str = "knee") -> Drawing:
        """The network with this key, or the `knee` or `best`, drawn from input to output: to show, print and save."""
        return Drawing(read_outline(self.folder.study()), self.architecture(key))

    def __repr__(self) -> str:
        return f"Study({str(self.folder.path)!r})"

    def _repr_html_(self) -> str:
        return f"{html.escape(repr(self))}, its front:{self.front().to_html()}"

    def architecture(self, key: str) -> Architecture:
        """What stands where in the trained network with this key, or in the `knee` or `best` of the study."""
        return parse(self.folder.pick(key).architecture)

    def network(self, key: str) -> nn.Module:
        """The network with this key, or the `knee` or `best`, with its trained weights, in evaluation mode.

        Raises `InputError` where it was not trained, or its weights are missing or are not those that were trained.
        """
        task, whole = trained_network(self.folder, self.folder.pick(key), read_facts(self.folder.study()))
        return whole if task is None else task.network(whole)

    def train(
        self, pick: str = "knee", seeds: int = 5, *, jobs: int = 1, watch: Watch | None = None
    ) -> tuple[Retrained, list[str]]:
        """Train a network for good, beside the plain backbone and a width-matched baseline, as `run_retraining` says.

        Trainings that are there are reused, and what was interrupted goes on with the next call. Returns what was
        found, and what the user should know. Raises as `run` does, and as `run_retraining`.
        """
        row = self.folder.pick(pick)
        with self._opened(jobs, watch) as chain:
            return run_retraining(chain, row, seeds)

    def export(
        self, out: Path | str, pick: str | None = None, *, by_name: bool = False, trained: bool | None = None
    ) -> tuple[Evaluation, list[str]]:
        """Write a network into a folder that needs torch alone, as `nas_attn.export.export` says.

        Without a `pick` it is the last that was trained for good, else the knee. Where the network was trained for
        good, the weights of its best seed are written, with what the test part said of it; with `trained` False those
        of the search, of several seeds the first, which the test part judges now. A user's own files go along; with
        `by_name` their modules are imported from where they are installed. Returns its row over its seeds, and what
        the user should know about the files.

        Raises `InputError` where it was not trained by the final recipe, or with `trained` not for good, and where the
        folder is refused, before any work; `KeyboardInterrupt` on Ctrl-C and SIGTERM, with the folder as it was.
        """
        out, (row, found) = Path(out), picked(self.folder, pick, trained)
        target = LatencyTarget(device="cpu", threads=self.folder.file.latency.threads, calls=_CALLS)
        with terminable():
            with claimed(out):
                pass  # what is refused is refused before the work
            winner = winner_of(self.folder, row, found)
            notes = export(winner, out, by_name=by_name, onnx=True, target=target)
        unchecked = [] if winner.row.weights_sha256 else ["its weights cannot be checked; its row has no digest"]
        more = [f"{row.key}: {line}" for line in unchecked] + [another(self.folder, row)]
        return winner.row, [note for note in (*notes, *more) if note]

    @contextmanager
    def _opened(self, jobs: int, watch: Watch | None, check: bool = False) -> Iterator[Chain]:
        """The chain of a study, beside other processes that work on it, and whatever stops the work is reported."""
        path, storage, watch = self.folder.path, self.folder.file.search.storage, watch or Watch()
        place, trainer = self.folder.file.search.artifacts, self.folder.file.trainer
        check_trainer(trainer)
        about = {"device": device_name(training_device(trainer)), "versions": versions()}
        with storage_faults(path, storage), terminable(), patient(watch.on_waiting):
            chain = self._checked(jobs, watch) if check else Chain.open(self.folder, jobs, watch)
            with shared(path, storage, watch.on_waiting, place, **about) as reservations:
                write_definition(reservations.lease.study, path, self.folder.file)
                yield replace(chain, reservations=reservations)

    def _checked(self, jobs: int, watch: Watch) -> Chain:
        """The chain, after a preflight without faults."""

        def show(finding: Finding) -> None:
            if finding.state in ("coped with", "warning"):
                watch.on_checked(f"{finding.state}: {finding}")

        chain, checked = preflight(self.folder, jobs, watch, show)
        if chain is None or checked.faults:
            path = self.folder.path
            again = (
                f"{path}: nothing is trained before this is mended; `nas-attn search --no-check {path}` tries anyway"
            )
            raise InputError("\n".join([*map(str, checked.faults), again]))
        watch.on_checked(checked.summary)
        return chain


def open_study(path: Path | str) -> Study:
    """Open a study's folder; raises `InputError` where its `study.toml` is missing or has faults."""
    return Study(StudyFolder.open(path))
