"""Audit of a study: each proxy step of its chain, compared with full training."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import nn

from nas_attn.chain import Chain
from nas_attn.data import batches_in_order
from nas_attn.evaluation import TrainingProtocol
from nas_attn.results.pictures import write_picture
from nas_attn.settings import FINAL, Step
from nas_attn.space import Architecture
from nas_attn.tasks import ImageTask
from nas_attn.training import Normalise, TrainingFailed, batch_loss, faults_reported, gradnorm, jacob_cov, synflow

from .choice import spread_out
from .picture import audit_chart
from .ranking import Audit, Ranking, step_ranking
from .rankings import audited, write_rankings
from .table import audit_table, network_table, write_frame
from .words import sentences

_LOG = logging.getLogger(__name__)
_POOL = 1000  # networks from which those of an audit are chosen, where nothing was screened
_IMAGES = 64  # by which untrained networks are scored


@dataclass(frozen=True)
class Audited:
    """What an audit has found, and where it is written."""

    audit: Audit
    verdict: Sequence[str]
    files: Sequence[Path]


def run_audit(chain: Chain, networks: int, seeds: int) -> Audited:
    """Judge so many networks by every step of a chain, and train them as the winner will be, with so many seeds.

    They are spread over the range of FLOPs, and over the ranking of a supernet where the chain begins with one. Raises
    as `Chain.run_step` does.
    """
    file = chain.folder.file
    proxies = [step for step in file.steps if step.name != FINAL]
    chosen = _chosen(chain, proxies[0] if proxies else None, networks)
    for step in proxies:
        chain.run_step(step, chosen)
    full = file.final_step(len(chosen), seeds)
    chain.run_step(full, chosen)
    keys = {architecture.key for architecture in chosen}
    rows = [row for row in chain.folder.all_rows() if row.key in keys]
    rankings = [
        step_ranking(
            rows, step.name, step.score, shared_seconds=chain.shared_seconds(step), shared_by=step.networks or 1
        )
        for step in proxies
    ]
    rankings += _untrained(chain, full, chosen)
    write_rankings(rankings, chain.folder.path / "audit.json")
    return _written(chain.folder.path, audited(rows, rankings, file.leading))


def _written(folder: Path, found: Audit) -> Audited:
    """The audit as tables and as a picture."""
    rankings, networks, picture = folder / "audit.csv", folder / "audit-networks.csv", folder / "audit.svg"
    write_frame(audit_table(found), rankings)
    write_frame(network_table(found), networks)
    write_picture(audit_chart(found, folder.absolute().name), picture)
    return Audited(found, sentences(found), (rankings, networks, picture))


def _chosen(chain: Chain, first: Step | None, networks: int) -> list[Architecture]:
    """Architectures over the whole range, in the order of their FLOPs."""
    scores: Mapping[str, float] | None = None
    if first is not None and first.proxy == "supernet":
        chain.run_step(first)
        pool = chain.pool(first.networks or 1)
        scores = step_ranking(chain.folder.rows(first.name).values(), first.name, first.score).scores
    else:
        pool = chain.pool(_POOL)
    known = {architecture.key: architecture for architecture in pool}
    flops = {key: float(chain.ledger.price(architecture).flops) for key, architecture in known.items()}
    return [known[key] for key in spread_out(flops, scores, networks, chain.folder.file.seed, Architecture().key)]


def _untrained(chain: Chain, full: Step, chosen: Sequence[Architecture]) -> list[Ranking]:
    """The orders that scores of untrained networks give; of a task of the user's own there are none."""
    if not isinstance(chain.task, ImageTask):
        _LOG.warning("untrained networks are not scored: the images are those of the task")
        return []
    protocol, normalise = chain.protocol(full), Normalise(chain.data)
    images, labels = next(iter(batches_in_order(chain.data.train, _IMAGES)))
    images, loss = normalise(images), partial(batch_loss, data=chain.data)
    scores: dict[str, Callable[[nn.Module], float]] = {
        "synflow": lambda network: synflow(network, chain.data.image),
        "jacob_cov": lambda network: jacob_cov(network, images),
        "gradnorm": lambda network: gradnorm(network, images, labels, loss),
    }
    networks = {one.key: _built(protocol, one, chain.folder.file.seed) for one in chosen}
    return [_scored(name, score, networks) for name, score in scores.items()]


def _built(protocol: TrainingProtocol, architecture: Architecture, seed: int) -> nn.Module | None:
    try:
        with faults_reported():
            return protocol.build(architecture, seed)
    except TrainingFailed as failure:
        _LOG.warning("%s: has no scores without training: %s", architecture, failure)
        return None


def _score(name: str, score: Callable[[nn.Module], float], network: nn.Module | None) -> float:
    """NaN where a network cannot be scored."""
    if network is None:
        return math.nan
    try:
        with faults_reported():
            return score(network)
    except TrainingFailed as failure:
        _LOG.warning("%s: a network has none: %s", name, failure)
        return math.nan


def _scored(name: str, score: Callable[[nn.Module], float], networks: Mapping[str, nn.Module | None]) -> Ranking:
    began = time.perf_counter()
    scores = {key: _score(name, score, network) for key, network in networks.items()}
    return Ranking(name, scores, "zero-cost", (time.perf_counter() - began) / len(networks))
