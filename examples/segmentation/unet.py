"""A U-Net in plain PyTorch, made for channels and classes; its skips are `nn.Identity`, so that gates have a place."""

from torch import cat, nn


def layer(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


class Up(nn.Module):
    def __init__(self, below, beside):
        super().__init__()
        self.grow, self.skip = nn.ConvTranspose2d(below, beside, 2, 2), nn.Identity()
        self.conv = layer(2 * beside, beside)

    def forward(self, features, skip):
        return self.conv(cat([self.skip(skip), self.grow(features)], 1))


class UNet(nn.Module):
    def __init__(self, in_channels, classes, width):
        super().__init__()
        self.encoder = nn.ModuleList([layer(in_channels, width), layer(width, 2 * width), layer(2 * width, 4 * width)])
        self.pool, self.up2, self.up1 = nn.MaxPool2d(2), Up(4 * width, 2 * width), Up(2 * width, width)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, images):
        first = self.encoder[0](images)
        second = self.encoder[1](self.pool(first))
        return self.head(self.up1(self.up2(self.encoder[2](self.pool(second)), second), first))


def unet(in_channels, classes, width=8):
    return UNet(in_channels, classes, width)
