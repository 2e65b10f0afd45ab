import gc
import os
import signal
import textwrap

os.environ["OMP_NUM_THREADS"] = (
    "1"  # before torch is loaded, here and in child processes: its threads wait for each other
)
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # not in processes of its own, each of which loads torch

import numpy as np
import pytest
from learning import digits as digits
from learning import small_network as small_network
from made_up import study_table
from PIL import Image
from processes import fork_workers, make_haste
from proofs import fork_proofs
from small_study import SPACE, STUDY
from versions import OF_OLD_VERSIONS, older

from nas_attn.export.program import Program
from nas_attn.settings import read_study_file, use_measures
from nas_attn.space import InputError

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job, and its children, would ignore it


def pytest_configure(config):
    """Warnings are errors, but for those of the lowest versions that newer ones took back."""
    for package, than, warning in OF_OLD_VERSIONS:
        if older(package, than):
            config.addinivalue_line("filterwarnings", f"ignore:{warning}")


@pytest.fixture(scope="session", autouse=True)
def _haste():
    gc.freeze()  # what has been imported stays, and is not gone through again and again
    gc.set_threshold(100_000, 20, 20)
    with pytest.MonkeyPatch.context() as patch:
        make_haste(patch)
        yield


@pytest.fixture(autouse=True)
def _no_study_open():
    """The measures are those of no study, whichever the test before has opened."""
    use_measures()


@pytest.fixture
def forked_workers(monkeypatch):
    """Processes that train networks are forked, and so begin at once."""
    fork_workers(monkeypatch)


@pytest.fixture
def forked_proofs(monkeypatch):
    """Exports are proved by processes that are forked, and so begin at once."""
    fork_proofs(monkeypatch)


@pytest.fixture
def no_program(monkeypatch):
    """Exports are without `model.pt2`, which takes most of their time."""
    monkeypatch.setattr("nas_attn.export.folder.torch_program", lambda *_: Program("model.pt2"))


@pytest.fixture
def make_study(tmp_path):
    """Writes a small study into a folder of its own, with these texts in place of the usual ones."""

    def make(study=STUDY, space=SPACE, name="study"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "study.toml").write_text(textwrap.dedent(study))
        (folder / "space.toml").write_text(textwrap.dedent(space))
        return folder

    return make


@pytest.fixture
def make_images():
    """Writes a folder of images a class: bright ones and dark ones, so that there is something to learn."""

    def make(folder, classes=("bright", "dark"), count=12, size=(10, 8)):
        rng = np.random.default_rng(0)
        for index, name in enumerate(classes):
            (folder / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 100, (size[1], size[0], 3)) + 150 * (index % 2)
                Image.fromarray(pixels.astype("uint8")).save(folder / name / f"{number}.png")
        return folder

    return make


@pytest.fixture(scope="session")
def rows():
    """The table of a study of seven networks, five of them trained."""
    return study_table()


@pytest.fixture(scope="session")
def slots():
    """A slot for each stage, with two blocks that offer a branch."""
    return [(f"stage{number}", [f"stage{number}.block{block}.branch" for block in (0, 1)]) for number in (1, 2)]


@pytest.fixture
def faults_of(tmp_path):
    """The faults of a study file, each without its path: `2: recipe.epochs: found 0; ...`."""

    def read(text):
        tmp_path.joinpath("study.toml").write_text(text)
        with pytest.raises(InputError) as told:
            read_study_file(tmp_path)
        lines = str(told.value).split("\n")
        assert all(line.startswith(f"{tmp_path / 'study.toml'}:") for line in lines)
        return [line.removeprefix(f"{tmp_path / 'study.toml'}:") for line in lines]

    return read
