"""Program that reads image files and says what an exported network finds in them: the source of `predict.py`."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from nas_attn.data.decoding import orientation, pixels_of

Numbers = NDArray[Any]
Scores = Callable[[Numbers], Numbers]
"""Images (B, C, H, W), normalised, to what the network gives first, such as (B, classes)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is in each image; the exit code is 0, 1 where some cannot be read, 2 where the network cannot run."""
    parser = argparse.ArgumentParser(description="Say what the network of this folder finds in images.")
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="a file, a folder of images, or - for standard input"
    )
    parser.add_argument("--top", type=int, default=5, metavar="N", help="show the N most likely classes (5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, with every class")
    parser.add_argument("--form", choices=_FORMS, help="which file of the network runs; without it the first that can")
    options = parser.parse_args(arguments)
    try:
        predictor = Predictor(form=options.form)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    failed = 0
    try:
        for name in _listed(options.images):
            try:
                found = predictor(BytesIO(sys.stdin.buffer.read()) if name == "-" else name)
            except Exception as error:  # decoders stumble over broken files in any way
                print(_printable(f"error: {name}: {' '.join(str(error).split())}"), file=sys.stderr)
                failed = 1
                continue
            print(json.dumps({"image": name, **found}) if options.json else _printable(_line(name, found, options.top)))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return failed


class Predictor:
    """The network of an exported folder, which is called with an image file and says what it finds there.

    What it gives has `classes`, each with its probability, the likeliest first; or `labels`, `values` in their units,
    or the `areas` of classes as shares of the image; and `remarks` on how the image had to be changed.
    """

    def __init__(self, folder: str | Path = Path(__file__).parent, form: str | None = None) -> None:
        self.folder = Path(folder)
        self.settings: dict[str, Any] = json.loads((self.folder / "predict.json").read_text(encoding="utf-8"))
        self.form, self.run = _loaded(self.folder, form)

    def __call__(self, image: Any) -> dict[str, Any]:
        """What is found in an image: a path, an open file, or an image of Pillow's."""
        images, remarks = self.inputs(image)
        batch = np.repeat(images, self.settings["smallest_batch"], axis=0)
        found = _READ[self.settings["task"]](self.run(batch)[0].astype(np.float64), self.settings)
        return {**found, "remarks": remarks}

    def inputs(self, image: Any) -> tuple[Numbers, list[str]]:
        """An image as the network takes it, float32 (1, C, H, W), and how it was changed for that."""
        said, remarks = self.settings, list[str]()
        size = (said["width"], said["height"])
        with _opened(image) as opened:
            shown = opened.size[::-1] if orientation(opened) in range(5, 9) else opened.size
            if said["one_size"] and shown != size:
                remarks.append(
                    f"{shown[0]} x {shown[1]} pixels became {size[0]} x {size[1]}, the size of all in training"
                )
            pixels, done = pixels_of(_in_eight_bits(opened, remarks), said["channels"], size, said["background"])
        mean, std = (np.float32(255) * np.array(said[name], np.float32).reshape(-1, 1, 1) for name in ("mean", "std"))
        return ((pixels - mean) / std)[None], [*remarks, *done]


def _opened(image: Any) -> Image.Image:
    if isinstance(image, Image.Image):
        return image.copy()
    if isinstance(image, str | Path) and not Path(image).is_file():
        raise ValueError("holds no image" if Path(image).is_dir() else "there is no such file")
    return Image.open(image)


def _in_eight_bits(image: Image.Image, remarks: list[str]) -> Image.Image:
    """The image with 8 bits a channel: of 16 the upper ones."""
    if not image.mode.startswith(("I", "F")):
        return image
    numbers = np.asarray(image)
    if image.mode.startswith("F") or numbers.min() < 0 or numbers.max() >= 2**16:
        raise ValueError(
            f"has pixels of mode {image.mode}, {numbers.min():g} to {numbers.max():g}; save it with 8 bits"
        )
    remarks.append("of 16 bits a channel the upper 8 count, and training has seen none but 8")
    found = Image.fromarray((numbers >> 8).astype(np.uint8))
    found.getexif()[ExifTags.Base.Orientation] = orientation(image)
    return found


