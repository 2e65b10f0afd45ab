"""The rules of the house that no other tool asks for."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nas_attn"


def test_no_file_is_longer_than_300_lines():
    long = [path for path in PACKAGE.rglob("*.py") if len(path.read_text().splitlines()) > 300]
    assert long == []


def test_the_plan_names_every_room_and_joint():
    plan = (ROOT / "docs" / "house.md").read_text()
    rooms = [path.parent.name + "/" for path in PACKAGE.glob("*/__init__.py")]
    joints = [path.name for path in PACKAGE.glob("*.py") if path.name != "__init__.py"]
    assert [name for name in (*rooms, *joints) if f"`{name}`" not in plan] == []


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_the_door_opens_without_the_heavy_libraries(argument):
    code = (
        "import sys\n"
        f"sys.argv = ['nas-attn', '{argument}']\n"
        "from nas_attn.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'pytorch_lightning', 'optuna', 'pandas', 'numpy', 'altair', 'fvcore'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert "nas-attn" in process.stdout


def test_the_public_names_are_handed_on_lazily():
    code = (
        "import sys, nas_attn\n"
        "assert 'torch' not in sys.modules\n"
        "names = [name for name in dir(nas_attn) if not name.startswith('_')]\n"
        "assert {'open_study', 'front', 'parse', 'build', 'load_space'} <= set(nas_attn.__all__)\n"
        "assert all(callable(getattr(nas_attn, name)) for name in nas_attn.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
