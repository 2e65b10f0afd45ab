"""Every slip of a user: one clear message, exit code 2, no traceback."""

import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_study import SPACE, STUDY

from nas_attn import cli


def run(monkeypatch, capsys, *arguments):
    """Exit code, what was printed, and what was said on the error stream."""
    monkeypatch.setattr(sys, "argv", ["nas-attn", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "200")
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def nas_attn(monkeypatch, capsys):
    return lambda *arguments: run(monkeypatch, capsys, *arguments)


def assert_refused(outcome, *texts):
    code, _, told = outcome
    assert code == 2, told
    assert "Traceback" not in told
    for text in texts:
        assert text in told, told


WRONG_SPACES = {
    "misspelt kind": (
        SPACE.replace("kinds.se]", "kinds.ser]"),
        "space.toml:5: kinds.ser: unknown name; did you mean 'se'?",
    ),
    "misspelt option": (SPACE.replace("reduction", "reductoin"), "space.toml:6: kinds.se.reductoin", "'reduction'"),
    "negative ratio": (SPACE.replace("[4, 8]", "-4"), "space.toml:6: kinds.se.reduction", "found -4", "at least 1"),
    "even kernel": (SPACE.replace("= 3", "= 4"), "kinds.spatial.kernel_size", "found 4", "an odd integer"),
    "unknown backbone": (
        SPACE.replace("resnet8", "resnet9"),
        "backbone: unknown backbone 'resnet9'; did you mean 'resnet",
    ),
    "unknown site": ('slots = ["stage4"]\n' + SPACE, "found 'stage4'", "stage1, stage2, stage3"),
    "unknown site of a kind": (SPACE + 'slots = ["stage1.block3"]', "kinds.spatial.slots", "found 'stage1.block3'"),
    "unknown position": (
        SPACE + 'position = "inside"',
        "kinds.spatial.position",
        "found 'inside'",
        "branch, inner, pre, identity, block",
    ),
    "empty space": (SPACE.split("[kinds")[0] + "[kinds]", "space.toml:5: kinds", "nothing to choose"),
    "no kinds": (SPACE.split("[kinds")[0], "kinds: is missing"),
    "not TOML": ("backbone = resnet8", "space.toml: not a TOML file", "line 1"),
}


@pytest.mark.parametrize("slip", WRONG_SPACES)
def test_a_wrong_space_file(nas_attn, make_study, slip):
    text, *told = WRONG_SPACES[slip]
    folder = make_study(space=text)
    assert_refused(nas_attn("space", folder / "space.toml"), *told)
    assert_refused(nas_attn("search", folder), *told)
    assert not (folder / "study.db").exists()


def test_all_faults_of_a_file_are_told_at_once_in_their_order(nas_attn, make_study):
    folder = make_study(space='per = "blok"\nbakbone = "resnet8"\n[kinds.se]\nreduction = 0\n[kinds.cbm]\n')
    code, _, told = nas_attn("space", folder / "space.toml")
    assert code == 2
    places = [line.removeprefix("error: ").removeprefix(str(folder)).split(" ")[0] for line in told.splitlines()]
    assert places == [
        "/space.toml:1:",
        "/space.toml:1:",
        "/space.toml:2:",
        "/space.toml:4:",
        "/space.toml:5:",
    ]


WRONG_STUDIES = {
    "misspelt key": (
        STUDY.replace("trials", "trails"),
        "study.toml:15: search.trails: unknown name; did you mean 'trials'?",
    ),
    "unknown objective": ('objectives = ["acuracy"]\n' + STUDY, "found 'acuracy'; did you mean 'accuracy'?"),
    "unknown sampler": (STUDY + 'sampler = "tpee"', "search.sampler: found 'tpee'; did you mean 'tpe'?"),
    "unknown data": (STUDY.replace('"digits"', '"mnist"'), "data.kind: found 'mnist'", "digits, folder, parquet"),
    "negative epochs": (STUDY.replace("epochs = 1", "epochs = -1"), "recipe.epochs: found -1"),
    "a text for a number": (STUDY.replace("= 128", '= "128"'), "recipe.batch_size: found '128'"),
    "space file missing": (STUDY.replace("space.toml", "spaec.toml"), "spaec.toml: there is no such file"),
    "missing data": (STUDY.replace('"digits"', '"folder"\npath = "photos"'), "photos"),
    "parts too large": (STUDY.replace('"digits"', '"digits"\nvalidation = 0.6\ntest = 0.4'), "validation", "test"),
    "budget that nothing meets": (STUDY + "[budget]\nmax_flops = 1000", "budget: nothing meets it", "> 1,000"),
    "a GPU that is not there": (STUDY.replace("calls = 50", 'device = "cuda:99"'), "latency.device", "cuda:99"),
    "storage that makes no sense": (STUDY + 'storage = "postgres"', "storage postgres: cannot be used"),
}


@pytest.mark.parametrize("slip", WRONG_STUDIES)
def test_a_wrong_study_file(nas_attn, make_study, slip):
    text, *told = WRONG_STUDIES[slip]
    assert_refused(nas_attn("search", "--no-check", make_study(study=text)), *told)


@pytest.mark.parametrize("command", ["search", "front", "report"])
def test_a_study_that_is_not_there(nas_attn, tmp_path, command):
    assert_refused(nas_attn(command, tmp_path / "nowhere"), "nowhere: there is no such folder")
    (tmp_path / "empty").mkdir()
    assert_refused(nas_attn(command, tmp_path / "empty"), "empty: has no study.toml")
    (tmp_path / "file").write_text("")
    assert_refused(nas_attn(command, tmp_path / "file"), "file: is a file")


def test_a_study_that_was_not_searched(nas_attn, make_study, tmp_path):
    folder = make_study()
    for arguments in (("front", folder), ("report", folder), ("export", folder, tmp_path / "out")):
        assert_refused(nas_attn(*arguments), "nothing was searched there yet", "nas-attn search")


def test_a_database_that_is_not_one(nas_attn, make_study):
    folder = make_study()
    (folder / "study.db").write_text("not a database, " * 100)
    for command in (("search", "--no-check"), ("front",)):
        assert_refused(nas_attn(*command, folder), "study.db", "file is not a database")


IMAGES = STUDY.replace('kind = "digits"', 'kind = "folder"\npath = "photos"')


def test_a_corrupt_image(nas_attn, make_study, make_images):
    folder = make_study(study=IMAGES)
    make_images(folder / "photos")
    (folder / "photos" / "dark" / "3.png").write_bytes(b"\x89PNG and then nothing")
    assert_refused(nas_attn("search", folder), "dark/3.png")


def test_one_class_only(nas_attn, make_study, make_images):
    folder = make_study(study=IMAGES)
    make_images(folder / "photos", classes=("dark",))
    assert_refused(nas_attn("search", folder), "photos", "dark", "class")


def test_images_of_different_sizes(nas_attn, make_study, make_images):
    folder = make_study(study=IMAGES)
    make_images(folder / "photos", classes=("dark",))
    make_images(folder / "photos", classes=("bright",), size=(9, 9))
    assert_refused(nas_attn("search", folder), "image_size")


def test_a_parquet_file_that_is_not_one(nas_attn, make_study):
    folder = make_study(study=STUDY.replace('"digits"', '"parquet"\npath = "images.parquet"'))
    (folder / "images.parquet").write_text("no columns here")
    assert_refused(nas_attn("search", folder), "images.parquet")


def test_a_parquet_file_without_images(nas_attn, make_study):
    folder = make_study(study=STUDY.replace('"digits"', '"parquet"\npath = "images.parquet"'))
    pq.write_table(pa.table({"labels": [0, 1], "text": ["a", "b"]}), folder / "images.parquet")
    assert_refused(nas_attn("search", folder), "images.parquet", "labels")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("serch", "x"), "search"),
        (("search",), "STUDY"),
        (("search", "x", "--trails", "3"), "--trials"),
        (("search", "x", "--trials", "0"), "--trials"),
        (("search", "x", "--trials", "many"), "--trials"),
        (("export", "x"), "OUT"),
    ],
)
def test_a_wrong_command(nas_attn, arguments, told):
    assert_refused(nas_attn(*arguments), told)


def test_a_table_that_cannot_be_written_is_told(nas_attn, make_study):
    folder = make_study()
    assert nas_attn("search", "--no-check", folder)[0] == 0
    (folder / "file").touch()
    assert_refused(
        nas_attn("front", folder, "--csv", folder / "file" / "rows.csv"), "cannot be written: Not a directory"
    )


def test_an_interrupt_before_a_command_has_begun_is_a_line(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("typer.main.get_group", interrupted)
    monkeypatch.setattr(sys, "argv", ["nas-attn", "kinds"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "Interrupted\n"
