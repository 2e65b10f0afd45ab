"""Supernet: one network that shares its weights among all architectures of a space, and is one of them at a time.

Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform Sampling", 2019
(https://arxiv.org/abs/1904.00420); the sandwich rule is of Yu and Huang, "Universally Slimmable Networks and Improved
Training Techniques", 2019 (https://arxiv.org/abs/1903.05134).
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from torch import Tensor, nn

from nas_attn.assembly import furnish, identity_started, place, seed_of, seeded
from nas_attn.backbones import attend
from nas_attn.settings import Backbone
from nas_attn.space import Architecture, Attention, InputError, SearchSpace, Site, allowed
from nas_attn.training import Raised, Score, faults_reported

_MOST_TRIES = 10_000


class Supernet(nn.Module):
    """A backbone with every attention of a space at its site, of which those of one architecture are active.

    (B, C, H, W) -> (B, classes). It begins as the plain backbone; `choose` changes that. What is not active takes no
    part in a pass, and gets no gradient. Made by `build_supernet`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.places = {module.site: module for module in network.modules() if isinstance(module, Alternatives)}

    def forward(self, images: Tensor) -> Tensor:
        """Class scores of a batch of images by the active architecture."""
        scores: Tensor = self.network(images)
        return scores

    def choose(self, architecture: Architecture) -> None:
        """Make this architecture the active one; attentions that differ only in how they start are one.

        Raises `InputError` for a site or an attention that is not of the space; the active architecture then stays.
        """
        keys = self._keys(architecture)
        for site, alternatives in self.places.items():
            alternatives.active = keys.get(site)

    def weights_of(self, architecture: Architecture) -> dict[str, Tensor]:
        """The weights of an architecture, by their names in the identity-started network that `build` makes of it.

        The tensors are the supernet's own: copy them before it is trained on. Raises `InputError` as `choose` does.
        """
        self._keys(architecture)
        return self.shared_weights()(architecture)

    def shared_weights(self) -> "SharedWeights":
        """The weights of all architectures, without the modules, which not every process can be sent."""
        found = self.network.named_modules(remove_duplicate=False)
        places = {f"{path}.": module for path, module in found if isinstance(module, Alternatives)}
        of_places = tuple(places)
        weights = {name: one for name, one in self.network.state_dict().items() if not name.startswith(of_places)}
        standing: dict[tuple[str, Attention], dict[str, Tensor]] = defaultdict(dict)
        for path, alternatives in places.items():
            for attention, key in alternatives.keys_of.items():
                standing[alternatives.site, attention] |= alternatives[key].state_dict(prefix=path)
        return SharedWeights(weights, dict(standing))

    def _keys(self, architecture: Architecture) -> dict[str, str]:
        """The name, among the alternatives of its site, of each attention."""
        keys = {}
        for placement in identity_started(architecture).placements:
            site, attention = placement.site, placement.attention
            if site not in self.places:
                raise InputError(f"{site}: the supernet has no such site; {allowed(site, self.places)}")
            known = self.places[site].keys_of
            if attention not in known:
                raise InputError(f"{site}: the supernet has no {attention} here; {allowed(attention, map(str, known))}")
            keys[site] = known[attention]
        return keys


@dataclass(frozen=True, eq=False)
class SharedWeights:
    """The weights of a supernet; called with an architecture, those of its network, as `Supernet.weights_of` says."""

    plain: Mapping[str, Tensor]
    """Of the plain backbone, by name."""
    standing: Mapping[tuple[str, Attention], Mapping[str, Tensor]]
    """Of each attention at the site of this name, by their names in the network."""

    def __call__(self, architecture: Architecture) -> dict[str, Tensor]:
        """The weights of an architecture, which is of the supernet's space."""
        weights = dict(self.plain)
        for placement in identity_started(architecture).placements:
            weights |= self.standing[placement.site, placement.attention]
        return weights


