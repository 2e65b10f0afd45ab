"""All that would end or spoil a search is found before it, in one run, each thing with its cure."""

import re
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bad_studies import LOADERS, NETWORK, SPACE, STUDY, draw, draw_parts
from torch import nn

import nas_attn
from nas_attn import cli
from nas_attn.chain import Watch
from nas_attn.export.leaving import Leaving
from nas_attn.preflight import Finding
from nas_attn.space import InputError

DIGITS = 'kind = "digits"'


@pytest.fixture
def make_bad(make_study, tmp_path, monkeypatch):
    """Writes a study whose network, kinds and loaders are of a module of its own."""
    name = f"bad_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(NETWORK)
    (tmp_path / f"{name}_data.py").write_text(LOADERS)
    monkeypatch.syspath_prepend(tmp_path)

    def make(data=DIGITS, make="tied", kinds=("se",), more="", recipe="batch_size = 8", folder="study"):
        tables = "".join(f'[kinds."{name}:{kind}"]\n' if kind[0].isupper() else f"[kinds.{kind}]\n" for kind in kinds)
        space = SPACE.format(name=name, make=make, kinds=tables, more=more)
        return make_study(STUDY.format(data=data.format(data=f"{name}_data"), recipe=recipe), space, folder)

    return make


@pytest.fixture
def findings():
    """What a check finds, as `state what: text; cure`."""
    return lambda folder: [f"{one.state} {one}" for one in nas_attn.open_study(folder).check().findings]


def lines_with(found, *starts):
    return [[line for line in found if line.startswith(start)] for start in starts]


def test_a_study_that_is_bad_in_every_way_is_known_in_one_run(make_bad, tmp_path, forked_proofs, findings):
    draw_parts(tmp_path / "photos")
    data = f'kind = "folder"\npath = "{tmp_path}/photos"\nchannels = 1'
    folder = make_bad(data, kinds=("Ends", "Unpriced"), more=", auxiliary_weight = 0.4")
    found = findings(folder)
    tied, scores, batches, copies, in_place, prices = lines_with(
        found,
        "coped with tied weights: one.shared.weight is two.shared.weight",
        "coped with auxiliary scores: in training it gives auxiliary scores, and each counts 0.4",
        "coped with batches: with batch_size = 8 the last batch of an epoch has one image",
        "warning copies: 1 image is in more than one part: train and test; remove the copies",
        "coped with in place: what follows an attention writes in place on what it gives, after one.norm, two.norm",
        "fault prices: ",
    )
    assert list(map(len, (tied, scores, batches, copies, in_place))) == [1] * 5, found
    assert len(prices) == 1
    assert "special_i1" in prices[0]
    assert prices[0].endswith("or leave it out there, by slots or position")
    assert not (folder / "checked.json").exists()


def test_what_the_package_copes_with_is_no_fault(make_bad, monkeypatch, findings):
    monkeypatch.setattr("nas_attn.preflight.run.leaving", lambda *_: [])
    found = findings(make_bad(kinds=("Ends",), more=", auxiliary_weight = 0.4"))
    assert not [line for line in found if line.startswith(("fault", "warning"))]
    (in_place,) = [line for line in found if line.startswith("coped with in place: ")]
    assert "after one.norm, two.norm" in in_place


def test_one_run_over_one_study_finds_eight_faults_each_with_its_cure(make_bad, monkeypatch, forked_proofs, findings):
    """A loader for once, so that labels are beyond the classes; and a network that needs what its process has."""
    monkeypatch.setattr("builtins.only_here", nn.Conv2d, raising=False)
    module = 'kind = "module"\nmodule = "{data}:Module"\narguments = {{first = 1}}'
    folder = make_bad(module, make="here", kinds=("Ends", "Unpriced"), more=", auxiliary_weight = 0.4", recipe="")
    found = findings(folder)
    cures = {
        "coped with auxiliary scores: in training it gives auxiliary scores, and each counts 0.4": "",
        "coped with in place: what follows an attention writes in place on what it gives": "a copy is handed on",
        "coped with tied weights: one.shared.weight is two.shared.weight": "they count once",
        "fault labels of the train loader: Module: found labels from": "give each label a class, num_classes = 3",
        "coped with batches: a batch of the train loader has one image": "learns from it",
        "fault prices: ": "or leave it out there, by slots or position",
        "warning export: model.py is not there: ": "only_here",
        "warning copies: 33 images are in more than one part: train and validation": "remove the copies",
    }
    for start, cure in cures.items():
        lines = [line for line in found if line.startswith(start)]
        assert len(lines) == 1, (start, found)
        assert cure in lines[0]


def test_labels_beyond_the_classes_a_single_image_and_a_network_that_gives_two_scores(make_bad, findings):
    module = 'kind = "module"\nmodule = "{data}:Module"\narguments = {{first = 1}}'
    found = findings(make_bad(module, recipe=""))
    labels, space, networks = lines_with(found, "fault labels of the", "fault space: ", "warning networks: not tried")
    assert [line.partition("labels from")[0] for line in labels] == [
        f"fault labels of the {part} loader: Module: found " for part in ("train", "validation")
    ]
    assert all("allowed: from 0 to 2; give each label a class" in line for line in labels)
    assert len(space) == 1
    assert "auxiliary_weight = 0.4" in space[0]
    assert len(networks) == 1


