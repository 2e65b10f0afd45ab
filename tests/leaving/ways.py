"""Ways in which people write one small network: the files of each, and which of them it needs elsewhere."""

from typing import NamedTuple

BLOCK = """
from torch import nn


class Block(nn.Module):
    def __init__(self, channels, groups=1):
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(channels, channels, 3, padding=1, groups=groups), nn.BatchNorm2d(channels)
        self.relu, self.conv2 = nn.ReLU(), nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return x + self.conv2(self.relu(self.norm(self.conv1(x))))
"""
CHAIN = """
from torch import nn


def chain(first, second, in_channels, classes, width=4):
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)]
    return nn.Sequential(nn.Conv2d(in_channels, width, 3, padding=1), first, second, *head)
"""
MAKE = """

def make_net(in_channels, classes):
    return chain(Block(4), Block(4), in_channels, classes)
"""
WHOLE = BLOCK + CHAIN + MAKE


class Way(NamedTuple):
    """A network as files by path, and what is known of how it leaves."""

    files: dict[str, str]
    name: str = "nets:make_net"
    goes: str = ""
    """The files that go along, where not all do."""
    needs: tuple[str, ...] = ()
    kind: str = "se"
    remarks: tuple[str, ...] = ()


def in_nets(text, **settings):
    """A network of one file."""
    return Way({"nets.py": text}, **settings)


PACKAGE = {"shop/__init__.py": "", "shop/blocks.py": BLOCK, "shop/chains.py": CHAIN}
FLAT = {"blocks.py": BLOCK, "chains.py": CHAIN}
FOUND = "import json\nfrom pathlib import Path\n\nWIDTH = json.loads({})['width']\n"
READ = BLOCK + CHAIN + "\n\ndef make_net(in_channels, classes):\n"
READ += "    return chain(Block(WIDTH), Block(WIDTH), in_channels, classes, WIDTH)\n"
SCALE = """
from torch import nn


class Scale(nn.Module):
    def __init__(self, channels, *, bias: bool = True):
        super().__init__()
        self.gate = nn.Conv2d(channels, channels, 1, bias=bias)

    def forward(self, features):
        return features * self.gate(features.mean((2, 3), keepdim=True)).sigmoid()
"""

