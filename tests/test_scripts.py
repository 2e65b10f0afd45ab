"""Studies that are run from a script of the user's, with several jobs."""

import subprocess
import sys

import pytest
from small_study import STUDY
from thoroughness import thorough

import nas_attn
from nas_attn.study import StudyFolder

BARE = "import nas_attn\n{call}\n"
GUARDED = 'import nas_attn\nif __name__ == "__main__":\n    {call}\n'
CALL = "nas_attn.open_study('study').run(trials=2, jobs=2)"


@pytest.fixture
def run(make_study, tmp_path):
    """Run a script beside a study, in a Python of its own."""
    make_study(study=STUDY)

    def run(text):
        (tmp_path / "search.py").write_text(text)
        command = [sys.executable, "search.py"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)

    return run


def test_a_script_without_a_main_guard_is_told_of_it_and_loses_nothing(run, tmp_path):
    ended = run(BARE.format(call=CALL))
    assert ended.returncode == 1
    assert 'must stand under `if __name__ == "__main__":`' in ended.stderr.splitlines()[-1]
    folder = StudyFolder.open(tmp_path / "study")
    assert folder.rows() == {}

    nas_attn.open_study(folder.path).run(trials=2)
    assert [row.state for row in folder.rows().values()] == ["complete"] * 2


@thorough
def test_a_script_with_one_trains_in_several_processes(run, tmp_path):
    ended = run(GUARDED.format(call=CALL))
    assert ended.returncode == 0, ended.stderr
    rows = StudyFolder.open(tmp_path / "study").rows().values()
    assert [row.state for row in rows] == ["complete"] * 2
