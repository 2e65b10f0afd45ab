"""Studies on one device: several jobs, a whole chain with its report, and an export that the CPU runs."""

import os
import subprocess
import sys

import pytest
import torch
from small_study import CHAIN, SPACE, STUDY, reproducible

import nas_attn
from nas_attn.cost import device_name
from nas_attn.report.write import report_study
from nas_attn.study import StudyFolder

pytestmark = [pytest.mark.cuda, pytest.mark.filterwarnings("default")]
LOADED = """
import sys
folder, probes, answers = sys.argv[1:]
sys.modules["nas_attn"] = None
sys.path.insert(0, folder)
import model, torch
assert not torch.cuda.is_available()
with torch.inference_mode():
    torch.save(model.load(folder)(torch.load(probes)), answers)
"""


def spelt(trainer):
    lines = [f"{name} = {str(value).lower() if value is True else repr(value)}" for name, value in trainer.items()]
    return "\n".join(["[trainer]", *lines, ""])


def test_two_jobs_on_one_device_write_the_rows_of_one(make_study, device, exact, request):
    if device.type == "cpu":
        request.getfixturevalue("forked_workers")  # on a GPU a forked process could not use it
    rows = []
    for jobs in (1, 2):
        folder = make_study(STUDY + spelt(exact), name=f"of_{jobs}")
        nas_attn.open_study(folder).run(jobs=jobs)
        rows.append(StudyFolder.open(folder).all_rows())
    one, two = rows
    assert {row.device for row in two} == {device_name(device)}
    assert len(one) == 3
    assert reproducible(two) == reproducible(one)


@pytest.fixture(scope="module")
def studied(tmp_path_factory, trainer):
    """A study that has screened, refined and confirmed."""
    folder = tmp_path_factory.mktemp("studied")
    (folder / "study.toml").write_text(CHAIN + spelt(trainer))
    (folder / "space.toml").write_text(SPACE)
    assert nas_attn.open_study(folder).run() == "2 of 2 networks are trained"
    return folder


def test_every_row_is_complete_and_names_the_device(studied, device):
    rows = StudyFolder.open(studied).all_rows()
    assert [sum(row.step == step for row in rows) for step in ("supernet", "inherit", "final")] == [20, 5, 4]
    assert {row.state for row in rows} == {"complete"}
    assert {row.device for row in rows if row.step != "supernet"} == {device_name(device)}
    assert {row.latency.device for row in rows if row.step == "final"} <= {"", device_name(device)}
    plain = next(row for row in rows if (row.step, row.architecture) == ("inherit", "none"))
    assert plain["accuracy"] > 0.5  # of ten classes, one epoch after two of the backbone that it inherits from


def test_its_page_is_written_and_names_the_device(studied, device):
    assert studied / "report.html" in report_study(studied)
    assert device_name(device) in (studied / "report.html").read_text()


def test_an_export_gives_on_a_machine_without_a_gpu_what_the_device_gives(studied, device, tmp_path, no_tf32):
    study = nas_attn.open_study(studied)
    row, notes = study.export(tmp_path / "out", "best")
    images = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = study.network(row.key).to(device)(images.to(device)).cpu()
    probes, answers = tmp_path / "probes.pt", tmp_path / "answers.pt"
    torch.save(images, probes)
    command = [sys.executable, "-I", "-c", LOADED, tmp_path / "out", probes, answers]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    torch.testing.assert_close(torch.load(answers), expected, rtol=1e-3, atol=1e-4)
    assert (tmp_path / "out" / "model.pt2").is_file() or "torch.export refused" in " ".join(notes)
