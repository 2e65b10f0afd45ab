"""How an attention starts: as its paper has it, or changing nothing."""

import torch
from torch import Tensor, nn

STARTS = ("paper", "identity")
"""`paper`: with the paper's initial weights; `identity`: such that inserting it changes nothing at first."""


class IdentityStart(nn.Module):
    """Add to the features a learnt share of what an attention changes, (B, C, H, W) -> (B, C, H, W).

    x + gamma * (attention(x) - x): a trained network keeps its output exactly when this is inserted, and learns how
    much attention it wants. Gamma starts at zero; at one where the attention is the identity at first by itself
    (`already`, or else its `starts_as_identity`), for with both nothing would ever learn. The same is a skip connection
    around it.

    Parameters: 1, and those of the attention.
    """

    def __init__(self, attention: nn.Module, *, already: bool | None = None) -> None:
        super().__init__()
        self.attention = attention
        self.gated = bool(getattr(attention, "gated", False))
        already = getattr(attention, "starts_as_identity", False) if already is None else already
        self.gamma = nn.Parameter(torch.full((1,), float(already)))

    def forward(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """The features, and a share of what the attention makes of them; the gating signal goes to a gated one."""
        weighed = self.attention(features, gating_signal) if self.gated else self.attention(features)
        changed: Tensor = features + self.gamma * (weighed - features)
        return changed
