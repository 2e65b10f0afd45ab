"""Damaged and odd inputs of every kind: what comes of them beside a clear `InputError`.

    python benchmarks/fuzz.py --inputs 20000 [--seed 0]

Study files, space files, spellings, tables, Parquet files, pictures and files of weights are made well, and then
changed at random: bytes are flipped, cut out, doubled or exchanged, numbers and words are replaced by such as break
programs. Prints, kind by kind, how many were read, how many refused, and each input of which something else came.
"""

import io
import random
import resource
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import typer
from PIL import Image
from safetensors.torch import save

from nas_attn import InputError, load_space, parse, read_csv
from nas_attn.backbones.checkpoint import read_state_dicts
from nas_attn.data import load_data
from nas_attn.results import write_csv
from nas_attn.settings import ImageFolder, Parquet, read_study_file

LONGEST_SECONDS = 5.0
MOST_BYTES = 2 * 2**30
ROOT = Path(__file__).parent.parent

_ODD = [
    *(
        "0",
        "-1",
        "1e400",
        "nan",
        "inf",
        "-0.0",
        "9" * 400,
        "9223372036854775808",
        "0x10",
        "1_000",
        "1e-320",
        "true",
        "null",
    ),
    *(
        '""',
        "''",
        "[]",
        "{}",
        "[[]]",
        "[" * 300,
        "{a=" * 60,
        '"\\u0000"',
        "\x00",
        "\ud7ff",
        "\u202e",
        "\ufeff",
        "é" * 50,
        "../" * 9,
    ),
    *(
        "1979-05-27",
        "a.b.c",
        "=",
        "#",
        "\n",
        "\r",
        ",",
        ";",
        "*",
        "none",
        "se(",
        "se()",
        "stage1.block0.branch=",
        "=se",
        "%s%n",
        "{0}",
    ),
]
_STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops", "latency_ms"]
seed = 3
chain = [{proxy = "supernet", networks = 20}, {proxy = "final", networks = 3, seeds = 2}]
[data]
kind = "folder"
path = "photos"
image_size = 32
[recipe]
epochs = 3
learning_rate = 0.1
[latency]
batch = 2
[budget]
max_flops = 1_000_000
[search]
storage = "postgresql://me:secret@host/db"
[trainer]
precision = "32-true"
"""
_TASK = """
space = "space.toml"
task = "segmentation"
objectives = ["mean_iou", "flops"]
[metrics]
dice = {metric = "dice", title = "Dice"}
jaccard = "torchmetrics:JaccardIndex"
[data]
kind = "folder"
path = "photos"
masks = "masks"
class_names = ["ground", "house"]
[recipe]
optimizer = "RMSprop"
optimizer_arguments = {alpha = 0.9}
schedule = "CosineAnnealingLR"
warmup_epochs = 2
loss = "focal"
class_weights = [1, 2.5]
ema_decay = 0.9
[budget]
min_mean_iou = 0.5
max_loss = 2
"""
_SPACE = """
backbone = {name = "resnet8", arguments = {width = 8}}
image = [3, 16, 16]
per = "stage"
[kinds.se]
reduction = [2, 4]
[kinds.cbam]
kernel_size = 3
position = ["branch", "block"]
[kinds.non_local]
"""


@dataclass(frozen=True)
class Kind:
    """One kind of input: a good one, and what reads it."""

    good: Callable[[random.Random], bytes]
    read: Callable[[Path], object]
    name: str
    """Of the file."""


def _text(text: str) -> Callable[[random.Random], bytes]:
    return lambda _: text.encode()


def _folder_of(read: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda path: read(path.parent)


def _spelling(rng: random.Random) -> bytes:
    kinds = ["se(reduction=4)", "cbam(kernel_size=3,start=identity)", "gate", "non_local"]
    return " ".join(f"stage{n}.block0-2.branch={rng.choice(kinds)}" for n in range(1, 4)).encode()


def _table(_: random.Random) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        write_csv(read_csv(ROOT / "studies" / "digits-table" / "rows.csv").head(5), path)
        return path.read_bytes()


def _picture(rng: random.Random) -> bytes:
    pixels = np.random.default_rng(rng.randrange(99)).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, rng.choice(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]))
    return content.getvalue()


def _parquet(rng: random.Random) -> bytes:
    content = io.BytesIO()
    pictures = [_picture(random.Random(number)) for number in range(12)]
    labels = [rng.choice(["cat", "dog"]) for _ in pictures] if rng.random() < 0.5 else [n % 2 for n in range(12)]
    pq.write_table(pa.table({"image": [{"bytes": one, "path": None} for one in pictures], "label": labels}), content)
    return content.getvalue()


def _weights(rng: random.Random) -> bytes:
    tensors = {f"model.layer{n}.weight": torch.zeros(3, 2) for n in range(4)}
    if rng.random() < 0.3:
        return save(tensors)
    content = io.BytesIO()
    torch.save({"state_dict": tensors, "epoch": 3}, content, _use_new_zipfile_serialization=rng.random() < 0.7)
    return content.getvalue()


def _read_folder(path: Path) -> object:
    """The picture as one of a class of six, beside another class."""
    for name in ("cat", "dog"):
        (path.parent / "photos" / name).mkdir(parents=True, exist_ok=True)
        for number in range(5):
            Image.new("RGB", (5, 6), (number, 0, ord(name[0]))).save(path.parent / "photos" / name / f"{number}.png")
    path.replace(path.parent / "photos" / "cat" / path.name)
    return load_data(ImageFolder(path="photos", image_size=8), path.parent)


def _pictures(folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number:02}.png" for number in range(12)]
    for number, name in enumerate(names):
        Image.new("RGB", (5, 6), (number, 0, 0)).save(folder / name)
    return names


def _labels(rng: random.Random) -> bytes:
    """A table of labels, several in one text, or in a list."""
    forms = ("cat|dog", "cat", "No Finding"), ("\"['cat', 'dog']\"", "['cat']", "[]")
    texts = rng.choice(forms)
    return "\n".join(["file_name,tags", *(f"{number:02}.png,{texts[number % 3]}" for number in range(12))]).encode()


def _read_labels(path: Path) -> object:
    _pictures(path.parent / "photos")
    return load_data(ImageFolder(path="photos", labels=path.name), path.parent, task="multilabel")


def _mask(rng: random.Random) -> bytes:
    pixels = np.random.default_rng(rng.randrange(99)).choice(np.array([0, 1, 2, 255], np.uint8), (6, 5))
    image, content = Image.fromarray(pixels), io.BytesIO()
    if rng.random() < 0.5:
        image.putpalette([*range(256)] * 3)
    image.save(content, rng.choice(["PNG", "TIFF", "BMP", "GIF"]))
    return content.getvalue()


def _read_mask(path: Path) -> object:
    """The mask as one of twelve."""
    names = _pictures(path.parent / "photos")
    (path.parent / "masks").mkdir(exist_ok=True)
    for name in names[1:]:
        Image.fromarray(np.eye(6, 5, dtype=np.uint8)).save(path.parent / "masks" / name)
    path.replace(path.parent / "masks" / names[0])
    return load_data(ImageFolder(path="photos", masks="masks"), path.parent, task="segmentation")


KINDS = {
    "study": Kind(_text(_STUDY), _folder_of(read_study_file), "study.toml"),
    "task": Kind(_text(_TASK), _folder_of(read_study_file), "study.toml"),
    "space": Kind(_text(_SPACE), load_space, "space.toml"),
    "spelling": Kind(_spelling, lambda path: parse(path.read_bytes().decode(errors="surrogateescape")), "spelling.txt"),
    "table": Kind(_table, read_csv, "rows.csv"),
    "Parquet": Kind(
        _parquet, lambda path: load_data(Parquet(path=path.name, image_size=8), path.parent), "images.parquet"
    ),
    "labels": Kind(_labels, _read_labels, "labels.csv"),
    "mask": Kind(_mask, _read_mask, "mask.png"),
    "picture": Kind(_picture, _read_folder, "picture.png"),
    "weights": Kind(_weights, read_state_dicts, "weights.pth"),
}


def changed(content: bytes, rng: random.Random) -> bytes:
    """The same after a few changes at random places."""
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        start = rng.randrange(len(content) + 1)
        end = min(len(content), start + rng.choice([1, 1, 2, 8, 40]))
        piece, odd = content[start:end], rng.choice(_ODD).encode(errors="surrogatepass")
        lines = content.split(b"\n")
        content = rng.choice(
            [
                content[:start] + bytes(rng.randrange(256) for _ in piece) + content[end:],
                content[:start] + content[end:],
                content[:start] + piece * rng.choice([2, 3, 50]) + content[end:],
                content[:start] + odd + content[end:],
                content[:start],
                b"\n".join(rng.sample(lines, len(lines))),
                _value_replaced(content, odd, rng),
            ]
        )
    return content


def _value_replaced(content: bytes, odd: bytes, rng: random.Random) -> bytes:
    """What stands behind one of the signs of equality, or between two commas, is something odd."""
    sign = rng.choice([b"=", b","])
    parts = content.split(sign)
    place = rng.randrange(len(parts))
    end = parts[place].find(b"\n")
    parts[place] = odd + (parts[place][end:] if end >= 0 else b"")
    return sign.join(parts)


@contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """Context that raises `TimeoutError` where it lasts longer."""

    def too_long(*_: object) -> None:
        raise TimeoutError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(kind: Kind, content: bytes) -> str:
    """`read`, `refused`, or the last line of what else came."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / kind.name
        path.write_bytes(content)
        try:
            with in_time(LONGEST_SECONDS), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                kind.read(path)
        except InputError as error:
            return "refused" if str(error).strip() else "an InputError without a word"
        except Exception as error:  # whatever else it is, it is a fault
            frame = traceback.extract_tb(error.__traceback__)[-1]
            return f"{type(error).__name__}: {error} in {Path(frame.filename).name}:{frame.lineno}"
    return "read"


