"""Export of a trained network into a folder that needs torch alone."""

from dataclasses import replace
from pathlib import Path

from nas_attn.settings import LatencyTarget

from .card import exported_files, note_on_seeds
from .forms import Forms, timed
from .leaving import leaving
from .program import ONNX, TORCH, missing, onnx_program, taken_shapes, torch_program
from .reading import reading
from .standalone.folder import claimed, exchange, write_files
from .standalone.proof import prove, prove_onnx
from .winner import Winner

_OURS = __name__.partition(".")[0]


def export(
    winner: Winner, out: Path, *, by_name: bool = False, onnx: bool = False, target: LatencyTarget | None = None
) -> list[str]:
    """Write the network's files into a folder, and prove that they work; returns notes for the user.

    `model.py` is source to read, with a user's own files in `code`, `model.safetensors` the weights, and
    `module.safetensors` those of the whole that the network is a part of, `model.pt2` the program of `torch.export`,
    with `onnx` beside it `model.onnx`, `predict.py` and `predict.json` what reads image files, `config.json` and
    `README.md` the description, `MANIFEST.sha256` the checksums. With `by_name`, the user's own modules are imported
    from where they are installed. With a `target`, each form is timed on its CPU threads.

    Before they are kept, a fresh Python process that cannot import this package loads them, for the ONNX program one
    that cannot import torch, and must give the outputs of the network in memory for three shapes, batches of four and
    of one, and a map that is not square, of another size, or those of them that the network takes. What does not is
    left out, with a note; the weights are always there. An earlier export is replaced if it is whole and unchanged, but
    for the `__pycache__` that Python makes of its source.

    Raises `InputError` where the folder holds anything else or cannot be written, or weights cannot be kept.
    """
    network, facts = winner.network.cpu().eval(), winner.facts
    kinds = [placement.attention.kind for placement in winner.architecture.placements]
    leaves = leaving(
        winner.backbone, kinds, in_channels=facts.in_channels, classes=len(facts.class_names), by_name=by_name
    )
    with claimed(out) as work:
        shapes = taken_shapes(network, facts.image)
        made = torch_program(network, shapes)
        programs = {TORCH: made, **({ONNX: onnx_program(made)} if onnx else {})}
        forms = Forms(leaves, shapes, programs, reading(winner.source, facts))
        write_files(work, exported_files(winner, network, forms), out)
        forms = _proved(winner, forms, work / "new")
        if target is not None:
            forms = timed(network, forms, target)
        write_files(work, exported_files(winner, network, forms), out)
        replaced = exchange(work, out)
    return [note for note in (*forms.notes, note_on_seeds(winner), replaced) if note]


def _proved(winner: Winner, forms: Forms, folder: Path) -> Forms:
    """What of the files in a folder gives the outputs of the network in fresh processes."""
    leaves, programs = forms.leaves, dict(forms.programs)
    listed = {"model.py": [] if leaves.reason else forms.shapes, TORCH: programs[TORCH].shapes}
    faults = prove(folder, winner.network, listed, hidden={_OURS} - {*leaves.packages}, path=leaves.path)
    if ONNX in programs and programs[ONNX].shapes:
        faults[ONNX] = prove_onnx(folder / ONNX, winner.network, programs[ONNX].shapes)
    if fault := faults.pop("model.py", ""):
        leaves = leaves.without_source(f"it {fault}")
    programs |= {name: missing(name, f"it {fault}") for name, fault in faults.items() if fault}
    return replace(forms, leaves=leaves, programs=programs)
