"""The module trees of torchvision's video networks, said once more from what its state dicts are called."""

import torch
from torch import nn


class Plain(nn.Sequential):
    """A residual stage's convolution in three dimensions, or the factorised pair: children 0, 1, 2, 3."""


def full(channels, out, _, stride):
    return nn.Conv3d(channels, out, 3, stride, 1, bias=False)


def factorised(channels, out, middle, stride):
    return Plain(
        nn.Conv3d(channels, middle, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(),
        nn.Conv3d(middle, out, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False),
    )


class Block(nn.Module):
    def __init__(self, kind, channels, out, stride):
        super().__init__()
        middle = channels * out * 27 // (channels * 9 + 3 * out)
        self.conv1 = nn.Sequential(kind(channels, out, middle, stride), nn.BatchNorm3d(out), nn.ReLU())
        self.conv2 = nn.Sequential(kind(out, out, middle, 1), nn.BatchNorm3d(out))
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv3d(channels, out, 1, stride, bias=False), nn.BatchNorm3d(out))

    def forward(self, x):
        beside = x if self.downsample is None else self.downsample(x)
        return torch.relu(self.conv2(self.conv1(x)) + beside)


class ResNet(nn.Module):
    def __init__(self, kind):
        super().__init__()
        if kind is full:
            first = [nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)]
        else:
            first = [nn.Conv3d(3, 45, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False), nn.BatchNorm3d(45), nn.ReLU()]
            first += [nn.Conv3d(45, 64, (3, 1, 1), 1, (1, 0, 0), bias=False)]
        self.stem = nn.Sequential(*first, nn.BatchNorm3d(64), nn.ReLU())
        for number, (channels, out) in enumerate(((64, 64), (64, 128), (128, 256), (256, 512)), start=1):
            blocks = (Block(kind, channels, out, 1 if number == 1 else 2), Block(kind, out, out, 1))
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
        self.fc = nn.Linear(512, 400)

    def features(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(x)))))
        return x.mean(dim=(2, 3, 4))


def unit(channels, out, kernel=(1, 1, 1), stride=(1, 1, 1)):
    padding = tuple(size // 2 for size in kernel)
    conv = nn.Conv3d(channels, out, kernel, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm3d(out, eps=0.001, momentum=0.001), nn.ReLU())


def pair(channels, out, kernel=3, stride=1):
    space = unit(channels, out, (1, kernel, kernel), (1, stride, stride))
    return nn.Sequential(space, unit(out, out, (kernel, 1, 1), (stride, 1, 1)))


class Inception(nn.Module):
    def __init__(self, channels, one, before_a, a, before_b, b, pooled):
        super().__init__()
        self.branch0 = unit(channels, one)
        self.branch1 = nn.Sequential(unit(channels, before_a), pair(before_a, a))
        self.branch2 = nn.Sequential(unit(channels, before_b), pair(before_b, b))
        self.branch3 = nn.Sequential(nn.MaxPool3d(3, 1, 1), unit(channels, pooled))

    def forward(self, x):
        return torch.cat([self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)], dim=1)


class S3D(nn.Module):
    def __init__(self):
        super().__init__()

        def shrink():
            return nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))

        self.features = nn.Sequential(
            pair(3, 64, 7, 2),
            shrink(),
            unit(64, 64),
            pair(64, 192),
            shrink(),
            Inception(192, 64, 96, 128, 16, 32, 32),
            Inception(256, 128, 128, 192, 32, 96, 64),
            nn.MaxPool3d(3, 2, 1),
            Inception(480, 192, 96, 208, 16, 48, 64),
            Inception(512, 160, 112, 224, 24, 64, 64),
            Inception(512, 128, 128, 256, 24, 64, 64),
            Inception(512, 112, 144, 288, 32, 64, 64),
            Inception(528, 256, 160, 320, 32, 128, 128),
            nn.MaxPool3d(2, 2),
            Inception(832, 256, 160, 320, 32, 128, 128),
            Inception(832, 384, 192, 384, 48, 128, 128),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Conv3d(1024, 400, 1))


def features_of(net, x):
    """What comes before the classifier, averaged over time and space."""
    return net.features(x).mean(dim=(2, 3, 4)) if isinstance(net, S3D) else net.features(x)


NETWORKS = {"r3d18": lambda: ResNet(full), "r2plus1d18": lambda: ResNet(factorised), "s3d": S3D}
