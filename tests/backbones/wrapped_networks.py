"""One small residual network, as people wrap it."""

import torch
from torch import nn
from torch.ao import quantization
from torch.nn.utils import parametrizations as P
from torch.utils.checkpoint import checkpoint


class Block(nn.Module):
    def __init__(self, i, o, s=1):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, s, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.relu = nn.ReLU(inplace=True)
        self.down = (
            nn.Sequential(nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o)) if s != 1 or i != o else nn.Identity()
        )

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.down(x)
        return self.relu(out)


class Net(nn.Module):
    def __init__(self, c, k):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(c, 8, 3, 1, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.layer1 = nn.Sequential(Block(8, 8), Block(8, 8))
        self.layer2 = nn.Sequential(Block(8, 16, 2), Block(16, 16))
        self.fc = nn.Linear(16, k)

    def forward(self, x):
        return self.fc(self.layer2(self.layer1(self.stem(x))).mean((2, 3)))


def plain(*, in_channels, classes):
    return Net(in_channels, classes)


def graph(*, in_channels, classes):
    return torch.fx.symbolic_trace(Net(in_channels, classes))


def exported(*, in_channels, classes):
    given = (torch.zeros(2, in_channels, 8, 8),)
    return torch.export.export(Net(in_channels, classes), given, strict=False).module()


def data_parallel(*, in_channels, classes):
    return nn.DataParallel(Net(in_channels, classes))


def data_parallel_inside(*, in_channels, classes):
    n = Net(in_channels, classes)
    n.layer1 = nn.DataParallel(n.layer1)
    return n


def data_parallel_by_two_names(*, in_channels, classes):
    n = Net(in_channels, classes)
    n.layer1 = n.alias = nn.DataParallel(n.layer1)
    return n


def compiled(*, in_channels, classes):
    return torch.compile(Net(in_channels, classes))


def compiled_inside(*, in_channels, classes):
    n = Net(in_channels, classes)
    n.layer2[0] = torch.compile(n.layer2[0])
    return n


def compiled_in_place(*, in_channels, classes):
    n = Net(in_channels, classes)
    n.layer2.compile()
    return n


def weight_norm_by_hooks(*, in_channels, classes):
    n = Net(in_channels, classes)
    for m in n.modules():
        if isinstance(m, nn.Conv2d):
            nn.utils.weight_norm(m)
    return n


def weight_norm(*, in_channels, classes):
    n = Net(in_channels, classes)
    for m in list(n.modules()):
        if isinstance(m, nn.Conv2d):
            P.weight_norm(m)
    return n


def spectral_norm(*, in_channels, classes):
    n = Net(in_channels, classes)
    for m in list(n.modules()):
        if isinstance(m, nn.Conv2d):
            P.spectral_norm(m)
    return n


def spectral_norm_by_hooks(*, in_channels, classes):
    n = Net(in_channels, classes)
    for m in n.modules():
        if isinstance(m, nn.Conv2d):
            nn.utils.spectral_norm(m)
    return n


def quantised(*, in_channels, classes):
    n = Net(in_channels, classes).eval()
    n.qconfig = quantization.default_qconfig
    n = quantization.prepare(n)
    n(torch.rand(2, in_channels, 8, 8))
    return quantization.convert(n)


def quantised_last_layer(*, in_channels, classes):
    return quantization.quantize_dynamic(Net(in_channels, classes).eval(), {nn.Linear})


def lazy(*, in_channels, classes):
    n = Net(in_channels, classes)
    n.fc = nn.LazyLinear(classes)
    n.stem[0] = nn.LazyConv2d(8, 3, padding=1)
    return n


def half(*, in_channels, classes):
    return Net(in_channels, classes).half()


def brain_half(*, in_channels, classes):
    return Net(in_channels, classes).bfloat16()


def double(*, in_channels, classes):
    return Net(in_channels, classes).double()


class HalfInside(Net):
    def __init__(self, c, k):
        super().__init__(c, k)
        self.layer2.half()

    def forward(self, x):
        return self.fc(self.layer2(self.layer1(self.stem(x)).half()).float().mean((2, 3)))


def half_inside(*, in_channels, classes):
    return HalfInside(in_channels, classes)


def scripted(*, in_channels, classes):
    return torch.jit.script(Net(in_channels, classes))


def traced(*, in_channels, classes):
    return torch.jit.trace(Net(in_channels, classes).eval(), torch.zeros(2, in_channels, 8, 8))


def scripted_inside(*, in_channels, classes):
    n = Net(in_channels, classes)
    n.layer1 = torch.jit.script(n.layer1)
    return n


def frozen(*, in_channels, classes):
    n = Net(in_channels, classes)
    for p in n.layer1.parameters():
        p.requires_grad_(False)
    return n


def in_eval_mode(*, in_channels, classes):
    return Net(in_channels, classes).eval()


def hooked(*, in_channels, classes):
    n = Net(in_channels, classes)
    n.kept = []
    n.layer1.register_forward_hook(lambda m, i, o: o * 1.0)
    return n


def channels_last(*, in_channels, classes):
    return Net(in_channels, classes).to(memory_format=torch.channels_last)


class NonPersistent(Net):
    def __init__(self, c, k):
        super().__init__(c, k)
        self.register_buffer("scale", torch.full((1,), 2.0), persistent=False)

    def forward(self, x):
        return super().forward(x * self.scale)


def with_a_buffer_that_is_not_kept(*, in_channels, classes):
    return NonPersistent(in_channels, classes)


def checkpointed(*, in_channels, classes):
    class C(Net):
        def forward(self, x):
            features = checkpoint(self.layer1, self.stem(x), use_reentrant=False)
            return self.fc(checkpoint(self.layer2, features, use_reentrant=False).mean((2, 3)))

    return C(in_channels, classes)


def made_in_inference_mode(*, in_channels, classes):
    with torch.inference_mode():
        return Net(in_channels, classes)


def averaged(*, in_channels, classes):
    return torch.optim.swa_utils.AveragedModel(Net(in_channels, classes))


def synchronised(*, in_channels, classes):
    return nn.SyncBatchNorm.convert_sync_batchnorm(Net(in_channels, classes))


def lazy_and_wide(*, in_channels, classes):
    n = lazy(in_channels=in_channels, classes=classes)
    n.layer2[0].conv1 = nn.Conv2d(9, 16, 3, 2, 1)
    return n


class Written(nn.Module):
    """Blocks that the network adds up itself, with shortcuts that are modules."""

    def __init__(self, channels, classes, first):
        super().__init__()
        self.first = first
        self.stem = nn.Conv2d(channels, 8, 3, padding=1)
        self.a, self.b = (
            nn.ModuleDict({"conv": nn.Conv2d(8, 8, 3, padding=1), "shortcut": nn.Identity()}) for _ in "ab"
        )
        self.fc = nn.Linear(8, classes)

    def forward(self, x):
        x = self.stem(x).relu()
        for block in (self.a, self.b):
            if self.first:
                shortcut = block["shortcut"](x)
                x = (block["conv"](x) + shortcut).relu()
            else:
                x = (block["conv"](x) + block["shortcut"](x)).relu()
        return self.fc(x.mean((2, 3)))


def shortcut_first(*, in_channels, classes):
    return Written(in_channels, classes, True)


def shortcut_last(*, in_channels, classes):
    return Written(in_channels, classes, False)
