"""An exported folder reads image files as the study did: in processes that know nothing of this package."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from processes import export_to_onnx
from small_study import SPACE, STUDY
from versions import needs_onnx

import nas_attn
from nas_attn.data import load_data
from nas_attn.data.pixels import decode
from nas_attn.export.reading import reading
from nas_attn.settings import DataModule, Digits, ImageFacts
from nas_attn.space import InputError
from nas_attn.training.metrics import Normalise

CLASSES = ("daisy", "rose", "fern leaf")
SIZE = 12


def photo(rng, label):
    """Pixels of a photograph of 20 x 15: noise around a colour that hints at its class."""
    colour = np.full(3, 90)
    colour[label] += 40
    return (rng.normal(0, 60, (15, 20, 3)) + colour).clip(0, 255).astype("uint8")


def save(pixels, path, how):
    """Write pixels as a file of one of the forms that photographs come in."""
    image = Image.fromarray(pixels)
    if how == "turned":
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        image.save(path.with_suffix(".jpg"), exif=exif)
    elif how == "transparent":
        image.putalpha(Image.fromarray(pixels[..., 0]))
        image.save(path.with_suffix(".png"))
    elif how == "animated":
        image.save(path.with_suffix(".gif"), save_all=True, append_images=[image.rotate(90)])
    elif how == "CMYK":
        image.convert("CMYK").save(path.with_suffix(".jpg"))
    else:
        image.convert(how).save(path.with_suffix(".png"))


HOW = ("RGB", "turned", "L", "P", "transparent", "1", "LA", "CMYK", "animated")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of photographs in many forms, one network of which is trained; no test may change it."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(45):
            save(photo(rng, label), folder / "photos" / name / f"{number}", HOW[number % len(HOW)])
    text = STUDY.replace('kind = "digits"', f'kind = "folder"\npath = "photos"\nimage_size = {SIZE}\nvalidation = 0.4')
    text = text.replace("epochs = 1", "epochs = 4\nlearning_rate = 0.05").replace("trials = 3", "trials = 1")
    (folder / "study.toml").write_text(text.replace("batch_size = 128", "batch_size = 16"))
    (folder / "space.toml").write_text(SPACE.replace("[1, 8, 8]", f"[3, {SIZE}, {SIZE}]"))
    study = nas_attn.open_study(folder)
    study.run()
    return study


@pytest.fixture(scope="module")
def exported(study, tmp_path_factory):
    """Its network, and the notes about it."""
    out = tmp_path_factory.mktemp("exported") / "out"
    with pytest.MonkeyPatch.context() as patch:
        export_to_onnx(patch)
        row, notes = study.export(out)
    return out, row, notes


def predicted(folder, *arguments, hide=("nas_attn",), text=True, **settings):
    """`predict.py` as a program, in a process that cannot import what is hidden."""
    code = (
        "import runpy, sys\nfor name in sys.argv.pop().split(): sys.modules[name] = None\n"
        "sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", code, folder / "predict.py", *arguments, " ".join(hide)]
    return subprocess.run(command, capture_output=True, text=text, check=False, **settings)


def validation_files(study):
    """The files of the validation part: those whose pixels, as the study decodes them, are there."""
    data = load_data(study.folder.file.data, study.folder.path)
    there = {image.numpy().tobytes() for image in data.validation.images}
    files = sorted((study.folder.path / "photos").rglob("*.*"))
    found = [file for file in files if decode([(str(file), file)], 1, 3, SIZE).tobytes() in there]
    assert len(found) == len(data.validation)
    return found


def test_its_accuracy_over_the_validation_files_is_that_of_the_card_to_the_last_image(study, exported):
    out, row, _ = exported
    files = validation_files(study)
    said = predicted(out, "--json", *files)
    assert (said.returncode, said.stderr) == (0, "")
    found = [json.loads(line) for line in said.stdout.splitlines()]
    assert [Path(one["image"]) for one in found] == files
    right = sum(next(iter(one["classes"])) == Path(one["image"]).parent.name for one in found)
    assert 0.4 < row["accuracy"] < 0.95  # else this would tell nothing
    assert right == pytest.approx(row["accuracy"] * len(files), abs=1e-4)  # the row's is a mean in float32
    assert f"{100 * right / len(files):.2f} %" in (out / "README.md").read_text()
    assert all(sum(one["classes"].values()) == pytest.approx(1) for one in found)


def test_every_file_becomes_the_numbers_that_the_network_was_judged_by(study, exported):
    predict = module(exported[0] / "predict.py")
    predictor = predict.Predictor(exported[0])
    data = load_data(study.folder.file.data, study.folder.path)
    normalise, remarks = Normalise(data), set()
    for file in sorted((study.folder.path / "photos").rglob("*.*")):
        found, done = predictor.inputs(file)
        expected = normalise(torch.from_numpy(decode([(str(file), file)], 1, 3, SIZE)))
        assert np.array_equal(found, expected.numpy()), file
        remarks.update(done)
    assert remarks == {
        "turned as the EXIF orientation says",
        'transparent pixels are laid on background = "white"',
        "of several frames or pages the first counts",
    }


def module(file):
    """A file of Python as a module of its own."""
    spec = importlib.util.spec_from_file_location("exported_predict", file)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_what_cannot_be_read_is_said_in_a_line_and_the_rest_is_answered(exported, tmp_path):
    good = tmp_path / "new\nline.png"
    Image.new("RGB", (20, 15), "red").save(good)
    (tmp_path / "notes.png").write_text("no image")
    (tmp_path / "empty").mkdir()
    Image.fromarray(np.full((9, 9), 2.5, "float32")).save(tmp_path / "float.tif")
    said = predicted(exported[0], tmp_path / "gone.jpg", tmp_path / "empty", tmp_path)
    assert said.returncode == 1
    errors, lines = said.stderr.splitlines(), said.stdout.splitlines()
    assert [line.replace(f"{tmp_path}/", "") for line in errors] == [
        "error: gone.jpg: there is no such file",
        "error: empty: holds no image",
        "error: float.tif: has pixels of mode F, 2.5 to 2.5; save it with 8 bits",
        "error: notes.png: cannot identify image file 'notes.png'",
    ]
    (line,) = lines
    assert line.startswith(f"{tmp_path}/new\\nline.png: ")
    assert line.count("%") == 3


def test_sixteen_bits_standard_input_and_the_number_of_classes(exported, tmp_path):
    deep = np.arange(400, dtype="uint16").reshape(20, 20) * 150
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    Image.fromarray(deep).save(tmp_path / "deep.png", exif=exif)
    Image.fromarray((deep >> 8).astype("uint8")[::-1, ::-1]).save(tmp_path / "flat.png")
    predictor = module(exported[0] / "predict.py").Predictor(exported[0])
    found, flat = (predictor(tmp_path / name) for name in ("deep.png", "flat.png"))
    assert found["classes"] == flat["classes"]
    assert found["remarks"] == [
        "of 16 bits a channel the upper 8 count, and training has seen none but 8",
        "turned as the EXIF orientation says",
    ]
    piped = predicted(exported[0], "-", "--top", "1", input=(tmp_path / "flat.png").read_bytes(), text=False)
    name, share = next(iter(flat["classes"].items()))
    assert piped.stdout.decode() == f"-: {name} {100 * share:.2f} %\n"


def test_without_what_runs_the_network_a_line_says_what_is_missing(exported):
    said = predicted(exported[0], "a.jpg", hide=("torch", "onnxruntime"))
    assert said.returncode == 2
    (line,) = said.stderr.splitlines()
    assert "the network cannot run here: model.py needs torch, which is not installed; model.pt2 needs torch" in line
    assert "model.onnx " in line


TASKS = {
    "multilabel": (
        [[2.0, -1.0, 0.5]],
        {"labels": {"a": 0.880797, "c": 0.622459, "b": 0.268941}},
        "a, c (a 88.08 %, c 62",
    ),
    "regression": ([[1.0, 0.0, -1.0]], {"values": {"a": 12.0, "b": 20.0, "c": 28.0}}, "a 12, b 20, c 28"),
    "segmentation": (
        [[[[1.0, 0.0]], [[0.0, 0.0]], [[0.0, 1.0]]]],
        {"areas": {"a": 0.5, "c": 0.5, "b": 0.0}},
        "a 50.00 %, c 50.00 %",
    ),
}


@pytest.mark.parametrize("task", TASKS)
def test_what_is_found_is_said_in_the_terms_of_the_task(task, tmp_path, capsys):
    scores, expected, line = TASKS[task]
    targets = ((10.0, 20.0, 30.0), (2.0, 2.0, 2.0)) if task == "regression" else ((), ())
    facts = ImageFacts(1, 4, 6, ("a", "b", "c"), (0.5,), (0.25,), task, *targets)
    for name, content in reading(Digits(), facts).files(2).items():
        (tmp_path / name).write_bytes(content)
    text = f"import torch\nload = lambda: lambda images: {{'out': torch.tensor({scores} * len(images))}}"
    (tmp_path / "model.py").write_text(text)
    Image.new("L", (5, 4), 128).save(tmp_path / "one.png")
    predict = module(tmp_path / "predict.py")
    predictor = predict.Predictor(tmp_path)
    found = predictor(tmp_path / "one.png")
    assert found.pop("remarks") == ["5 x 4 pixels became 6 x 4, the size of all in training"]
    ((kind, numbers),) = found.items()
    assert numbers == pytest.approx(expected[kind], abs=1e-6)
    assert [*numbers] == [*expected[kind]]
    assert predictor.inputs(tmp_path / "one.png")[0] == pytest.approx((128 / 255 - 0.5) / 0.25, abs=1e-6)
    assert predict.main([str(tmp_path / "one.png")]) == 0
    assert f"one.png: {line}" in capsys.readouterr().out


def test_images_that_a_users_own_code_prepares_are_said_not_to_be_read():
    found = reading(DataModule(module="mine.data:Module"), ImageFacts(3, 8, 8, ("a", "b"), (), ()))
    assert found.files(1) == {}
    assert found.reason == "images are prepared by mine.data:Module, which does not go along"


@needs_onnx
def test_the_onnx_program_reaches_the_accuracy_of_the_card_without_torch(study, exported):
    out, row, _ = exported
    files = validation_files(study)
    said = predicted(out, "--json", *files, hide=("torch", "nas_attn"))
    assert (said.returncode, said.stderr) == (0, "")
    found = [json.loads(line) for line in said.stdout.splitlines()]
    right = sum(next(iter(one["classes"])) == Path(one["image"]).parent.name for one in found)
    assert right == pytest.approx(row["accuracy"] * len(files), abs=1e-4)  # the row's is a mean in float32


@needs_onnx
def test_the_onnx_program_takes_any_batch_and_size_and_knows_no_path_of_this_machine(exported):
    out, _, _ = exported
    network = nas_attn.load_export(out)
    session = importlib.import_module("onnxruntime").InferenceSession(out / "model.onnx")
    for shape in ((1, 3, 12, 12), (4, 3, 12, 12), (2, 3, 19, 30)):
        images = torch.randn(shape)
        with torch.inference_mode():
            expected = network(images).numpy()
        (given,) = session.run(["scores"], {"images": images.numpy()})
        assert given == pytest.approx(expected, abs=1e-4 * float(np.abs(expected).max()))
    for name in ("model.onnx", "model.pt2"):
        assert str(Path(nas_attn.__file__).parent).encode() not in (out / name).read_bytes()


def test_the_program_is_formatted_and_linted(exported):
    ruff, program = [sys.executable, "-m", "ruff", "--quiet"], exported[0] / "predict.py"
    subprocess.run([*ruff, "format", "--check", "--isolated", "--line-length", "120", program], check=True)
    rules = ["--isolated", "--line-length", "120", "--select", "E,F,I,B,UP"]
    subprocess.run([*ruff, "check", *rules, program], check=True)


def test_the_cards_metadata_are_those_of_hugging_face(exported):
    card = pytest.importorskip("huggingface_hub").ModelCard.load(exported[0] / "README.md")
    assert card.data.to_dict() == {
        "library_name": "pytorch",
        "pipeline_tag": "image-classification",
        "tags": ["nas-attn", "attention"],
    }
    assert card.text.startswith("\n# resnet8 with none")


def test_the_card_says_how_fast_each_form_is_and_which_is_not_there(exported):
    out, _, notes = exported
    card, config = (out / "README.md").read_text(), json.loads((out / "config.json").read_text())
    there = {name for name in ("model.py", "model.pt2", "model.onnx") if (out / name).is_file()}
    assert config["forms"].keys() == there >= {"model.py", "model.pt2"}
    for name, one in config["forms"].items():
        assert 0 < one["latency_ms_low"] <= one["latency_ms"] <= one["latency_ms_high"]
        assert f"| latency of `{name}` where it was exported | {one['latency_ms']:.3f} ms" in card
    if "model.onnx" not in there:
        reasons = ("onnx", "torch.onnx refused")
        begins = tuple(f"model.onnx is not there, because {reason}" for reason in reasons)
        lacks = [note for note in notes if note.startswith(begins)]
        assert len(lacks) == 1
        assert lacks[0].removeprefix("model.onnx is not there") in card
        assert ("pip install 'nas-attn[onnx]'" in card) == ("is not installed" in lacks[0])


def test_the_python_of_the_page_runs_as_written(exported, monkeypatch):
    page = Path(__file__).parents[2] / "docs" / "export.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    code = next(block for block in blocks if "load_export" in block)
    monkeypatch.chdir(exported[0].parent)
    names = {}
    exec(code.replace('"OUT"', '"out"'), names)
    assert names["network"](torch.zeros(1, 3, SIZE, SIZE)).shape == (1, 3)


def test_an_export_comes_back_as_a_network_only_if_it_is_whole(study, exported, tmp_path, caplog):
    out, row, _ = exported
    images, own = torch.randn(2, 3, 15, 12), study.network(row.key)
    state = nas_attn.load_export(str(out)).state_dict()
    assert all(torch.equal(state[name], value) for name, value in own.state_dict().items())
    copy = Path(shutil.copytree(out, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__")))
    lines = [line for line in (copy / "MANIFEST.sha256").read_text().splitlines(True) if "model.py" not in line]
    (copy / "MANIFEST.sha256").write_text("".join(lines))
    with pytest.raises(InputError, match=r"copy: is no export, whole and unchanged: model\.py is not what MANIFEST"):
        nas_attn.load_export(copy)
    (copy / "model.py").unlink()
    with torch.inference_mode():
        given, expected = nas_attn.load_export(copy)(images), own(images)
    torch.testing.assert_close(given, expected, rtol=1e-5, atol=1e-6)
    assert f"{copy}: model.py is not there; the network is that of model.pt2" in caplog.text
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-3] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    with pytest.raises(InputError, match=r"model\.safetensors is not what MANIFEST\.sha256 says"):
        nas_attn.load_export(copy)
    with pytest.raises(InputError, match="is no export of a network"):
        nas_attn.load_export(tmp_path / "nowhere")
