"""The examples, shortened: searched, paired, priced, resumed, judged and exported."""

import functools
import math
import re
import shutil
import signal
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import processes
import pytest
import torch
from example_cases import CASES, OFTEN, Case
from thoroughness import THOROUGH
from torch.utils._pytree import tree_leaves
from typer.testing import CliRunner

import nas_attn
from nas_attn.assembly import identity_started
from nas_attn.cli import app
from nas_attn.cost.fvcore import FlopCountAnalysis
from nas_attn.launch import winner
from nas_attn.settings import measure
from nas_attn.space import parse
from nas_attn.tasks import FunctionTask, ImageTask, ModuleTask, Training, open_task

MULTIPLYING = ("conv", "linear", "addmm", "matmul", "bmm", "einsum")
"""The operators by which fvcore counts multiply-accumulates."""


@dataclass
class Searched:
    case: Case
    folder: Path
    again: Path
    """The same folder, not searched yet."""
    seen: list
    """Of each training its seed, and the sums of what its batches held."""

    @property
    def study(self):
        return nas_attn.open_study(self.folder)

    @property
    def rows(self):
        return self.study.folder.seed_rows("final")

    def command(self, *said):
        result = CliRunner().invoke(app, [*map(str, said)], env={"COLUMNS": "200"})
        assert result.exit_code == 0, result.output
        return result.output


def note_batches(patch, case):
    """Have trainings note what they see: the seed of each, and the sums of its batches."""
    seen, (module, owner, name) = [], case.steps
    home = import_module(module)
    home = getattr(home, owner) if owner else home
    step = getattr(home, name)

    @functools.wraps(step)
    def noted(*given):
        seen[-1][1].append([float(one.double().sum()) for one in tree_leaves(given) if isinstance(one, torch.Tensor)])
        return step(*given)

    patch.setattr(home, name, noted)
    for task in (ImageTask, ModuleTask, FunctionTask):

        def train(self, network, how, plain=task.train):
            seen.append((how.seed, []))
            return plain(self, network, how)

        patch.setattr(task, "train", train)
    return seen


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def searched(request, tmp_path_factory):
    case = request.param
    if case.name == "detection":
        pytest.importorskip("pycocotools")
    folder = case.copied(tmp_path_factory.mktemp("examples") / case.name)
    again = shutil.copytree(folder, folder.with_name("again"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.chdir(folder)
        with pytest.MonkeyPatch.context() as noting:
            seen = note_batches(noting, case)
            nas_attn.open_study(folder).run()
        yield Searched(case, folder, again, seen)
    for name, module in [*sys.modules.items()]:  # two examples have a unet.py
        if Path(getattr(module, "__file__", None) or "").parent == folder:
            del sys.modules[name]


def test_rows_are_of_its_own_measure_and_seeds_are_paired(searched):
    rows, lead = searched.rows, searched.case.measure
    assert [row.state for row in rows] == ["complete"] * 4
    assert all(0 <= row[lead] <= measure(lead).largest for row in rows)
    assert all(math.isfinite(row[name]) for row in rows for name in (lead, *searched.case.further))
    assert {row.key for row in rows if row.architecture == "none"} < {row.key for row in rows}
    of_seed = {seed: [batches for other, batches in searched.seen if other == seed] for seed in (0, 1)}
    for plain, attended in of_seed.values():
        assert plain == attended
        assert len(plain) > 1
    assert of_seed[0][0] != of_seed[1][0]


def test_prices_are_what_fvcore_counts_of_the_network_that_was_trained(searched):
    table, image = searched.study.table(), torch.zeros(1, *searched.case.image)
    for key, row in table.iterrows():
        network = searched.study.network(key)
        counted = FlopCountAnalysis(network, image).unsupported_ops_warnings(False).by_operator()
        assert row["macs"] == sum(counted[name] for name in MULTIPLYING)
        assert row["params"] == sum(weight.numel() for weight in network.parameters())


def test_attention_that_starts_as_the_identity_leaves_the_first_loss_as_it_is(searched, monkeypatch):
    study = searched.study
    task = open_task(study.folder.file, study.folder.path)
    backbone, architecture = winner._backbone(study.folder, task, task.facts), attended(searched)
    how = Training(study.folder.file.recipe, 0)
    networks = [task.build(one, backbone, 0) for one in (parse("none"), architecture, identity_started(architecture))]
    plain, usual, started = (first_loss(task, network, how, monkeypatch) for network in networks)
    assert started == plain > 0
    assert started != usual


def attended(searched):
    return next(parse(row.architecture) for row in searched.rows if row.architecture != "none")


def first_loss(task, network, how, monkeypatch):
    if not isinstance(task, FunctionTask):
        return task.try_iteration(network, how)
    losses, plain = [], torch.nn.functional.cross_entropy

    def noted(*given):
        losses.append(plain(*given))
        return losses[-1]

    with monkeypatch.context() as patch:
        patch.setattr("embed.cross_entropy", noted)
        task.train(network, how)
    return float(losses[0].detach())


def test_a_search_that_was_killed_goes_on_to_the_rows_of_an_unbroken_one(searched):
    often_alone(searched.case)
    folder = searched.again
    process = processes.start("search", "--no-check", "--verbose", ".", cwd=folder)
    assert any(re.match(r"[\d:]{8} +[01]/2", line) for line in process.stdout), process.stderr.read()
    process.send_signal(searched.case.killed_by)
    process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGKILL, 130)
    kept = known(folder)
    assert 1 <= len(kept) < 4
    nas_attn.open_study(folder).run()
    assert known(folder) == known(searched.folder)
    assert kept.items() <= known(folder).items()


def known(folder):
    """What a study knows of each training, but for times."""
    rows = nas_attn.open_study(folder).folder.all_rows()
    timed = ("latency", "seconds")
    return {
        (row.key, row.seed): sorted((name, value) for name, value in row.measures.items() if not name.startswith(timed))
        for row in rows
    }


def often_alone(case):
    if case.name not in OFTEN and not THOROUGH:
        pytest.skip("takes long: make thorough")


def test_front_page_and_verdict_speak_of_its_own_measure(searched):
    case, folder = searched.case, searched.folder
    assert case.measure in searched.command("front", folder)
    noise = rf"has a standard deviation of \d+\.\d+ {case.unit.format(case.word)} \("
    assert re.search(noise, searched.command("verdict", folder, "--no-train"))
    searched.command("report", folder)
    assert case.head.format(measure(case.measure).title) in (folder / "report.html").read_text()


def test_it_leaves_as_a_program_that_gives_what_the_network_gives(searched, tmp_path, forked_proofs):
    often_alone(searched.case)
    case, out = searched.case, tmp_path / "exported"
    searched.command("export", searched.folder, out)
    assert f"| {case.word}, validation part" in (out / "README.md").read_text()
    network, images = searched.study.network("knee"), torch.rand(2, *searched.case.image)
    program = torch.export.load(out / "model.pt2").module()
    with torch.no_grad():
        assert torch.allclose(program(images), network(images), atol=1e-4)
