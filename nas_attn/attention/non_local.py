"""The non-local block: Wang, Girshick, Gupta, He, "Non-local Neural Networks", 2017.

https://arxiv.org/abs/1711.07971
"""

from typing import ClassVar

from torch import Tensor, nn

from .options import choice, reduced_width, switch


class NonLocal(nn.Module):
    """Add to each position what all positions hold, weighed by likeness, (B, C, H, W) -> (B, C, H, W).

    theta, phi and g are 1 x 1 convolutions C -> n with n = max(1, C // reduction); the likeness of positions i and j
    weighs g_j in a sum over all j; a 1 x 1 convolution n -> C and batch normalisation follow. The normalisation's
    gamma starts at zero, so the block starts as the identity. The likeness is, by `form`, with N positions to sum over:

    - `embedded_gaussian`: the softmax over j of theta_i . phi_j
    - `gaussian`: the softmax over j of x_i . x_j, the features as they are; there are no theta and phi
    - `dot_product`: theta_i . phi_j / N, computed as theta_i (sum_j phi_j g_j / N), so that cost grows with H * W
    - `concatenation`: ReLU(w . [theta_i, phi_j]) / N, computed from w's two halves at each position

    Memory grows with (H * W)^2, a quarter of it with `subsample`; only that of the dot product with H * W. In its paper
    it stands between blocks, so `block` comes first. All 1 x 1 convolutions start as in the authors' code: normal with
    a deviation of 0.01, and biases of zero.

    Options:
        reduction: how many times narrower theta, phi and g are.
        subsample: takes the maximum of 2 x 2 positions, or of what an odd edge leaves of them, for phi and g; an export
            with dynamic H and W then needs at least 3 of each.
        form: the likeness, embedded_gaussian, gaussian, dot_product or concatenation.
        scale: divides the products under a softmax by the root of the channels they sum over, as the authors' code does
            and the paper does not.
        pool_first: subsamples before phi and g, as the authors' code does, and not after them, as the paper says; they
            then cost a quarter.

    Parameters: 4Cn + 3n + 3C; of the Gaussian form 2Cn + n + 3C; of the concatenation 2n more. Raises `ValueError` for
    an option that cannot be, a scale without a softmax among them, and, as PyTorch's batch normalisation does, in
    training mode for a single position in a batch of one.
    """

    positions: ClassVar[tuple[str, ...]] = ("block", "stage", "branch")
    starts_as_identity: ClassVar[bool] = True

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 2,
        subsample: bool = False,
        form: str = "embedded_gaussian",
        scale: bool = False,
        pool_first: bool = False,
    ) -> None:
        super().__init__()
        width = reduced_width(channels, reduction)
        self.form = choice("form", form, ("embedded_gaussian", "gaussian", "dot_product", "concatenation"))
        if switch("scale", scale) and not form.endswith("gaussian"):
            raise ValueError(f"scale: found {scale!r}; allowed: false where the form is {form}, which has no softmax")
        compared = channels if form == "gaussian" else width
        self.scale = compared**-0.5 if scale else 1.0
        self.theta = nn.Identity() if form == "gaussian" else nn.Conv2d(channels, width, 1)
        self.phi = nn.Identity() if form == "gaussian" else nn.Conv2d(channels, width, 1)
        self.g = nn.Conv2d(channels, width, 1)
        # a repeated last row and column keep odd edges; `ceil_mode` would fix the parity of H and W in an export
        pool = nn.Sequential(nn.ReplicationPad2d((0, 1, 0, 1)), nn.MaxPool2d(2))
        before = switch("subsample", subsample) and switch("pool_first", pool_first)
        self.pool_before = pool if before else nn.Identity()
        self.pool = pool if subsample and not before else nn.Identity()
        self.expand = nn.Conv2d(width, channels, 1)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)
        for layer in (self.theta, self.phi, self.g, self.expand):
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)
        if form == "concatenation":
            self.pair = nn.Conv2d(2 * width, 1, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """The features plus, at each position, the weighed sum over all positions."""
        theta = self.theta(features)
        compared = self.pool_before(features)
        phi = self.pool(self.phi(compared))
        g = self.pool(self.g(compared)).flatten(2).transpose(1, 2)
        batch, positions, width = g.shape
        if self.form == "dot_product":
            gathered_narrow = theta.flatten(2).transpose(1, 2) @ (phi.flatten(2) @ (g / positions))
        elif self.form == "concatenation":
            gathered_narrow = self._rectified(theta, phi) @ (g / positions)
        else:
            gathered_narrow = self._products(theta, phi).softmax(dim=2) @ g
        as_map = gathered_narrow.transpose(1, 2).contiguous().reshape(batch, width, *features.shape[2:])
        gathered: Tensor = self.norm(self.expand(as_map))
        return features + gathered

    def _products(self, theta: Tensor, phi: Tensor) -> Tensor:
        """The product of each position of theta with each of phi, scaled where the block has a scale."""
        theta = theta if self.scale == 1 else theta * self.scale
        return theta.flatten(2).transpose(1, 2) @ phi.flatten(2)

    def _rectified(self, theta: Tensor, phi: Tensor) -> Tensor:
        """The ReLU of w . [theta_i, phi_j] for all i and j: either half of w meets each position once."""
        first, second = self.pair.weight.chunk(2, dim=1)
        from_theta = nn.functional.conv2d(theta, first).flatten(2).transpose(1, 2)
        from_phi = nn.functional.conv2d(phi, second).flatten(2)
        return (from_theta + from_phi).relu()
