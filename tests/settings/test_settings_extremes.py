"""Files with what no file should have: one clear error a fault, at its line."""

from pathlib import Path

import pytest

from nas_attn.assembly import load_space
from nas_attn.settings import read_document, read_study_file
from nas_attn.space import InputError

KINDS = '\nbackbone = "resnet8"\n[kinds.se]\nreduction = 4\n'
HUGE = 2**63 - 1

FILES = {
    "an integer of 5,000 digits": (f"classes = {'9' * 5000}{KINDS}", "not a TOML file: "),
    "an integer of 5,000 hexadecimal digits": (f"classes = 0x{'F' * 5000}{KINDS}", ":1: classes: found an integer of"),
    "an integer of 65 bits": (f"classes = {2**64}{KINDS}", ":1: classes: found an integer of 65 bits; allowed: 63"),
    "lists 2,000 deep": (f"x = {'[' * 2000}{']' * 2000}{KINDS}", "too deep in one another"),
    "tables 2,000 deep": (f"x = {'{a=' * 2000}1{'}' * 2000}{KINDS}", "too deep in one another"),
    "a name of 2,000 parts": (f"{'.'.join('a' * 2000)} = 1{KINDS}", "too deep in one another"),
    "an image as large as integers": (f"image = [{HUGE}, 1, 1]{KINDS}", ":1: image.0: found 92233.*at most 65536"),
    "a kernel as large as integers": (
        f'backbone = "resnet8"\n[kinds.eca]\nkernel_size = {HUGE}',
        ":3: kinds.eca.kernel",
    ),
    "a width as large as integers": (
        f'backbone = {{name="resnet8", arguments={{width={HUGE}}}}}\n[kinds.se]',
        ":1: backbone: resnet8 cannot be built so: ",
    ),
    "as many classes as integers": (f"classes = {HUGE}{KINDS}", ":1: classes: found 92233.*at most 1e"),
    "a date for a text": (f"space= 1979-05-27\narguments={{a=1}}{KINDS}", ":2: arguments: unknown name"),
    "a name that is its own kind": (f'kind = "kind"{KINDS}', ":1: kind: unknown name"),
}


@pytest.mark.parametrize("what", FILES)
def test_what_no_space_should_say_is_told_in_one_clear_error(tmp_path, what):
    text, told = FILES[what]
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=told) as error:
        load_space(path)
    assert all(len(line) < 600 for line in str(error.value).splitlines())


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_a_path_that_no_file_can_have_is_told(name):
    with pytest.raises(InputError, match="cannot be read as text: "):
        read_document(Path(name))


def test_a_study_with_a_kind_of_its_own_is_told(tmp_path):
    (tmp_path / "study.toml").write_text('kind = "kind"\nspace= 1979-05-27\narguments={a=1}\n')
    with pytest.raises(InputError) as error:
        read_study_file(tmp_path)
    lines = str(error.value).splitlines()
    assert any(":1: kind: unknown name" in line or "kind: unknown name" in line for line in lines)
    assert any(":2: space: found datetime.date(1979, 5, 27); allowed: a text" in line for line in lines)
