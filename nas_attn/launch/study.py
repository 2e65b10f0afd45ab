"""A study's folder, opened to search, to audit, to judge and to hand out networks."""

import html
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import altair as alt
import pandas as pd
from torch import nn

from nas_attn.assembly import build, read_space
from nas_attn.audit.run import Audited, run_audit
from nas_attn.chain import Chain, Watch, run_chain
from nas_attn.drawing import Drawing
from nas_attn.evaluation import data_question, read_weights, weights_file
from nas_attn.export import Winner, export, leaving
from nas_attn.export.standalone.folder import claimed
from nas_attn.inquiry import Reply
from nas_attn.inquiry.run import OnRound, run_inquiry
from nas_attn.preflight import Checked, Finding, OnFinding, preflight
from nas_attn.results import Evaluation, across_seeds, table
from nas_attn.results.pictures import front_chart
from nas_attn.settings import FINAL, Backbone, ImageFacts
from nas_attn.space import Architecture, InputError, parse, without_secrets
from nas_attn.study import StudyFolder, check_images, hold, read_facts, read_outline, storage_faults, terminable
from nas_attn.tasks import Task, open_own_task, open_task, own_backbone
from nas_attn.verdict.run import Verdict, read_verdict, run_verdict

_LOG = logging.getLogger(__name__)


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
        with self._locked(jobs, watch, check) as chain:
            if not check:
                _warn_of_what_stays(chain)
            return run_chain(chain, trials)

    def audit(self, networks: int = 24, seeds: int = 3, *, jobs: int = 1, watch: Watch | None = None) -> Audited:
        """Hold the steps of the chain against training as the winner will be trained, as `nas_attn.audit` says.

        Rows that are there are reused, and what was interrupted goes on with the next call. Raises as `run` does.
        """
        with self._locked(jobs, watch) as chain:
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
        with self._locked(jobs, watch) as chain:
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
        with self._locked(jobs, watch) as chain:
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
        row = self.folder.pick(key)
        task, whole = self._trained(row, read_facts(self.folder.study()))
        return whole if task is None else task.network(whole)

    def export(self, out: Path | str, pick: str = "knee", *, by_name: bool = False) -> tuple[Evaluation, list[str]]:
        """Write a network into a folder that needs torch alone, as `nas_attn.export.export` says.

        A user's own files go along; with `by_name` their modules are imported from where they are installed.

        Its accuracy on the test part is measured here, for the first time. Of several seeds the weights of the first
        are written. Returns its row over its seeds, and what the user should know about the files.

        Raises `InputError` where it was not trained by the final recipe, and where the folder is refused, before any
        work; `KeyboardInterrupt` on Ctrl-C and SIGTERM, with the folder as it was.
        """
        row, out = self.folder.pick(pick), Path(out)
        with terminable():
            with claimed(out):
                pass  # what is refused is refused before the work
            notes = export(self._winner(row), out, by_name=by_name)
        unchecked = [] if row.weights_sha256 else [f"{row.key}: its weights cannot be checked; its row has no digest"]
        return row, [*notes, *unchecked]

    def _winner(self, row: Evaluation) -> Winner:
        study = self.folder.study()
        file = self.folder.file
        task = open_task(file, self.folder.path)
        facts = task.facts
        check_images(study, {"data": data_question(file)}, facts, task.fingerprint())
        _, whole = self._trained(row, facts)
        tested, images = task.test(whole, file.recipe.batch_size, file.trainer)
        network = task.network(whole)
        own = next(one for one in self.folder.seed_rows(row.step) if (one.key, one.seed) == (row.key, row.seed))
        return Winner(
            network=network,
            whole=None if network is whole else whole,
            backbone=self._backbone(task, facts),
            row=row,
            facts=facts,
            study={
                **without_secrets(self.folder.file.model_dump(mode="json", exclude={"search": {"storage"}})),
                "latency_prediction": self.folder.prediction(),
            },
            tested=tested,
            test_images=images,
            own=own,
        )

    def _backbone(self, task: Task | None, facts: ImageFacts) -> Backbone:
        own = None if task is None else own_backbone(task)
        return read_space(self.folder.path / self.folder.file.space, own, facts.image).backbone

    def _trained(self, row: Evaluation, facts: ImageFacts) -> tuple[Task | None, nn.Module]:
        """The task, if it is of the user's own, and what it has trained."""
        if row.step != FINAL:
            raise InputError(
                f"{row.key}: was judged by the step {row.step!r} only, whose networks are not kept; end the chain of "
                f"the study with {FINAL!r}"
            )
        architecture, task = parse(row.architecture), open_own_task(self.folder.file, self.folder.path, facts.image)
        if task is None:
            plain, classes = self._backbone(None, facts).untrained, len(facts.class_names)
            network = build(architecture, plain, in_channels=facts.in_channels, classes=classes, seed=row.seed)
        else:
            network = task.build(architecture, self._backbone(task, facts).untrained, row.seed)
        file = weights_file(self.folder.path / "weights", row.key, row.seed)
        return task, read_weights(network, file, row.weights_sha256)

    @contextmanager
    def _locked(self, jobs: int, watch: Watch | None, check: bool = False) -> Iterator[Chain]:
        """The chain of a study that is this process's alone, and whatever stops the work is reported."""
        path, storage, watch = self.folder.path, self.folder.file.search.storage, watch or Watch()
        with storage_faults(path, storage), terminable(), hold(path, storage, watch.on_waiting) as check_hold:
            chain = self._checked(jobs, watch) if check else Chain.open(self.folder, jobs, watch)
            yield replace(chain, check_hold=check_hold)

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


def _warn_of_what_stays(chain: Chain) -> None:
    """Say in the log where the source of the networks cannot leave whole, as a check says too."""
    how = leaving(
        chain.backbone, chain.space.kinds, in_channels=chain.task.facts.in_channels, classes=chain.task.classes
    )
    for line in (*([str(how)] if how.reason else []), *how.remarks):
        _LOG.warning("%s: %s", chain.backbone.name, line)


def open_study(path: Path | str) -> Study:
    """Open a study's folder; raises `InputError` where its `study.toml` is missing or has faults."""
    return Study(StudyFolder.open(path))
