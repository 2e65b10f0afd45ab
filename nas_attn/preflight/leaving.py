"""Check that networks of a study can leave it: their source, weights and program, loaded by a fresh process."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nas_attn.chain import Chain
from nas_attn.evaluation import covering
from nas_attn.export import Winner, export
from nas_attn.export import leaving as export_leaving
from nas_attn.export.leaving import Leaving
from nas_attn.results import evaluation
from nas_attn.settings import FINAL
from nas_attn.space import Architecture, InputError, Placement

from .findings import Finding
from .networks import without

_LOG = logging.getLogger(__name__)
_LOST = "a search would find what cannot be used; mend this first"


def warn_of_what_stays(chain: Chain) -> None:
    """Say in the log where the source of the networks cannot leave whole, as the check says too."""
    how = _leaves(chain)
    for line in (*([str(how)] if how.reason else []), *how.remarks):
        _LOG.warning("%s: %s", chain.backbone.name, line)


def leaving(chain: Chain, failing: set[Placement]) -> Iterator[Finding]:
    """How the source of the space's networks leaves, and whether one of them loads in a fresh process.

    What is known to be `failing` is left out.
    """
    how = _leaves(chain)
    if how.reason:
        yield Finding("export", "warning", f"a network {how}", "to have its source too, mend that first")
    yield from (Finding("export", "warning", remark) for remark in how.remarks)
    networks = [without(architecture, failing) for architecture in covering(chain.space)]
    notes = _exported(chain, networks[0] if networks else Architecture())
    yield from (Finding("export", "warning", note) for note in notes)
    yield Finding("export", "ok", f"a network {how}; a fresh process without nas_attn has its outputs")


def _leaves(chain: Chain) -> Leaving:
    channels, classes = chain.task.facts.in_channels, chain.task.classes
    return export_leaving(chain.backbone, chain.space.kinds, in_channels=channels, classes=classes)


def _exported(chain: Chain, architecture: Architecture) -> list[str]:
    """What is to be known of the files of an untrained network; raises `InputError` where they do not work."""
    seed, cost = chain.folder.file.seed, chain.ledger.price(architecture)
    costs = {"params": cost.params, "macs": cost.macs, "flops": cost.flops, "latency_ms": 0.0}
    row = evaluation(key=architecture.key, architecture=str(architecture), seed=seed, step=FINAL, **costs)
    whole = chain.untrained_protocol(chain.folder.file.final_step(1, 1)).build(architecture, seed)
    network = chain.task.network(whole)
    winner = Winner(network, chain.backbone, row, chain.task.facts, {}, tested={}, test_images=0)
    with tempfile.TemporaryDirectory() as folder:
        try:
            return export(winner, Path(folder) / "exported")
        except RuntimeError as error:
            raise InputError(f"{architecture}: {str(error).strip().splitlines()[-1]}; {_LOST}") from error