def faults(inputs: int, seed: int) -> Iterator[tuple[str, str, bytes]]:
    """The kind, what came of it and the input, of each that was neither read nor refused; counts are printed."""
    rng, counts, began = random.Random(seed), Counter[tuple[str, str]](), time.perf_counter()
    for number in range(inputs):
        name = [*KINDS][number % len(KINDS)]
        content = changed(KINDS[name].good(rng), rng)
        came = outcome(KINDS[name], content)
        counts[name, came if came in ("read", "refused") else "fault"] += 1
        if came not in ("read", "refused"):
            yield name, came, content
    for name in KINDS:
        typer.echo(
            f"{name}: {counts[name, 'read']} read, {counts[name, 'refused']} refused, {counts[name, 'fault']} faults"
        )
    typer.echo(f"{inputs} inputs in {time.perf_counter() - began:.0f} s")


def main(inputs: int = 20_000, seed: int = 0, keep: Path | None = None) -> None:
    """Try so many inputs; `keep` names a folder for those of which something else came."""
    found = Counter[str]()
    for name, came, content in faults(inputs, seed):
        found[f"{name}: {came}"] += 1
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{name}-{found.total()}").write_bytes(content)
    for line, count in found.most_common():
        typer.echo(f"{count} x {line}")
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    typer.echo(f"most memory {peak / 2**30:.2f} GiB; {found.total()} faults")
    if found or peak > MOST_BYTES:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
