import pytest

from nas_attn.settings import read_study_file
from nas_attn.space import InputError


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