class Alternatives(nn.ModuleDict):
    """The attentions that are offered at a site, by their spelling, of which one is active, or none."""

    def __init__(self, site: Site, attentions: Iterable[Attention], seed: int) -> None:
        super().__init__()
        self.site = site.name
        self.keys_of = {attention: str(attention).replace(".", "/") for attention in attentions}
        self.active: str | None = None
        for attention, key in self.keys_of.items():
            with seeded(seed_of(seed, site.name, str(attention))):
                self[key] = place(attention, site)
        self.gated = any(getattr(module, "gated", False) for module in self.values())

    def forward(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """The features after the active attention, or as they are; the signal goes to a gated one."""
        standing = None if self.active is None else self[self.active]
        try:
            return attend(standing, features, features if gating_signal is None else gating_signal)
        except Exception as error:
            error.add_note(f"in {self.active} at {self.site}")
            raise


def build_supernet(
    space: SearchSpace,
    backbone: Backbone | str,
    *,
    in_channels: int,
    classes: int,
    seed: int = 0,
    whole: tuple[nn.Module, nn.Module] | None = None,
) -> Supernet:
    """The supernet of a space, with no attention active; each starts as the identity.

    `whole` is what was made already and is trained, and the network in it, as a task gives them.

    The backbone's weights are those of `build`; an attention's initial weights depend on the seed, its site and its
    spelling alone. The global random state is left as it was.

    Raises `InputError` as `build` does.
    """
    offered: dict[str, dict[Attention, None]] = {}
    for slot in space.slots:
        for filling in slot.fillings():
            for placement in identity_started(Architecture(filling)).placements:
                offered.setdefault(placement.site, {})[placement.attention] = None

    def stand(attentions: Iterable[Attention], site: Site) -> nn.Module:
        return Alternatives(site, attentions, seed)

    within = None if whole is None else whole[1]
    made = furnish(backbone, offered, stand, in_channels=in_channels, classes=classes, seed=seed, within=within)
    return Supernet(made if whole is None else whole[0])


def variants(
    supernet: Supernet,
    space: SearchSpace,
    seed: int,
    *,
    affordable: Callable[[Architecture], bool] = lambda _: True,
    sandwich: Sequence[Architecture] = (),
) -> Callable[[int], Iterator[None]]:
    """The architectures of a supernet in a training iteration, given by its number, which become active in turn.

    First those of the `sandwich`, such as the plain backbone and the most expensive network; then one that is drawn by
    seed and iteration alone, uniformly among the affordable ones.

    A call raises `InputError` where drawing finds none.
    """

    def of_iteration(iteration: int) -> Iterator[None]:
        for architecture in (*sandwich, _drawn(space, random.Random(f"{seed} {iteration}"), affordable)):
            supernet.choose(architecture)
            yield

    return of_iteration


def _drawn(space: SearchSpace, rng: random.Random, affordable: Callable[[Architecture], bool]) -> Architecture:
    for _ in range(_MOST_TRIES):
        architecture = space.sample(rng)
        if affordable(architecture):
            return architecture
    raise InputError(f"none of {_MOST_TRIES:,} networks drawn from the space fits the budget; allow a larger one")


def screened(
    supernet: Supernet, scoring: AbstractContextManager[Callable[[], Score]], architectures: Iterable[Architecture]
) -> Iterator[Score | Raised]:
    """Scores of a trained supernet as each of these architectures, lazily and in their order.

    For one that fails, where the plain backbone does not, it is the failure. `scoring`, the `recalibration` of a task,
    renews batch-normalisation statistics for each, so that none depends on another. Leave the supernet alone until the
    iterator ends or is closed; its statistics are then as they were, and it is on the CPU, in eval mode.

    Raises `InputError` for an architecture that is not of the space, `TrainingFailed` where memory does not suffice, or
    where even the plain backbone fails.
    """
    with scoring as scored:
        for architecture in architectures:
            supernet.choose(architecture)
            try:
                with faults_reported():
                    found: Score | Raised = scored()
            except Raised as failure:
                supernet.choose(Architecture())
                with faults_reported():
                    scored()
                found = failure
            yield found
