"""Preflight of a study, check by check; a check whose ground is missing is left out, and that is said."""

from collections.abc import Iterator
from dataclasses import replace

from nas_attn.chain import Chain, Watch, open_space
from nas_attn.data import ImageData, LoaderPart, Part, undecodable
from nas_attn.settings import OfTask, OwnModule
from nas_attn.space import Placement
from nas_attn.study import StudyFolder
from nas_attn.tasks import ImageTask, open_task
from nas_attn.training import check_trainer, training_device

from .findings import Checked, Finding, Findings, OnFinding
from .images import Labels, copies, in_turn, last_batch
from .leaving import leaving
from .networks import candidates, plain, priced, timed, written
from .recipes import recipes
from .remembered import read_checked, write_checked

_MOST_LINES = 10


def preflight(
    folder: StudyFolder,
    jobs: int = 1,
    watch: Watch | None = None,
    on_finding: OnFinding = lambda _finding: None,
    *,
    again: bool = False,
) -> tuple[Chain | None, Checked]:
    """The chain of a study, None where it cannot be opened, and all that would end or spoil its search.

    Every fault is found in one run, with its cure. What an earlier run has found of the same study is not searched for
    `again`. Nothing of the study changes, but for a latency that is remembered, and `checked.json`.

    Raises `InputError` where the folder cannot be written.
    """
    found = Findings([], on_finding)
    chain = _opened(folder, jobs, watch, found)
    if chain is not None:
        if not again and (known := read_checked(chain)):
            return chain, known
        found.attempt("rows", _rows(chain))
        single = False
        if isinstance(chain.task, ImageTask):
            labels = _check_images(folder, chain.data, found)
            single = labels.single
            chain = _lenient(chain) if labels.faulty else chain
        _check_networks(chain, found, single)
    checked = Checked(tuple(found.known))
    if chain is not None and not checked.faults:
        write_checked(chain, checked)
    return chain, checked


def _lenient(chain: Chain) -> Chain:
    """The chain with every label within the classes, so that the rest of it can be checked."""

    def within(part: Part | LoaderPart) -> Part | LoaderPart:
        return replace(part, lenient=True) if isinstance(part, LoaderPart) else part

    data = chain.data
    train, validation, test = map(within, (data.train, data.validation, data.test))
    return replace(chain, task=ImageTask(replace(data, train=train, validation=validation, test=test)))


def _opened(folder: StudyFolder, jobs: int, watch: Watch | None, found: Findings) -> Chain | None:
    """The chain of a study; what cannot be opened of it is a fault."""
    trains = found.attempt("trainer", _trainer(folder))
    own = isinstance(folder.file.task, OwnModule)  # which brings the network
    task = found.value(
        "task" if isinstance(folder.file.data, OfTask) else "images", lambda: open_task(folder.file, folder.path)
    )
    space = found.value("space", lambda: open_space(folder, task)) if task or not own else None
    if trains and space is not None and task is not None:
        chain = found.value("latency", lambda: Chain.of(folder, *space, task, jobs, watch))
        if chain is not None:
            return chain
    if isinstance(task, ImageTask):
        _check_images(folder, task.data, found)
    else:
        known = {finding.text for finding in found.known}
        lines = [line for line in undecodable(folder.file.data, folder.path) if line not in known]
        more = len(lines) - _MOST_LINES
        for line in [*lines[:_MOST_LINES], *([f"... and {more:,} more"] if more > 0 else [])]:
            found.add(Finding("images", "fault", line))
    found.add(Finding("networks", "warning", "not tried, before these faults are mended"))
    return None


def _trainer(folder: StudyFolder) -> Iterator[Finding]:
    check_trainer(folder.file.trainer)
    yield Finding("trainer", "ok", f"Lightning makes one, on {training_device(folder.file.trainer)}")


def _rows(chain: Chain) -> Iterator[Finding]:
    """Whether what earlier runs have written can be read, and answers the question of today."""
    rows = chain.folder.all_rows()
    for step in chain.folder.file.steps:
        if any(row.step == step.name for row in rows):
            chain.study(step)
    yield Finding("rows", "ok", f"{len(rows):,} of earlier runs answer the same question" if rows else "none yet")


def _check_images(folder: StudyFolder, data: ImageData, found: Findings) -> Labels:
    labels, file = Labels(data, folder.file.recipe), folder.file
    found.attempt("labels", labels.check())
    found.attempt("copies", copies(data, labels.seen))
    if isinstance(data.train, Part):
        images = {len(data.train), *(len(one.train) for one in data.folds)}
        found.attempt("batches", last_batch(images, {step.recipe(file.recipe).batch_size for step in file.steps}))
    if data.folds:
        found.attempt("folds", in_turn(file.folds, file.steps[-1].seeds))
    return labels


def _check_networks(chain: Chain, found: Findings, single: bool) -> None:
    failing: set[Placement] = set()
    found.attempt("prices", priced(chain, failing))
    if found.attempt("recipe", recipes(chain)) and found.attempt("plain backbone", plain(chain, single)):
        found.attempt("candidates", candidates(chain, failing))
        found.attempt("weights", written(chain))
        found.attempt("latency", timed(chain))
    else:
        found.add(Finding("candidates", "warning", "not tried, before these faults are mended"))
    found.attempt("export", leaving(chain, failing))
