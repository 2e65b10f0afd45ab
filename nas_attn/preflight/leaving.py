"""Check that networks of a study can leave it: their source, weights and program, loaded by a fresh process."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from nas_attn.chain import Chain
from nas_attn.evaluation import covering
from nas_attn.export import Winner, export
from nas_attn.export.model_source import model_source
from nas_attn.results import evaluation
from nas_attn.settings import FINAL
from nas_attn.space import Architecture, InputError, Placement

from .findings import Finding
from .networks import without

_LOST = "a search would find what cannot be used; mend this first"


def leaving(chain: Chain, failing: set[Placement]) -> Iterator[Finding]:
    """Whether the source of every kind can be written, and one network loads in a fresh process.

    What the plain backbone cannot do no network can; else a kind that cannot is named. What is known to be `failing`
    is left out.
    """
    if fault := _fault(chain, Architecture()):
        yield Finding("export", "fault", f"no network can leave: {fault}", _LOST)
        return
    networks = [without(architecture, failing) for architecture in covering(chain.space)]
    faults = {architecture: fault for architecture in networks if (fault := _fault(chain, architecture))}
    for architecture, fault in faults.items():
        kinds = ", ".join(sorted({placement.attention.kind for placement in architecture.placements}))
        yield Finding("export", "fault", f"no network with {kinds} can leave: {fault}", f"{_LOST}, or leave it out")
    able = [architecture for architecture in networks if architecture not in faults]
    notes = _exported(chain, able[0] if able else Architecture())
    yield from (Finding("export", "warning", note) for note in notes)
    if not faults:
        yield Finding("export", "ok", "a network was written, and a fresh process without nas_attn has its outputs")


def _fault(chain: Chain, architecture: Architecture) -> str:
    """Why the source of a network cannot be written; empty where it can."""
    try:
        model_source(architecture, chain.backbone, in_channels=chain.data.image[0], classes=chain.data.classes)
    except InputError as error:
        return str(error)
    return ""


def _exported(chain: Chain, architecture: Architecture) -> list[str]:
    """What is to be known of the files of an untrained network; raises `InputError` where they do not work."""
    seed, cost = chain.folder.file.seed, chain.ledger.price(architecture)
    costs = {"params": cost.params, "macs": cost.macs, "flops": cost.flops, "latency_ms": 0.0}
    row = evaluation(key=architecture.key, architecture=str(architecture), seed=seed, step=FINAL, **costs)
    network = chain.untrained_protocol(chain.folder.file.final_step(1, 1)).build(architecture, seed)
    winner = Winner(network, chain.backbone, row, chain.data.facts, {}, test_accuracy=0.0, test_images=0)
    with tempfile.TemporaryDirectory() as folder:
        try:
            return export(winner, Path(folder) / "exported")
        except RuntimeError as error:
            raise InputError(f"{architecture}: {str(error).strip().splitlines()[-1]}; {_LOST}") from error
