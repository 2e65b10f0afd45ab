"""What `nas-attn kinds` shows."""

import inspect
import re
import subprocess
import sys

import pytest
from test_attention_own import GOOD
from test_attention_params import FORMULAS

from nas_attn.attention import ATTENTIONS, allowed_positions, details
from nas_attn.cli import main


def shown(monkeypatch, capsys, *arguments):
    """The lines that the command prints where its output is no terminal."""
    monkeypatch.setattr(sys, "argv", ["nas-attn", "kinds", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    return ended.value.code, printed.out.splitlines(), printed.err


@pytest.fixture
def listed(monkeypatch, capsys):
    """The cells of each kind in the tables of kinds and of papers, put together again."""
    code, lines, _ = shown(monkeypatch, capsys)
    assert code == 0
    assert max(map(len, lines)) <= 120
    cells = {}
    kinds, _, papers = "\n".join(lines).split("\n\n")
    for table in (kinds, papers):
        head, *rows = table.splitlines()
        titles = re.split(r"  +", head)
        starts = [head.index(title) for title in titles]
        for row in rows:
            if row[0] != " ":
                kind = row.split()[0]
            for title, start, end in zip(titles, starts, [*starts[1:], None], strict=True):
                before = cells.setdefault(kind, {}).get(title, "")
                cells[kind][title] = f"{before} {row[start:end].strip()}".strip()
    return cells


def test_every_kind_is_listed_with_all_that_is_known_of_it(listed):
    assert list(listed) == list(ATTENTIONS)
    for kind, attention in ATTENTIONS.items():
        assert listed[kind]["link"] in inspect.getdoc(inspect.getmodule(attention))
        title = listed[kind]["paper"].rpartition(" (")[0]
        assert f'"{title}", ' in inspect.getdoc(inspect.getmodule(attention))
        assert f"Parameters: {listed[kind]['parameters']}." in " ".join(inspect.getdoc(attention).split())
        assert inspect.getdoc(attention).startswith(listed[kind]["what it does"].split()[0])
        assert listed[kind]["what it does"] in " ".join(inspect.getdoc(attention).split())


def test_every_option_of_every_kind_is_listed_with_its_default_and_its_meaning(monkeypatch, capsys):
    _, lines, _ = shown(monkeypatch, capsys)
    head, *rows = "\n".join(lines).split("\n\n")[1].splitlines()
    starts = [head.index(title) for title in ("kind", "option", "default", "meaning")]
    told = [
        [row[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]
        for row in rows
        if row[0] != " "
    ]
    assert [(kind, option, default) for kind, option, default, _ in told] == [
        (kind, name, "by the channels" if one.default is None else str(one.default).lower())
        for kind, attention in ATTENTIONS.items()
        for name, one in inspect.signature(attention).parameters.items()
        if "channels" not in name
    ]
    assert all(meaning for *_, meaning in told)


def test_the_list_of_kinds_needs_no_torch():
    code = "from nas_attn.attention.catalogue import listing; print(len(list(listing()[0][1])), 'torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", f"import sys; {code}"], check=True, capture_output=True, text=True)
    number, with_torch = ended.stdout.split()
    assert int(number) >= len(ATTENTIONS)
    assert with_torch == "False"


def test_positions_are_listed_with_the_papers_first(listed):
    assert {kind: known["positions"] for kind, known in listed.items()} == {
        **dict.fromkeys(
            (
                *("se", "cbam", "spatial", "eca", "global_context", "triplet", "ese"),
                "multi_scale",
                "shuffle",
                "gather_excite",
                "efficient_local",
            ),
            "branch, any other",
        ),
        **dict.fromkeys(("coordinate", "simam", "strip", "selective_kernel"), "inner, any other"),
        **dict.fromkeys(("non_local", "efficient"), "block, stage, branch"),
        "gate": "branch, inner, block",
        "scse": "block, any other",
        "bam": "stage, block",
    }


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_the_details_of_a_kind_count_its_parameters(kind):
    said = dict(details(ATTENTIONS[kind]))
    assert said["positions"] == ", ".join(allowed_positions(ATTENTIONS[kind]))
    for channels in (16, 64, 256):
        assert said[f"parameters at {channels} channels"] == f"{FORMULAS[kind](channels):,}"


def test_the_price_of_somebody_elses_class_is_asked(monkeypatch, capsys, tmp_path):
    unpriced = "return torch.linalg.qr(features)[0] + features *"
    (tmp_path / "own_priced.py").write_text(GOOD.replace("return features *", unpriced))
    monkeypatch.syspath_prepend(tmp_path)
    code, _, told = shown(monkeypatch, capsys, "own_priced:Mine")
    assert code == 2
    assert "no rule says what aten::linalg_qr costs; give the attention a method macs(self, shape)" in told
    method = "    def macs(self, shape):\n        return 7 * shape[0]\n"
    (tmp_path / "own_saying.py").write_text((tmp_path / "own_priced.py").read_text() + "\n" + method)
    code, lines, _ = shown(monkeypatch, capsys, "own_saying:Mine")
    assert code == 0
    assert [line.split()[-1] for line in lines if line.startswith(("MACs", "FLOPs"))] == ["112", "224"]


def test_an_attention_of_ones_own_is_shown_once_it_is_checked(monkeypatch, capsys, tmp_path):
    (tmp_path / "own_shown.py").write_text(GOOD)
    monkeypatch.syspath_prepend(tmp_path)
    code, lines, _ = shown(monkeypatch, capsys, "own_shown:Mine")
    assert code == 0
    assert dict(line.split("  ", 1) for line in lines if "parameters" not in line and " of 16 x" not in line) == {
        "kind": " " * 22 + "own_shown:Mine",
        "positions": " " * 17 + "branch, inner, pre, identity, block, stage",
        "options": " " * 19 + "reduction=4, bias=true, mode=mean, limit",
    }
    # 2Cm + m + C with m = C / 4
    assert [line.split()[-1] for line in lines if "parameters" in line] == ["148", "2,128", "33,088"]


def test_a_fault_of_ones_own_is_shown_without_a_traceback(monkeypatch, capsys, tmp_path):
    (tmp_path / "own_faulty.py").write_text(GOOD.replace("return features *", "return features[:, :, 1:] *"))
    monkeypatch.syspath_prepend(tmp_path)
    for kind, fault in (
        ("own_faulty:Mine", "own_faulty:Mine: gives (2, 16, 5, 5) with a map of (2, 16, 6, 5)"),
        ("own_faulty:Yours", "own_faulty:Yours: own_faulty has no 'Yours'"),
        ("sse", "unknown kind 'sse'; "),
    ):
        code, lines, told = shown(monkeypatch, capsys, kind)
        assert (code, lines) == (2, [])
        assert told.startswith(f"error: {fault}")
        assert "Traceback" not in told