WAYS = {
    "one file": in_nets(WHOLE),
    "two files": Way({"nets.py": "from blocks import Block\n" + CHAIN + MAKE, "blocks.py": BLOCK}),
    "relative": Way(
        {**PACKAGE, "shop/nets.py": f"from .blocks import Block\nfrom .chains import chain\n{MAKE}"},
        "shop.nets:make_net",
    ),
    "absolute": Way(
        {**PACKAGE, "shop/nets.py": f"from shop.blocks import Block\nfrom shop.chains import chain\n{MAKE}"},
        "shop.nets:make_net",
    ),
    "a module of a package": Way(
        {
            **PACKAGE,
            "shop/nets.py": "from shop import blocks, chains\nBlock, chain = blocks.Block, chains.chain\n" + MAKE,
        },
        "shop.nets:make_net",
    ),
    "dotted": Way(
        {
            **PACKAGE,
            "shop/nets.py": "import shop.blocks, shop.chains as c\nBlock, chain = shop.blocks.Block, c.chain\n" + MAKE,
        },
        "shop.nets:make_net",
    ),
    "everything of a module": Way({**FLAT, "nets.py": "from blocks import *\nfrom chains import *\n" + MAKE}),
    "everything of a package": Way(
        {
            **PACKAGE,
            "shop/__init__.py": "from .blocks import *\nfrom .chains import *\n"
            "from .nets import make_net\n__all__ = ['make_net']\n",
            "shop/nets.py": "from . import *\nfrom .blocks import Block\nfrom .chains import chain\n" + MAKE,
        },
        "shop:make_net",
    ),
    "what nobody imports": Way(
        {"nets.py": WHOLE, "train.py": "import wandb", "shop/other.py": "x = 1"}, goes="nets.py"
    ),
    "a registry": in_nets(
        "MODELS = {}\n\n\ndef register(made):\n    MODELS[made.__name__] = made\n    return made\n"
        + WHOLE.replace("def make_net", "@register\ndef small")
        + "\n\ndef make_net(in_channels, classes, name='small'):\n    return MODELS[name](in_channels, classes)\n"
    ),
    "a registry of a package": Way(
        {
            "zoo/__init__.py": "from . import small\nfrom .registry import make_net\n",
            "zoo/registry.py": "MODELS = {}\nregister = lambda f: MODELS.setdefault(f.__name__, f)\n\n\n"
            "def make_net(in_channels, classes):\n    return MODELS['small'](in_channels, classes)\n",
            "zoo/small.py": "from .registry import register\n" + WHOLE.replace("def make_net", "@register\ndef small"),
        },
        "zoo:make_net",
    ),
    "a registry in its module": in_nets(
        "import sys\n__all__ = []\n\n\ndef register(f):\n"
        "    sys.modules[f.__module__].__all__.append(f.__name__)\n    return f\n"
        + WHOLE.replace("def make_net", "@register\ndef make_net")
    ),
    "found by walking": Way(
        {
            "zoo/__init__.py": "import importlib, pkgutil\nfrom .table import TABLE\n"
            "for each in pkgutil.iter_modules(__path__):\n    importlib.import_module(f'{__name__}.{each.name}')\n\n\n"
            "def make_net(in_channels, classes):\n    return TABLE['x'](in_channels, classes)\n",
            "zoo/table.py": "TABLE = {}\n",
            "zoo/small.py": "from .table import TABLE\n" + WHOLE + "\n\nTABLE['x'] = make_net\n",
        },
        "zoo:make_net",
    ),
    "imported by a text": Way(
        {
            "zoo/__init__.py": "",
            "zoo/nets.py": "from importlib import import_module\n\nBlock = import_module('zoo.blocks').Block\n"
            "chain = import_module('.chains', __package__).chain\n" + MAKE,
            "zoo/blocks.py": BLOCK,
            "zoo/chains.py": CHAIN,
        },
        "zoo.nets:make_net",
    ),
    "a class by its path": Way(
        {
            "nets.py": "from importlib import import_module\n"
            + CHAIN
            + "\n\ndef made(path, *arguments):\n    module, _, name = path.rpartition('.')\n"
            "    return getattr(import_module(module), name)(*arguments)\n\n\n"
            "def make_net(in_channels, classes, of='blocks.Block'):\n"
            "    return chain(made(of, 4), made(of, 4), in_channels, classes)\n",
            "blocks.py": BLOCK,
        }
    ),
    "an optional import": in_nets(
        "try:\n    from fast_kernels_of_nobody import Norm\nexcept ImportError:\n    Norm = None\n" + WHOLE
    ),
    "an optional sibling": Way(
        {
            **PACKAGE,
            "shop/nets.py": "try:\n    from .cuda import chain\nexcept ImportError:\n    from .chains import chain\n"
            "from .blocks import Block\n" + MAKE,
        },
        "shop.nets:make_net",
    ),
    "imports for both": Way(
        {
            "nets.py": "try:\n    from .blocks import Block\nexcept ImportError:\n    from blocks import Block\n"
            + CHAIN
            + MAKE,
            "blocks.py": BLOCK,
        }
    ),
    "a program too": Way(
        {"nets.py": WHOLE + "\n\nif __name__ == '__main__':\n    from train import main\n", "train.py": "import wandb"},
        goes="nets.py",
    ),
    "another version": in_nets(
        "import torch\nif hasattr(torch, 'compile'):\n    scale = 1\nelse:\n    scale = 2\n"
        + WHOLE.replace("Block(4)", "Block(4 * scale)")
    ),
    "partial": in_nets(
        "from functools import partial\n"
        + WHOLE.replace("classes):\n    return", "classes, unused):\n    return")
        + "\n\nmake_net = partial(make_net, unused=1)\n"
    ),
    "lambda": in_nets(
        BLOCK + CHAIN + "\n\nmake_net = lambda in_channels, classes: chain(Block(4), Block(4), in_channels, classes)\n"
    ),
    "lambda as a layer": in_nets(
        WHOLE.replace("self.relu, ", "self.relu = Apply(lambda x: x.clamp(min=0))\n        ")
        .replace("nn.ReLU(), nn.Conv2d(channels, channels, 1)", "nn.Conv2d(channels, channels, 1)")
        .replace("        self.conv2", "        self.conv2")
        + "\n\nclass Apply(nn.Module):\n    def __init__(self, f):\n        super().__init__()\n        self.f = f\n\n"
        "    def forward(self, x):\n        return self.f(x)\n"
    ),
    "class method": in_nets(
        BLOCK + CHAIN + "\n\nclass Nets:\n    @classmethod\n    def small(cls, in_channels, classes):\n"
        "        return chain(Block(4), Block(4), in_channels, classes)\n\n\nmake_net = Nets.small\n"
    ),
    "alias": in_nets(
        BLOCK + "\n\nclass Net(nn.Sequential):\n    def __init__(self, in_channels, classes):\n"
        "        super().__init__(nn.Conv2d(in_channels, 4, 1), Block(4), Block(4), nn.AdaptiveAvgPool2d(1),\n"
        "                         nn.Flatten(),\n"
        "                         nn.Linear(4, classes))\n\n\nmake_net = Net\n"
    ),
    "a class in a function": in_nets(
        WHOLE.replace("class Block", "def factory():\n  pass\n\n\nclass Block")
        .replace(
            "\n\ndef make_net",
            "\n\ndef local():\n    class Local(Block):\n        pass\n    return Local\n\n\ndef make_net",
        )
        .replace("chain(Block(4)", "chain(local()(4)")
    ),
    "dataclass": in_nets(
        "from __future__ import annotations\nfrom dataclasses import dataclass, field\n\n\n"
        "@dataclass\nclass Settings:\n"
        "    width: int = 4\n    more: list[int] = field(default_factory=list)\n"
        + WHOLE.replace("Block(4)", "Block(Settings().width)")
    ),
    "enum": in_nets(
        "from enum import Enum\n\n\nclass Size(Enum):\n    SMALL = 4\n    LARGE = 8\n"
        + WHOLE.replace("Block(4)", "Block(Size.SMALL.value)")
    ),
    "computed constants": in_nets(
        "WIDTHS = A, B = tuple(2 ** n for n in (2, 2))\n" + WHOLE.replace("Block(4)", "Block(B)")
    ),
    "protocol and named tuple": in_nets(
        "from typing import NamedTuple, Protocol\n\n\nclass Has(Protocol):\n    width: int\n\n\n"
        "class Of(NamedTuple):\n    width: int = 4\n" + WHOLE.replace("Block(4)", "Block(Of().width)")
    ),
    "names of ours": in_nets(
        "from torch import nn as Placement\n"
        + WHOLE.replace("class Block", "class SqueezeExcitation").replace("Block(4)", "SqueezeExcitation(4)")
        + "\n\nPoint = attach = load = build = model = read_tensors = network = None\n"
        "own_code = seeded = importlib = None\ntorch = 7\n"
    ),
    "a file named model": Way({"model.py": WHOLE}, "model:make_net"),
    "a package named model": Way(
        {
            "model/__init__.py": "",
            "model/nets.py": "from model.blocks import Block\n" + CHAIN + MAKE,
            "model/blocks.py": BLOCK,
        },
        "model.nets:make_net",
    ),
    "models and utils": Way(
        {
            "models/__init__.py": "",
            "models/nets.py": "from utils import chain\nfrom .blocks import Block\n" + MAKE,
            "models/blocks.py": BLOCK,
            "utils.py": CHAIN,
        },
        "models.nets:make_net",
    ),
    "side effects": Way(
        {
            **PACKAGE,
            "shop/__init__.py": "import os, warnings\nprint('hello')\nos.environ['SHOP'] = '4'\n"
            "warnings.simplefilter('default')\n",
            "shop/nets.py": "import os\nfrom .blocks import Block\nfrom .chains import chain\n"
            + MAKE.replace("Block(4)", "Block(int(os.environ['SHOP']))"),
        },
        "shop.nets:make_net",
    ),
    "data beside it": Way(
        {"nets.py": FOUND.format("Path(__file__).with_name('net.json').read_text()") + READ, "net.json": '{"width": 4}'}
    ),
    "data in a folder": Way(
        {
            "zoo/__init__.py": "",
            "zoo/nets.py": "import os\n"
            + FOUND.format("Path(os.path.join(os.path.dirname(__file__), 'configs'), f'{0 or \"a\"}.json').read_text()")
            + READ,
            "zoo/configs/a.json": '{"width": 4}',
            "zoo/configs/b.json": "{}",
        },
        "zoo.nets:make_net",
    ),
    "data above it": Way(
        {
            "zoo/__init__.py": "",
            "zoo/nets.py": FOUND.format("(Path(__file__).parent.parent / 'configs' / 'net.json').read_text()") + READ,
            "configs/net.json": '{"width": 4}',
            "configs/other.json": "{}",
        },
        "zoo.nets:make_net",
        goes="zoo/__init__.py zoo/nets.py configs/net.json",
    ),
    "resources": Way(
        {
            "zoo/__init__.py": "",
            "zoo/nets.py": "from importlib.resources import files\n"
            + FOUND.format("files('zoo.data').joinpath('net.json').read_text()")
            + READ,
            "zoo/data/__init__.py": "",
            "zoo/data/net.json": '{"width": 4}',
        },
        "zoo.nets:make_net",
    ),
    "package data": Way(
        {
            "zoo/__init__.py": "",
            "zoo/nets.py": "import pkgutil\n" + FOUND.format("pkgutil.get_data('zoo', 'net.json')") + READ,
            "zoo/net.json": '{"width": 4}',
        },
        "zoo.nets:make_net",
    ),
    "data found by another module": Way(
        {
            "zoo/__init__.py": "from pathlib import Path\n\nHERE = Path(__file__).parent\n",
            "zoo/nets.py": "from . import HERE\n" + FOUND.format("(HERE / 'data' / 'net.json').read_text()") + READ,
            "zoo/data/net.json": '{"width": 4}',
        },
        "zoo.nets:make_net",
    ),
    "imported when built": Way(
        {
            "nets.py": CHAIN + MAKE.replace("    return", "    from blocks import Block\n\n    return"),
            "blocks.py": BLOCK,
        }
    ),
    "imported in a pass": Way(
        {
            "nets.py": WHOLE.replace(
                "        return x +", "        import later\n\n        x = later.kept(x)\n        return x +"
            ),
            "later.py": "def kept(x):\n    return 2 * x\n",
        }
    ),
    "circles": Way(
        {
            "shop/__init__.py": "",
            "shop/nets.py": "from . import blocks\n"
            + CHAIN
            + MAKE.replace("Block(4)", "blocks.Block(WIDTH)")
            + "\n\nWIDTH = 4\n",
            "shop/blocks.py": "from . import nets\n" + BLOCK,
        },
        "shop.nets:make_net",
    ),
    "no __init__": Way(
        {"spread/nets.py": "from spread.inner.blocks import Block\n" + CHAIN + MAKE, "spread/inner/blocks.py": BLOCK},
        "spread.nets:make_net",
        goes="spread/__init__.py spread/nets.py spread/inner/__init__.py spread/inner/blocks.py",
    ),
    "deep": Way(
        {
            "a/__init__.py": "",
            "a/b/__init__.py": "",
            "a/b/c/__init__.py": "",
            "a/b/c/nets.py": "from ...blocks import Block\nfrom ..chains import chain\n" + MAKE,
            "a/blocks.py": BLOCK,
            "a/b/chains.py": CHAIN,
        },
        "a.b.c.nets:make_net",
    ),
    "types only": Way(
        {
            "nets.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from train import Trainer\n" + WHOLE,
            "train.py": "import wandb",
        },
        goes="nets.py",
    ),
    "its folder put on the path": Way(
        {
            "zoo/__init__.py": "",
            "zoo/nets.py": "import os, sys\nsys.path.insert(0, os.path.dirname(__file__))\nfrom blocks import Block\n"
            + CHAIN
            + MAKE,
            "zoo/blocks.py": BLOCK,
        },
        "zoo.nets:make_net",
        goes="zoo/__init__.py zoo/nets.py blocks.py",
    ),
    "attributes on demand": Way(
        {
            **PACKAGE,
            "shop/__init__.py": "import importlib\n\n\ndef __getattr__(name):\n    if name == 'make_net':\n"
            "        return importlib.import_module('.nets', __name__).make_net\n    raise AttributeError(name)\n",
            "shop/nets.py": "from .blocks import Block\nfrom .chains import chain\n" + MAKE,
        },
        "shop:make_net",
    ),
    "another encoding": in_nets("# -*- coding: latin-1 -*-\nNAME = '\xe9'\nassert len(NAME) == 1\n" + WHOLE),
    "random numbers that are not kept": in_nets(
        "import torch\n"
        + WHOLE.replace(
            "        self.relu,",
            "        self.register_buffer('noise', torch.randn(channels, 1, 1), persistent=False)\n"
            "        self.also = torch.rand(1)\n        self.relu,",
        ).replace("return x +", "return self.also * x * self.noise +")
    ),
    "tied": in_nets(
        WHOLE.replace(
            "    return chain(Block(4), Block(4),",
            "    one, other = Block(4), Block(4)\n    one.conv2 = other.conv2\n"
            "    one.conv1.weight = other.conv1.weight\n    return chain(one, other,",
        )
    ),
    "every type of number": in_nets(
        "import torch\nKEPT = [torch.bfloat16, torch.float16, torch.float64, torch.int8, torch.uint8, torch.bool,\n"
        "        torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2, torch.int16, torch.uint16]\n"
        + WHOLE.replace(
            "        self.relu,",
            "        for n, dtype in enumerate(KEPT):\n"
            "            self.register_buffer(f'kept{n}', torch.ones(2).to(dtype))\n"
            "        self.register_buffer('none', torch.zeros(0, 3))\n"
            "        self.register_buffer('some', torch.arange(6.).reshape(2, 3).T[1:])\n        self.relu,",
        )
    ),
    "its own state dict": in_nets(
        WHOLE.replace(
            "        self.relu,",
            "        self.register_state_dict_post_hook(renamed)\n"
            "        self.register_load_state_dict_pre_hook(named_back)\n        self.relu,",
        )
        + "\n\ndef renamed(module, state, prefix, _):\n"
        "    state[prefix + 'w'] = state.pop(prefix + 'conv2.weight')\n\n\n"
        "def named_back(module, state, prefix, *_):\n    state[prefix + 'conv2.weight'] = state.pop(prefix + 'w')\n"
    ),
    "parametrised": in_nets(
        "from torch.nn.utils.parametrizations import weight_norm\n"
        + WHOLE.replace("nn.Conv2d(channels, channels, 1)", "weight_norm(nn.Conv2d(channels, channels, 1))")
    ),
    "traced": in_nets(
        "from torch import fx\n"
        + WHOLE.replace(
            "return chain(Block(4), Block(4), in_channels, classes)",
            "return fx.symbolic_trace(chain(Block(4), Block(4), in_channels, classes))",
        )
    ),
    "an operator of its own": in_nets(
        "import torch\n\n\n@torch.library.custom_op('ways::double', mutates_args=())\n"
        "def double(x: torch.Tensor) -> torch.Tensor:\n    return x * 2\n\n\n"
        "@double.register_fake\ndef _(x):\n    return torch.empty_like(x)\n"
        + WHOLE.replace("self.relu(self.norm(self.conv1(x)))", "double(self.relu(self.norm(self.conv1(x))))")
    ),
    "a library inside": in_nets(
        "from torchvision.ops import Conv2dNormActivation as CNA\n"
        + WHOLE.replace("nn.Conv2d(channels, channels, 1)", "CNA(channels, channels, 1)"),
        needs=("torchvision",),
    ),
    "parts of ours inside": Way(
        {
            "nets.py": "from nas_attn.attention import CBAM\nfrom nas_attn.attention.options import same_padding\n"
            + CHAIN
            + BLOCK.replace("padding=1", "padding=same_padding(3)").replace(
                "nn.ReLU()", "CBAM(channels, kernel_size=3)"
            )
            + MAKE,
            "mine.py": "from nas_attn.attention import SqueezeExcitation, TripletAttention\n\n\n"
            "class Own(SqueezeExcitation):\n    pass\n",
        },
        kind="mine:Own(reduction=2)",
        goes="nets.py mine.py nas_attn/__init__.py nas_attn/attention/__init__.py "
        "nas_attn/attention/options/__init__.py",
    ),
    "an attention too": Way(
        {
            **FLAT,
            "nets.py": "from blocks import Block\nfrom chains import chain\n" + MAKE,
            "attentions.py": "from scale import Scale\n",
            "scale.py": SCALE,
        },
        kind="attentions:Scale(bias=false,start=identity)",
    ),
    "an attention in a built-in network": Way(
        {"mine/__init__.py": "", "mine/attentions.py": "from .scale import Scale\n", "mine/scale.py": SCALE},
        "resnet8",
        kind="mine.attentions:Scale",
    ),
}
"""By what they are called in the tests."""
