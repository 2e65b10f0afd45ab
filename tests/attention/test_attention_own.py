"""A user's own attention: found by its name, and held against all that is asked of one."""

import sys
import textwrap

import pytest
import torch

from nas_attn.attention import (
    ATTENTIONS,
    allowed_positions,
    attention_class,
    check_attention,
    describe,
    keyword_options,
)
from nas_attn.space import POSITIONS, InputError

GOOD = """
import torch
from torch import nn

class Mine(nn.Module):
    def __init__(self, channels, *, reduction: int = 4, bias=True, mode: str = "mean", limit: float | None = None):
        super().__init__()
        self.reduction, self.mode = reduction, mode
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels // reduction, bias=bias),
            nn.ReLU(),
            nn.Linear(channels // reduction, channels, bias=bias),
        )

    def forward(self, features):
        return features * self.mlp(features.mean((2, 3))).sigmoid()[:, :, None, None]
"""
GATED = """
import torch
from torch import nn

class Mine(nn.Module):
    gated = True
    positions = ("block", "inner")

    def __init__(self, channels, signal_channels, *, scale=1.0):
        super().__init__()
        self.conv = nn.Conv2d(channels + signal_channels, channels, 1)
        self.scale = scale

    def forward(self, features, gating_signal):
        return features * (self.scale * self.conv(torch.cat((features, gating_signal), dim=1))).sigmoid()
"""


@pytest.fixture
def own(tmp_path, monkeypatch, request):
    """Writes a module of its own for each test, and gives the name of its class."""
    name = f"own_{abs(hash(request.node.nodeid))}"

    def write(source):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        monkeypatch.syspath_prepend(tmp_path)
        return f"{name}:Mine"

    return write


def fault(kind):
    """What is told of a kind, without its name."""
    with pytest.raises(InputError) as told:
        check_attention(kind)
    assert str(told.value).startswith(f"{kind}: ")
    assert "\n" not in str(told.value)
    return str(told.value).removeprefix(f"{kind}: ")


def test_a_good_attention_is_found_checked_and_says_its_options(own):
    kind = own(GOOD)
    check_attention(kind)
    mine = attention_class(kind)
    assert mine(16)(torch.zeros(2, 16, 3, 4)).shape == (2, 16, 3, 4)
    assert [(option.name, option.annotation, option.default) for option in keyword_options(mine)] == [
        ("reduction", int, 4),
        ("bias", bool, True),
        ("mode", str, "mean"),
        ("limit", float | None, None),
    ]
    assert allowed_positions(mine) == POSITIONS


def test_a_gated_attention_takes_the_channels_of_its_signal_second(own):
    kind = own(GATED)
    check_attention(kind)
    assert allowed_positions(attention_class(kind)) == ("block", "inner")


def test_a_package_may_lead_to_an_attention(own, tmp_path):
    kind = own("")
    package = kind.partition(":")[0] + "_package"
    (tmp_path / package / "deep").mkdir(parents=True)
    (tmp_path / package / "deep" / "blocks.py").write_text(GOOD)
    check_attention(f"{package}.deep.blocks:Mine")


@pytest.mark.parametrize("kind", ["se", "non_local", "gate", "eca", "bam"])
def test_a_kind_of_the_table_is_what_is_asked_of_a_users_own(kind):
    check_attention(f"nas_attn.attention:{ATTENTIONS[kind].__name__}")


def test_a_check_leaves_the_random_state_as_it_was(own):
    kind = own(GOOD)
    torch.manual_seed(11)
    before = torch.get_rng_state()
    check_attention(kind)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_check_is_made_once(own, monkeypatch):
    kind = own(GOOD)
    check_attention(kind)
    monkeypatch.delattr(sys.modules[kind.partition(":")[0]], "Mine")
    check_attention(kind)
    with pytest.raises(InputError):
        attention_class(kind)


def test_a_fault_is_told_every_time(own):
    kind = own("class Mine: pass")
    assert fault(kind) == fault(kind)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_a_kind_of_the_table_is_its_class(kind):
    assert attention_class(kind) is ATTENTIONS[kind]
    check_attention(kind)


@pytest.mark.parametrize("kind", ["see", "", "blocks", "blocks.Mine", "blocks:", ":Mine", "a b:Mine", "a:b:Mine"])
def test_an_unknown_kind_is_told_with_what_is_allowed(kind):
    hint = "did you mean 'se'? " if kind == "see" else ""
    for find in (attention_class, check_attention):
        with pytest.raises(InputError) as told:
            find(kind)
        assert str(told.value).startswith(f"unknown kind {kind!r}; {hint}allowed: se, cbam, coordinate")
        assert str(told.value).endswith(", or a class of your own as my_package.blocks:MyAttention")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import nowhere_at_all", "cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("class Mein: pass", "has no 'Mine'; did you mean 'Mein'?"),
        ("class Mine: pass", "found the class Mine; allowed: a subclass of torch.nn.Module"),
        ("def Mine(channels): return channels", "found a function; allowed: a subclass of torch.nn.Module"),
    ],
)
def test_a_class_that_cannot_be_had_is_told(own, source, told):
    kind = own(source)
    assert told in fault(kind)
    with pytest.raises(InputError, match=rf"^{kind}: "):
        attention_class(kind)


