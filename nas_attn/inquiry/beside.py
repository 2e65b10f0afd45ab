"""Width-matched baselines of several networks, each trained as often as it is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nas_attn.chain import Chain
from nas_attn.evaluation import Costs
from nas_attn.results import Evaluation
from nas_attn.settings import measure
from nas_attn.space import Architecture
from nas_attn.study import WIDTH_MATCHED
from nas_attn.verdict.matched import matched
from nas_attn.verdict.widths import Widened, matching, prices, widths_of

from .candidate import Candidate


@dataclass(frozen=True, slots=True)
class Beside:
    """The plain backbone at the widths around the prices of networks."""

    chain: Chain
    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """For each network, by key, the share that each baseline has in what it is compared with."""
    widths: Mapping[str, Widened] = field(default_factory=dict)
    """The baselines by key."""
    reason: str = ""
    """Why there are none, where there are none."""

    @classmethod
    def of(cls, chain: Chain, wanted: Sequence[Candidate]) -> "Beside":
        """The baselines of these networks, priced and not trained; raises `InputError` as `Costs` does."""
        widths, reason = widths_of(chain)
        if reason:
            return cls(chain, reason=reason)
        named, costs = prices(chain.folder.file), Costs(chain.timing, None, failures=chain.failures)
        timed = any(measure(name).source == "timed" for name in named)

        def priced(architecture: Architecture) -> Evaluation:
            return costs.measure(costs.count(architecture)) if timed else costs.count(architecture)

        plain, shares, used = priced(Architecture()), {}, dict[str, Widened]()
        for candidate in wanted:
            row = priced(candidate.architecture)
            near = {width.row(timed).key: width for width in matching(widths, row, named)}
            rows = [row, plain, *(width.row(timed) for width in near.values())]
            shares[candidate.key] = _shares(rows, named)
            used |= {key: near[key] for key in shares[candidate.key] if key in near}
        return cls(chain, shares, used)

    def seeds(self, key: str, networks: Sequence[str], goal: int) -> int:
        """How many seeds a baseline has once these networks have so many: in proportion to its share.

        That tells most for the time; two show its noise.
        """
        share = max((self.shares[network].get(key, 0.0) for network in networks), default=0.0)
        return max(min(goal, 2), -int(-goal * share // 1)) if share else 0

    def train(self, key: str, seeds: int) -> None:
        """Train a baseline for the seeds that it lacks."""
        file = self.chain.folder.file
        step = file.final_step(1, seeds)
        study = self.chain.study(step.model_copy(update={"name": WIDTH_MATCHED}))
        self.widths[key].train(study, step, 0)


def _shares(rows: Sequence[Evaluation], named: Sequence[str]) -> dict[str, float]:
    """The largest share that each network of another width has in a baseline of the first, over its prices."""
    found: dict[str, float] = {}
    for price in named:
        one = matched(rows, range(1, len(rows)), price, 0)
        for place, share in one.shares.items() if one else ():
            found[rows[place].key] = max(found.get(rows[place].key, 0.0), share)
    return {key: share for key, share in found.items() if key != rows[1].key}
