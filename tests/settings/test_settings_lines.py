"""Every key of a TOML file knows its line."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_attn.settings import read_document
from nas_attn.space import InputError


@pytest.fixture
def lines_of(tmp_path):
    def read(text):
        path = tmp_path / "some.toml"
        path.write_text(text, encoding="utf-8")
        document = read_document(path)
        assert document.data == tomllib.loads(text)
        return document

    return read


def key_paths(data, where=()):
    """Every table and key of parsed TOML, in no particular order."""
    if isinstance(data, dict):
        for key, inner in data.items():
            yield (*where, key)
            yield from key_paths(inner, (*where, key))
    elif isinstance(data, list):
        for index, inner in enumerate(data):
            if isinstance(inner, dict):
                yield (*where, index)
                yield from key_paths(inner, (*where, index))


# each line that says a key for the first time ends with a comment of its key path, or of its last one
MARKED = r'''
plain = 1 #: plain
"quoted key" = 2 #: quoted key
'literal.dot' = 3 #: literal.dot
dotted.inner = 4 #: dotted/inner
dotted . "other key".deep = 5 #: dotted/other key/deep
  indented = 6 #: indented
inline = { a = 1, b.c = [2] } #: inline
# commented = 7
multi = [ #: multi
  1, # inside = 8
  "looks = 9",
  """
[table]
fake = 10
""", [
  2],
]
text = """ #: text
[fake]
plain = 11
"quoted key" = 12
""" # closing = 13
raw = QUOTES
after = 0
QUOTES
after = 14 #: after
"#" = "# = 15" #: #
"" = 16 #:
date = 2024-01-01T00:00:00 #: date

[table] #: table
plain = 17 #: table/plain
[ table . "sub table" ] #: table/sub table
x.y = 18 #: table/sub table/x/y
[["list of"]] #: list of/0
n = 19 #: list of/0/n
[["list of"]] #: list of/1
n = 20 #: list of/1/n
  [ "list of".sub ] #: list of/1/sub
  z = 21 #: list of/1/sub/z
  [["list of".sub.deep]] #: list of/1/sub/deep/0
  o = 22 #: list of/1/sub/deep/0/o
  [["list of".sub.deep]] #: list of/1/sub/deep/1
  o = 23 #: list of/1/sub/deep/1/o
[["list of"]] #: list of/2
n = 24 #: list of/2/n
[later.first] #: later/first
x = 25 #: later/first/x
[later] #: later
y = 26 #: later/y
'''.replace("QUOTES", "'''")


def test_every_key_on_a_line_of_its_own_has_that_line(lines_of):
    document = lines_of(MARKED)
    marked = {}
    for number, line in enumerate(MARKED.split("\n"), start=1):
        if " #:" in line:
            path = line.split(" #:")[1].strip()
            marked[tuple(int(key) if key.isdigit() else key for key in path.split("/"))] = number
    assert len(marked) == 33
    assert {where: document.line(where) for where in marked} == marked
    assert document.line(("raw",)) == 1 + MARKED[: MARKED.index("raw =")].count("\n")


def test_every_key_of_the_data_has_a_line_and_no_other_key_has(lines_of):
    document = lines_of(MARKED)
    said = set(key_paths(document.data))
    # what stands in arrays and strings of a value has the value's line
    assert said == set(document.lines)


def test_a_place_without_a_line_has_the_line_of_what_is_around_it(lines_of):
    document = lines_of("\n[kinds.se]\n\nreduction = [\n  4,\n  8]\n")
    assert document.line(("kinds", "se", "reduction", 1)) == 4
    assert document.line(("kinds", "se", "missing")) == 2
    assert document.line(("kinds",)) == 2
    assert document.line(("nothing", "of", "it")) == 1
    assert document.line(()) == 1


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_both_ends_of_line_count_the_same(tmp_path, newline):
    path = tmp_path / "some.toml"
    path.write_bytes(newline.join(["a = 1", "s = '''", "b = 2\u2028\x85", "'''", "c = 3", ""]).encode())
    assert dict(read_document(path).lines) == {("a",): 1, ("s",): 2, ("c",): 5}


KEYS = st.text("ab .=[]#\"'", max_size=4)
SCALARS = st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.text("x=[]\n\"'# ", max_size=12)


def spelt(value):
    """A TOML value over as many lines as it can have."""
    if isinstance(value, list):
        return f"[\n{''.join(f'{spelt(inner)},' + chr(10) for inner in value)}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"""\n{escaped}"""'
    return str(value).lower()


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, SCALARS | st.lists(SCALARS, max_size=3), max_size=4), max_size=4))
def test_whatever_a_file_says_its_keys_are_found_where_they_were_written(tmp_path_factory, tables):
    text, expected = "", {}
    for table, entries in tables.items():
        expected[(table,)] = text.count("\n") + 1
        text += f'["{quoted(table)}"] # x = 1\n'
        for key, value in entries.items():
            expected[(table, key)] = text.count("\n") + 1
            text += f'"{quoted(key)}" = {spelt(value)} # [y]\n'
    path = tmp_path_factory.getbasetemp() / "written.toml"
    path.write_text(text, encoding="utf-8")
    document = read_document(path)
    assert document.data == tables
    assert document.lines == expected


def quoted(key):
    return key.replace("\\", "\\\\").replace('"', '\\"')


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a = 1\nb = = 2\n", "line 2"),
        (b"a = 1\n[t\n", "line 2"),
        (b"a = 1\na = 2\n", "line 2"),
        (b"a = [1,\n2\n", "end of document"),
        (b"a = nothing\n", "line 1"),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(tmp_path, content, told):
    path = tmp_path / "some.toml"
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_document(path)
    assert str(refused.value).startswith(f"{path}: not a TOML file: ")
    assert told in str(refused.value)


@pytest.mark.parametrize("content", [b"a = '\xff'\n", "a = 1".encode("utf-16")])
def test_what_is_not_utf_8_is_told(tmp_path, content):
    path = tmp_path / "some.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read as text.*utf-8"):
        read_document(path)


def test_a_missing_file_is_told_with_its_neighbours(tmp_path):
    with pytest.raises(InputError) as told:
        read_document(tmp_path / "resnet.toml")
    assert str(told.value) == f"{tmp_path / 'resnet.toml'}: there is no such file"
    for name in ("b.toml", "a.toml", "c.txt"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"there is no such file; beside it stand a\.toml, b\.toml$"):
        read_document(tmp_path / "resnet.toml")
    with pytest.raises(InputError, match="there is no such file, and no folder"):
        read_document(tmp_path / "nowhere" / "resnet.toml")
    with pytest.raises(InputError, match="cannot be read as text"):
        read_document(tmp_path)