def test_a_class_that_cannot_be_spelt_is_told():
    assert fault("blöcke:Mine") == "cannot be spelt; allowed: ASCII letters, digits and _ only"


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        (
            "kernel_size",
            "found the parameters (kernel_size), and kernel_size without a default; allowed: the width first",
        ),
        ("reduction, channels=16", "found the parameters (reduction, channels=16), and reduction without a default"),
        ("channels, shape", "found the parameters (channels, shape), and shape without a default; allowed: the width"),
        (
            "channels, c_m, c_n, reconstruct=True",
            "found the parameters (channels, c_m, c_n, reconstruct=True), and c_m",
        ),
        ("channels, *, reduction: int", "found the parameters (channels, *, reduction: int), and reduction without"),
    ],
)
def test_parameters_that_nobody_can_fill_are_told_by_name(own, parameters, told):
    kind = own(f"""
        from torch import nn
        class Mine(nn.Module):
            def __init__(self, {parameters}):
                super().__init__()
        """)
    assert fault(kind).startswith(told)


def test_a_gated_attention_that_does_not_take_the_channels_of_its_signal_is_told(own):
    kind = own(GATED.replace("signal_channels, *, scale=1.0", "").replace("channels + signal_channels", "2 * channels"))
    assert fault(kind) == (
        "found the parameters (channels); allowed: the width and that of the signal first, then options, each with a "
        "default"
    )


@pytest.mark.parametrize("positions", ["()", "('branch', 'branch')", "('branch', 'head')", "'branch'", "None", "5"])
def test_positions_that_are_none_are_told(own, positions):
    kind = own(GATED.replace('("block", "inner")', positions))
    found = fault(kind)
    assert found.startswith("positions: found ")
    assert found.endswith("; allowed: some of branch, inner, pre, identity, block, stage, each once")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "channels // reduction",
            "channels / reduction",
            "cannot be built with 16 channels and its defaults: TypeError",
        ),
        (
            "super().__init__()",
            "super().__init__(); assert channels > 999, 'too few'",
            "cannot be built with 16 channels and its defaults: AssertionError: too few",
        ),
        ("self, features)", "self, features, mask)", "fails with a map of (2, 16, 6, 5) in evaluation mode: TypeError"),
        (
            "(2, 3)",
            "(2, 4)",
            "fails with a map of (2, 16, 6, 5) in evaluation mode: IndexError: Dimension out of range",
        ),
        (
            "return features *",
            "if self.training: raise KeyError('running')\n        return features *",
            "fails with a map of (2, 16, 6, 5) in training mode: KeyError: 'running'",
        ),
        (
            "return features *",
            "return features[:, :, 1:] *",
            "gives (2, 16, 5, 5) with a map of (2, 16, 6, 5) in evaluation mode; allowed: a tensor of the same shape",
        ),
        (
            "return features *",
            "return features, features *",
            "gives a tuple with a map of (2, 16, 6, 5) in evaluation mode; allowed: a tensor of the same shape",
        ),
        (
            "features *",
            "features.mul_(2) *",
            "changes its input in place with a map of (2, 16, 6, 5) in evaluation mode",
        ),
        (
            "return features * ",
            "with torch.no_grad(): return features * ",
            "hands no gradients on with a map of (2, 16, 6, 5) in training mode: RuntimeError",
        ),
        (
            "return features *",
            "if features.mean() > 9: return features\n        return features *",
            "torch.export refuses any batch of maps of 6 x 5: ",
        ),
        (
            "return features *",
            "return features * (0.5 if torch.compiler.is_compiling() else 1) *",
            "gives other numbers when torch.export has been through it, with a map of (2, 16, 6, 5)",
        ),
    ],
)
def test_what_a_users_attention_does_wrong_is_told(own, old, new, told):
    kind = own(GOOD.replace(old, new))
    assert fault(kind).startswith(told)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "super().__init__()",
            "super().__init__(); assert channels < 256, 'too many'",
            [
                "not with 256 channels: cannot be built with 256 channels and its defaults: AssertionError: too many",
                "not with 512 channels: cannot be built with 512 channels and its defaults: AssertionError: too many",
            ],
        ),
        (
            "return features *",
            "if features.shape[2] == 6: features = features + 0\n        return features *",
            ["exported for one size of image only, because torch.export refuses any batch, height and width: "],
        ),
        ("return features *", "return features + 0 *", ["changes nothing at first"]),
    ],
)
def test_what_a_users_attention_cannot_do_everywhere_is_told_and_it_is_taken(own, old, new, told):
    found = check_attention(own(GOOD.replace(old, new)))
    assert len(found) == len(told)
    assert all(line.startswith(start) for line, start in zip(found, told, strict=True))


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_every_kind_says_where_in_a_block_it_makes_sense(kind):
    positions = allowed_positions(ATTENTIONS[kind])
    assert positions == describe(ATTENTIONS[kind]).positions
    assert positions
    assert len(set(positions)) == len(positions)
    assert set(positions) <= set(POSITIONS)


@pytest.mark.parametrize(
    ("place", "kinds"),
    [
        (
            "branch",
            {"se", "ese", "cbam", "eca", "spatial", "global_context", "triplet", "gate", "multi_scale", "shuffle"}
            | {"gather_excite", "efficient_local"},
        ),
        ("inner", {"coordinate", "simam", "strip", "selective_kernel"}),
        ("block", {"non_local", "efficient", "scse"}),
        ("stage", {"bam"}),
    ],
)
def test_the_first_position_is_where_the_paper_has_it(place, kinds):
    assert {kind for kind, attention in ATTENTIONS.items() if allowed_positions(attention)[0] == place} == kinds


def test_a_gate_stands_only_where_its_signal_is_something_else_than_its_features():
    assert set(allowed_positions(ATTENTIONS["gate"])) == {"branch", "inner", "block"}