def _loaded(folder: Path, wanted: str | None) -> tuple[str, Scores]:
    """The form of the network that is wanted, or the first that can run here; raises `ValueError` where none can."""
    reasons = []
    for form, (file, load) in _FORMS.items():
        if wanted not in (None, form):
            continue
        try:
            if (folder / file).is_file():
                return form, load(folder / file)
            reasons.append(f"{file} is not there")
        except ImportError as error:
            reasons.append(f"{file} needs {error.name or error}, which is not installed")
        except Exception as error:  # another version of a package may refuse in any way
            reasons.append(f"{file} does not load: {' '.join(str(error).split())}")
    raise ValueError(f"{folder}: the network cannot run here: {'; '.join(reasons)}")


def _source(file: Path) -> Scores:
    name = f"exported_model_{abs(hash(file.resolve()))}"  # whatever else is called model stays as it is
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ValueError("it is no Python file")
    sys.modules[name] = model = module_from_spec(spec)
    spec.loader.exec_module(model)
    return _in_torch(model.load())


def _program(file: Path) -> Scores:
    return _in_torch(import_module("torch").export.load(file).module())


def _in_torch(network: Callable[[Any], Any]) -> Scores:
    torch = import_module("torch")

    def scores(images: Numbers) -> Numbers:
        with torch.inference_mode():
            given = network(torch.from_numpy(images))
        while not isinstance(given, torch.Tensor):  # the first of several
            given = next(iter(given.values() if isinstance(given, Mapping) else given))
        return np.asarray(given)

    return scores


def _onnx(file: Path) -> Scores:
    session = import_module("onnxruntime").InferenceSession(file, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: np.asarray(session.run(None, {name: images})[0])


_FORMS: dict[str, tuple[str, Callable[[Path], Scores]]] = {
    "source": ("model.py", _source),
    "program": ("model.pt2", _program),
    "onnx": ("model.onnx", _onnx),
}


def _classes(scores: Numbers, said: Mapping[str, Any]) -> dict[str, Any]:
    shares = np.exp(scores - scores.max())
    return {"classes": _sorted(said["class_names"], shares / shares.sum())}


def _labels(scores: Numbers, said: Mapping[str, Any]) -> dict[str, Any]:
    return {"labels": _sorted(said["class_names"], np.exp(-np.logaddexp(0, -scores)))}


def _values(scores: Numbers, said: Mapping[str, Any]) -> dict[str, Any]:
    values = scores * said["target_std"] + said["target_mean"]
    return {"values": dict(zip(said["class_names"], values.tolist(), strict=True))}


def _areas(scores: Numbers, said: Mapping[str, Any]) -> dict[str, Any]:
    counts = np.bincount(scores.argmax(0).ravel(), minlength=len(said["class_names"]))
    return {"areas": _sorted(said["class_names"], counts / counts.sum())}


_READ: dict[str, Callable[[Numbers, Mapping[str, Any]], dict[str, Any]]] = {
    "classification": _classes,
    "multilabel": _labels,
    "regression": _values,
    "segmentation": _areas,
}


def _sorted(names: Sequence[str], shares: Numbers) -> dict[str, float]:
    return {names[place]: float(shares[place]) for place in np.argsort(-shares, kind="stable")}


def _line(name: str, found: Mapping[str, Any], top: int) -> str:
    if "values" in found:
        text = ", ".join(f"{value} {number:.6g}" for value, number in found["values"].items())
    else:
        shares = found.get("classes") or found.get("labels") or found["areas"]
        text = ", ".join(f"{one} {100 * share:.2f} %" for one, share in [*shares.items()][: max(1, top)])
    if "labels" in found:
        text = f"{', '.join(one for one, share in shares.items() if share > 0.5) or 'no label'} ({text})"
    return f"{name}: {text}" + "".join(f"; {remark}" for remark in found["remarks"])


def _printable(text: str) -> str:
    """A line without what a terminal would take for an order or cannot show."""
    shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return shown.encode(sys.stdout.encoding or "utf-8", "backslashreplace").decode(sys.stdout.encoding or "utf-8")


def _listed(names: Sequence[str]) -> Iterator[str]:
    """The files that are named, and the images in the folders that are, in order."""
    suffixes = Image.registered_extensions()
    for name in names:
        if not Path(name).is_dir():
            yield name
            continue
        files = sorted(file for file in Path(name).rglob("*") if file.suffix.lower() in suffixes and file.is_file())
        yield from map(str, files or [Path(name)])