def test_one_image_in_the_last_batch_of_a_loader_that_cannot_be_normalised(make_bad, monkeypatch, findings):
    monkeypatch.setattr("nas_attn.preflight.run.leaving", lambda *_: [])
    module = 'kind = "module"\nmodule = "{data}:Module"\narguments = {{count = %d}}'
    found = findings(make_bad(module % 33, make="deep", recipe=""))
    one, without = lines_with(found, "fault batches: ", "warning candidates: not tried")
    assert list(map(len, (one, without))) == [1, 1]
    assert "Expected more than 1 value per channel" in one[0]
    assert one[0].endswith("let the train loader leave it out: drop_last=True")
    found = findings(make_bad(module % 34, make="deep", recipe="", folder="even"))
    assert not lines_with(found, "fault")[0]


NAN = 'kind = "module"\nmodule = "{data}:Module"\narguments = {{spoilt = true}}'
SMALLER = """batch_size = 8
[[chain]]
proxy = "scratch"
resolution = 0.5
[[chain]]
proxy = "final"
"""
CASES = {
    "numbers that are not finite": ({"data": NAN, "recipe": ""}, r"fault labels of the train loader: .*not finite"),
    "a kind that is too wide for some slots": (
        {"kinds": ("Narrow",)},
        r"fault space: .*Narrow: cannot stand at stage1: fails with a map of .*mat1 and mat2 shapes",
    ),
    "a kind that fails while it learns": (
        {"kinds": ("Moody", "se")},
        r"fault space: .*Moody: cannot stand at stage1: fails .* in training mode: TypeError: not today",
    ),
    "a kind that fills the memory": (
        {"kinds": ("Greedy",)},
        r"warning candidates: stage1.block0-1.branch=.*Greedy: out of memory: .*a smaller batch_size needs less memory",
    ),
    "a kind whose numbers no file holds": (
        {"kinds": ("Wide",)},
        r"warning candidates: stage1.block0-1.branch=.*Wide: ValueError: .*found torch.complex128",
    ),
    "a step whose images are too small": (
        {"make": "pooled", "recipe": SMALLER},
        r"fault plain backbone: in the step 'scratch': RuntimeError: .*Output size is too small",
    ),
}


@pytest.mark.parametrize(("study", "line"), CASES.values(), ids=CASES)
def test_what_else_people_bring_is_found_with_where_it_is(make_bad, monkeypatch, findings, study, line):
    monkeypatch.setattr("nas_attn.preflight.run.leaving", lambda *_: [])
    found = findings(make_bad(**{"more": ", auxiliary_weight = 0.4" * ("make" not in study), **study}))
    assert [one for one in found if re.match(line, one)], "\n".join(one for one in found if not one.startswith("ok"))


def test_every_image_that_cannot_be_read_is_named(make_bad, tmp_path, findings):
    draw_parts(tmp_path / "photos")
    cut, whole = tmp_path / "photos/train/a/5.png", tmp_path / "photos/train/b/7.png"
    cut.write_bytes(whole.read_bytes()[:-60])
    (tmp_path / "photos/val/b/1.png").write_text("<html>not found</html>")
    draw(tmp_path / "photos/test/b/2.png", 0, size=17)
    found = findings(make_bad(f'kind = "folder"\npath = "{tmp_path}/photos"\nchannels = 1', kinds=("Narrow",)))
    for name, reason in (("a/5.png", "truncated"), ("b/1.png", "cannot identify"), ("b/2.png", "17 x 17 pixels")):
        (line,) = [one for one in found if one.startswith("fault images: ") and name in one]
        assert reason in line
    assert [one for one in found if one.startswith("fault space: ")]


def test_every_row_of_parquet_that_cannot_be_read_is_named(make_bad, tmp_path, findings):
    draw(tmp_path / "one.png", 0)
    whole = (tmp_path / "one.png").read_bytes()
    images = [whole, b"no image", whole, whole[:-60], *[whole] * 20]
    table = pa.table({"image": [{"bytes": one} for one in images], "label": [number % 2 for number in range(24)]})
    pq.write_table(table, tmp_path / "images.parquet")
    found = findings(make_bad(f'kind = "parquet"\npath = "{tmp_path}/images.parquet"'))
    assert [f"row {row}" for row in range(24) if [one for one in found if f"row {row}: " in one]] == ["row 1", "row 3"]


def test_an_image_with_two_labels_is_found(make_bad, tmp_path, monkeypatch, findings):
    monkeypatch.setattr("nas_attn.preflight.run.leaving", lambda *_: [])
    draw_parts(tmp_path / "photos")
    (tmp_path / "photos/train/b/0.png").write_bytes((tmp_path / "photos/train/a/0.png").read_bytes())
    found = findings(make_bad(f'kind = "folder"\npath = "{tmp_path}/photos"', more=", auxiliary_weight = 0.4"))
    assert "warning copies: 1 image is there with more than one label; remove the wrong one" in found


