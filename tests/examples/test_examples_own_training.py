"""The examples of a user's own training, shortened: searched, paired, priced, resumed, judged and exported."""

import functools
import re
import shutil
import signal
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import processes
import pytest
import torch
from torch.utils._pytree import tree_leaves
from typer.testing import CliRunner

import nas_attn
from nas_attn.assembly import identity_started
from nas_attn.cli import app
from nas_attn.cost.fvcore import FlopCountAnalysis
from nas_attn.settings import Recipe
from nas_attn.space import parse
from nas_attn.tasks import FunctionTask, ModuleTask, Training, open_task, own_backbone

EXAMPLES = Path(__file__).parents[2] / "examples"
MULTIPLYING = ("conv", "linear", "addmm", "matmul", "bmm", "einsum")
"""The operators by which fvcore counts multiply-accumulates."""


@dataclass(frozen=True)
class Case:
    name: str
    measure: str
    title: str
    image: tuple[int, int, int]
    steps: tuple[str, str, str]
    """Module, class if any, and function that takes a batch of training."""
    shorter: tuple[tuple[str, str], ...]
    killed_by: signal.Signals

    def copied(self, folder):
        """The example in a folder of its own, with fewer networks and epochs."""
        shutil.copytree(EXAMPLES / self.name, folder, ignore=lambda _, names: [n for n in names if not is_kept(n)])
        text = (folder / "study.toml").read_text()
        usual = (
            (r"chain = .*", 'chain = [{ proxy = "final", networks = 2, seeds = 2 }]'),
            (r"epochs = \d+", "epochs = 1"),
            (r', "latency_ms"\]', "]\nlatency = { calls = 50 }"),
        )
        for pattern, replacement in (*usual, *self.shorter):
            text, found = re.subn(pattern, replacement, text)
            assert found == 1, pattern
        (folder / "study.toml").write_text(text)
        return folder


def is_kept(name):
    return name.endswith((".py", ".md")) or name in ("study.toml", "space.toml")


CASES = [
    Case(
        *("detection", "map", "mAP", (3, 96, 96), ("detector", "LitDetector", "training_step")),
        ((r'(module = "detector:LitDetector")', r"\1\narguments = { train = 16, val = 8 }"),),
        signal.SIGKILL,
    ),
    Case(
        *("segmentation_module", "iou", "Mean IoU", (1, 64, 64), ("unet", "LitUNet", "training_step")),
        (),
        signal.SIGINT,
    ),
    Case(
        *("template", "acc", "Accuracy", (1, 32, 32), ("lit_template", "DigitsLitModule", "training_step")),
        (),
        signal.SIGKILL,
    ),
    Case(
        *("function", "map", "Mean average precision", (1, 8, 8), ("embed", "", "noisy_pairs")),
        (),
        signal.SIGINT,
    ),
]


@dataclass
class Searched:
    case: Case
    folder: Path
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
    for task in (ModuleTask, FunctionTask):

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
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.chdir(folder)
        with pytest.MonkeyPatch.context() as noting:
            seen = note_batches(noting, case)
            nas_attn.open_study(folder).run()
        yield Searched(case, folder, seen)


def test_rows_are_of_its_own_measure_and_seeds_are_paired(searched):
    rows, measure = searched.rows, searched.case.measure
    assert [row.state for row in rows] == ["complete"] * 4
    assert all(0 <= row[measure] <= 1 for row in rows)
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
    backbone, architecture = own_backbone(task) or study._backbone(task, task.facts), attended(searched)
    losses = [first_loss(task, task.build(one, backbone, 0), monkeypatch) for one in (parse("none"), architecture)]
    started = first_loss(task, task.build(identity_started(architecture), backbone, 0), monkeypatch)
    assert started == losses[0] > 0
    assert started != losses[1]


def attended(searched):
    return next(parse(row.architecture) for row in searched.rows if row.architecture != "none")


def first_loss(task, network, monkeypatch):
    if isinstance(task, ModuleTask):
        return task.try_iteration(network, Training(Recipe(), 0))
    losses, plain = [], torch.nn.functional.cross_entropy

    def noted(*given):
        losses.append(plain(*given))
        return losses[-1]

    with monkeypatch.context() as patch:
        patch.setattr("embed.cross_entropy", noted)
        task.train(network, Training(Recipe(epochs=1), 0))
    return float(losses[0].detach())


def test_a_search_that_was_killed_goes_on_to_the_rows_of_an_unbroken_one(searched, tmp_path):
    folder = searched.case.copied(tmp_path / "again")
    process = processes.start("search", "--no-check", ".", cwd=folder)
    _, first = (process.stdout.readline() for _ in range(2))
    assert first.split()[0] in ("0/2", "1/2"), process.stderr.read()
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


def test_front_page_verdict_and_export_speak_of_its_own_measure(searched, tmp_path, forked_proofs):
    title, folder = searched.case.title, searched.folder
    assert searched.case.measure in searched.command("front", folder)
    assert title.lower() in searched.command("verdict", folder, "--no-train").lower()
    searched.command("report", folder)
    assert f"{title} (%)" in (folder / "report.html").read_text()
    out = tmp_path / "exported"
    searched.command("export", folder, out)
    assert f"| {title}, validation part".lower() in (out / "README.md").read_text().lower()
    network, images = searched.study.network("knee"), torch.rand(2, *searched.case.image)
    program = torch.export.load(out / "model.pt2").module()
    with torch.no_grad():
        assert torch.allclose(program(images), network(images), atol=1e-4)
