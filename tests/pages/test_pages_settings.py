"""Every study and space file of a page is read as it stands there; what it leaves out is as usual."""

import sys
import tomllib

import pytest
from reading import PAGES, ROOT, blocks

from nas_attn.assembly import read_space
from nas_attn.settings import Backbone, read_study_file
from nas_attn.space import InputError

FOUND = [block for path in PAGES for block in blocks(path, "toml")]
OF_A_SPACE = {"backbone", "kinds", "per", "position", "start", "slots"}
MODULES = {
    "blocks": "from torch import nn\n\n\nclass MyAttention(nn.Conv2d):\n"
    "    def __init__(self, channels, width=8):\n        super().__init__(channels, channels, 1)\n",
    "unet": (ROOT / "examples" / "segmentation" / "unet.py").read_text(),
}
"""What a user would have written, where pages name `my_package`."""


@pytest.fixture
def my_package(tmp_path, monkeypatch):
    for name, text in MODULES.items():
        (tmp_path / "my_package").mkdir(exist_ok=True)
        (tmp_path / "my_package" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]


@pytest.mark.usefixtures("my_package")
@pytest.mark.parametrize("block", FOUND, ids=str)
def test_what_a_page_says_to_write_is_read(block, tmp_path):
    said = tomllib.loads(block.text)
    if OF_A_SPACE & {*said}:
        text = block.text if "kinds" in said else f"{block.text}\n[kinds.se]\n"
        (tmp_path / "space.toml").write_text(text)
        named = said.get("backbone")
        of_the_task = named is None or (isinstance(named, dict) and "name" not in named)
        file = read_space(tmp_path / "space.toml", Backbone(name="my_package.unet:unet") if of_the_task else None)
        assert {name for name, kind in file.kinds if kind is not None} == {*said.get("kinds", ["se"])}
    else:
        text = block.text if "space" in said else f'space = "space.toml"\n{block.text}'
        (tmp_path / "study.toml").write_text(text)
        file = read_study_file(tmp_path)
        assert not {*said.get("recipe", {})} - {*file.recipe.model_fields_set}


def test_pages_say_what_to_write():
    assert len(FOUND) > 20


def test_what_a_study_file_does_not_take_is_found(tmp_path):
    (tmp_path / "study.toml").write_text('space = "space.toml"\n[recipe]\nepoch = 3\n')
    with pytest.raises(InputError, match=r"recipe\.epoch: unknown name"):
        read_study_file(tmp_path)