def test_a_source_that_stays_behind_is_a_warning_for_weights_and_program_leave(make_study, monkeypatch, findings):
    how = Leaving("").without_source("nets: its source is nowhere")
    monkeypatch.setattr("nas_attn.preflight.leaving.export_leaving", lambda *_, **__: how)
    monkeypatch.setattr("nas_attn.preflight.leaving.export", lambda winner, out: ["model.pt2 is not there"])
    assert [one for one in findings(make_study()) if " export: " in one] == [
        "warning export: a network leaves as: weights and model.pt2 only: nets: its source is nowhere; "
        "to have its source too, mend that first",
        "warning export: model.pt2 is not there",
        "ok export: a network leaves as: weights and model.pt2 only: nets: its source is nowhere; "
        "a fresh process without nas_attn has its outputs",
    ]


def test_a_check_is_remembered_until_something_of_the_study_changes(make_bad, monkeypatch, tmp_path):
    checks = []
    monkeypatch.setattr("nas_attn.preflight.run.leaving", lambda *_: checks.append(1) or [])
    monkeypatch.setattr("nas_attn.launch.study.run_chain", lambda chain, trials: "done")
    folder = make_bad(kinds=("se", "Ends"), more=", auxiliary_weight = 0.4")

    def said():
        lines = []
        nas_attn.open_study(folder).run(check=True, watch=Watch(on_checked=lines.append))
        return lines

    first = said()
    assert first[-1] == "checked: no fault"
    assert [line.partition(":")[0] for line in first[:-1]] == ["coped with"] * (len(first) - 1) != []
    assert said() == ["checked before, and unchanged: no fault"]
    assert len(checks) == 1
    nas_attn.open_study(folder).run()
    assert len(checks) == 1
    (own,) = tmp_path.glob("bad_*[0-9].py")
    own.write_text(f"{own.read_text()}\n# changed\n")
    assert said()[-1] == "checked: no fault"
    (folder / "space.toml").write_text(
        (folder / "space.toml").read_text() + "reduction = 4\n".join(["[kinds.cbam]\n", ""])
    )
    assert said()[-1] == "checked: no fault"
    (folder / "checked.json").write_text("{}")
    assert said()[-1] == "checked: no fault"
    assert len(checks) == 4
    nas_attn.open_study(folder).check()
    assert len(checks) == 5


def test_a_search_with_faults_trains_nothing_and_says_all_of_them(make_bad, monkeypatch, tmp_path):
    monkeypatch.setattr("nas_attn.preflight.run.leaving", lambda *_: [])
    folder = make_bad(kinds=("Unpriced",), more=", auxiliary_weight = 0.4")
    with pytest.raises(InputError, match=r"(?s)prices: .*Unpriced.*--no-check"):
        nas_attn.open_study(folder).run(check=True)
    assert not (folder / "weights").exists()
    assert not list(folder.glob("*.db"))


@pytest.mark.parametrize("fault", [True, False])
def test_the_command_ends_with_2_where_there_is_a_fault(make_study, monkeypatch, capsys, fault):
    monkeypatch.setattr(
        "nas_attn.preflight.run.leaving",
        lambda *_: [Finding("export", "fault" if fault else "ok", "said", "mend it")],
    )
    folder = make_study()
    monkeypatch.setattr(sys, "argv", ["nas-attn", "check", str(folder)])
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == (2 if fault else 0)
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == f"{folder}: checked: {'1 fault' if fault else 'no fault'}"
    assert printed[-2].split() == [*("fault" if fault else "ok").split(), "export:", "said;", "mend", "it"]
    whats = [line.split(":")[0].split()[-1] for line in printed[1:-1]]
    assert whats == [
        "trainer",
        "rows",
        "labels",
        "copies",
        "prices",
        "recipe",
        "backbone",
        "candidates",
        "weights",
        "latency",
        "export",
    ]


def test_rows_of_another_question_and_a_damaged_database_are_found_before_anything_trains(
    make_study, monkeypatch, findings
):
    monkeypatch.setattr("nas_attn.preflight.run.leaving", lambda *_: [])
    folder = make_study()
    nas_attn.open_study(folder).run(trials=1)
    assert "ok rows: 1 of earlier runs answer the same question" in findings(folder)
    text = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(text.replace("epochs = 1", "epochs = 2"))
    (fault,) = [one for one in findings(folder) if one.startswith("fault rows: ")]
    assert "do not mix: recipe.epochs: was 1, is 2; Undo the change" in fault
    (folder / "study.toml").write_text(text.replace("calls = 50", 'device = "cuda:99"'))
    found = findings(folder)
    assert [one for one in found if one.startswith("fault latency: latency.device: found 'cuda:99'")]
    assert [one for one in found if one.startswith("ok copies: ")]
    (folder / "study.toml").write_text(text)
    (folder / "study.db").write_text("not a database, " * 100)
    assert [one for one in findings(folder) if one.startswith("fault rows: ") and "file is not a database" in one]
