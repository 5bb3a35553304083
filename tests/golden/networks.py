#!/usr/bin/env python3
"""Makes networks.json: every network in plain PyTorch, with weights and images given in closed form, and what it answers.

The layers are written from the published layouts, independently of the program; tests/networks.rs fills the program's own networks
with the same numbers and must get the same names, shapes, logits and features. Run once, with PyTorch 2.11 and NumPy:

    python3 tests/golden/networks.py > tests/golden/networks.json
"""
import json
import math
import sys

import numpy
import torch
from torch import nn

MEAN, STD = 0.4, 0.25


def noise(count, place):
    """`count` numbers in [-1, 1) that look random: the middle of a square. Exact in 64-bit integers and in 32-bit floats."""
    j = numpy.arange(count, dtype=numpy.int64)
    h = (j * 1664525 + place * 1013904223 + 12345) % 2**31
    m = ((h * h) >> 15) % 2**24
    return (m / 2**23 - 1).astype(numpy.float32)


def value(name, shape, place):
    u = noise(math.prod(shape), place).reshape(shape)
    if len(shape) > 1:
        u = u * numpy.float32(math.sqrt(6 / math.prod(shape[1:])))
    elif name.endswith("running_var"):
        u = 1 + numpy.float32(0.5) * u
    elif name.endswith("weight"):
        u = 1 + numpy.float32(0.2) * u
    else:
        u = numpy.float32(0.1) * u
    return torch.from_numpy(u)


def images(shape):
    count = math.prod(shape)
    j = torch.arange(count, dtype=torch.float64)
    first = torch.sin(0.05 * j)
    second = torch.sin(0.011 * j + 1)
    return (0.5 + 0.5 * torch.stack([first, second])).to(torch.float32).view(2, *shape)


class Normed(nn.Sequential):
    """A convolution without bias and its batch norm, under the names 0 and 1."""

    def __init__(self, i, o, stride):
        super().__init__(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))


class Basic(nn.Module):
    wider = 1

    def __init__(self, i, width, stride, skip):
        super().__init__()
        self.conv1 = nn.Conv2d(i, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.skip = skip
        if stride != 1 or i != width:
            setattr(self, skip, Normed(i, width, stride))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        skip = getattr(self, self.skip, None)
        return torch.relu(y + (skip(x) if skip else x))


class Bottleneck(nn.Module):
    wider = 4

    def __init__(self, i, width, stride, skip):
        super().__init__()
        o = 4 * width
        self.conv1 = nn.Conv2d(i, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, o, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(o)
        self.skip = skip
        if stride != 1 or i != o:
            setattr(self, skip, Normed(i, o, stride))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        skip = getattr(self, self.skip, None)
        return torch.relu(y + (skip(x) if skip else x))


class ResNet(nn.Module):
    def __init__(self, block, counts, channels, classes, large=False, width=None):
        super().__init__()
        self.large = large
        self.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False) if large else nn.Conv2d(channels, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        i = 64
        for layer, count in enumerate(counts):
            blocks = []
            for n in range(count):
                blocks.append(block(i, 64 << layer, 2 if layer and not n else 1, "downsample" if large else "shortcut"))
                i = (64 << layer) * block.wider
            setattr(self, f"layer{layer + 1}", nn.Sequential(*blocks))
        self.head = "fc" if large else "linear"
        setattr(self, self.head, nn.Linear(width or i, classes))
        if width:
            self.added_linear = nn.Linear(i, width)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        if self.large:
            x = nn.functional.max_pool2d(x, 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))
        if hasattr(self, "added_linear"):
            x = self.added_linear(x)
        return getattr(self, self.head)(x), x


PLANS = {
    11: [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    16: [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"],
    19: [64, 64, "M", 128, 128, "M"] + [256] * 4 + ["M"] + [512] * 4 + ["M"] + [512] * 4 + ["M"],
}


def plan(depth, channels, normed):
    layers, i = [], channels
    for o in PLANS[depth]:
        if o == "M":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers.append(nn.Conv2d(i, o, 3, padding=1))
            layers += [nn.BatchNorm2d(o)] if normed else []
            layers.append(nn.ReLU())
            i = o
    return nn.Sequential(*layers)


class Vgg(nn.Module):
    def __init__(self, depth, channels, classes):
        super().__init__()
        self.features = plan(depth, channels, True)
        self.classifier = nn.Linear(512, classes)

    def forward(self, x):
        x = self.features(x).flatten(1)
        return self.classifier(x), x


class Large(nn.Module):
    """VGG-16 and AlexNet as in torchvision, the second hidden layer 2048 wide."""

    def __init__(self, features, side, hidden, classifier):
        super().__init__()
        self.features = features
        self.pool = nn.AdaptiveAvgPool2d(side)
        self.classifier = classifier
        self.hidden = hidden

    def forward(self, x):
        x = self.classifier[: self.hidden](self.pool(self.features(x)).flatten(1))
        return self.classifier[self.hidden :](x), x


def large_vgg(channels, classes):
    classifier = nn.Sequential(
        nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 2048), nn.ReLU(), nn.Dropout(), nn.Linear(2048, classes)
    )
    return Large(plan(16, channels, False), 7, 5, classifier)


def alexnet(channels, classes):
    features = nn.Sequential(
        nn.Conv2d(channels, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
    )  # fmt: skip
    classifier = nn.Sequential(
        nn.Dropout(), nn.Linear(256 * 36, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 2048), nn.ReLU(), nn.Linear(2048, classes)
    )
    return Large(features, 6, 6, classifier)


class Dnn(nn.Module):
    """The RRM paper's small network, in the layout that has its published count."""

    def __init__(self, channels, side, classes):
        super().__init__()
        layers, i = [], channels
        for o in (32, 64, 128):
            layers += [nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            i = o
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(128 * (side // 8) ** 2, 512)
        self.linear = nn.Linear(512, classes)

    def forward(self, x):
        x = torch.relu(self.fc(self.features(x).flatten(1)))
        return self.linear(x), x


class PreBlock(nn.Module):
    """Batch norm and ReLU before each convolution; `wide` names the shortcut as TRADES does."""

    def __init__(self, i, o, stride, wide):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(i)
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.skip = None
        if stride != 1 or i != o:
            conv = nn.Conv2d(i, o, 1, stride, bias=False)
            if wide:
                self.convShortcut = conv
            else:
                self.shortcut = nn.Sequential(conv)
            self.skip = "convShortcut" if wide else "shortcut"

    def forward(self, x):
        active = torch.relu(self.bn1(x))
        y = self.conv2(torch.relu(self.bn2(self.conv1(active))))
        return y + (getattr(self, self.skip)(active) if self.skip else x)


class PreAct(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 3, 1, 1, bias=False)
        i = 64
        for layer in range(4):
            o = 64 << layer
            setattr(self, f"layer{layer + 1}", nn.Sequential(PreBlock(i, o, 2 if layer else 1, False), PreBlock(o, o, 1, False)))
            i = o
        self.bn = nn.BatchNorm2d(512)
        self.linear = nn.Linear(512, classes)

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.conv1(x)))))
        x = torch.relu(self.bn(x)).mean((2, 3))
        return self.linear(x), x


class Group(nn.Module):
    def __init__(self, count, i, o, stride):
        super().__init__()
        self.layer = nn.Sequential(*[PreBlock(o if n else i, o, 1 if n else stride, True) for n in range(count)])

    def forward(self, x):
        return self.layer(x)


class Wide(nn.Module):
    def __init__(self, depth, widen, channels, classes):
        super().__init__()
        count = (depth - 4) // 6
        widths = [16, 16 * widen, 32 * widen, 64 * widen]
        self.conv1 = nn.Conv2d(channels, 16, 3, 1, 1, bias=False)
        self.block1 = Group(count, widths[0], widths[1], 1)
        self.block2 = Group(count, widths[1], widths[2], 2)
        self.block3 = Group(count, widths[2], widths[3], 2)
        self.bn1 = nn.BatchNorm2d(widths[3])
        self.fc = nn.Linear(widths[3], classes)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        x = torch.relu(self.bn1(x)).mean((2, 3))
        return self.fc(x), x


def fingerprint(lines):
    """FNV-1a, 64 bits."""
    h = 0xCBF29CE484222325
    for byte in "\n".join(lines).encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return f"{h:016x}"


# Network, images (channels, side), classes, width of an added layer, how it is made.
CASES = [
    ("dnn", (3, 32), 10, None, lambda c, k: Dnn(c, 32, k)),
    ("dnn", (1, 28), 10, None, lambda c, k: Dnn(c, 28, k)),
    ("vgg11", (3, 32), 10, None, lambda c, k: Vgg(11, c, k)),
    ("vgg16", (3, 32), 10, None, lambda c, k: Vgg(16, c, k)),
    ("vgg19", (3, 32), 10, None, lambda c, k: Vgg(19, c, k)),
    ("resnet18", (3, 32), 10, None, lambda c, k: ResNet(Basic, [2, 2, 2, 2], c, k)),
    ("resnet50", (3, 32), 10, None, lambda c, k: ResNet(Bottleneck, [3, 4, 6, 3], c, k)),
    ("resnet50", (3, 32), 10, 512, lambda c, k: ResNet(Bottleneck, [3, 4, 6, 3], c, k, width=512)),
    ("preact-resnet18", (3, 32), 10, None, PreAct),
    ("preact-resnet18", (1, 28), 10, None, PreAct),
    ("wrn-28-10", (3, 32), 10, None, lambda c, k: Wide(28, 10, c, k)),
    ("wrn-34-10", (3, 32), 10, None, lambda c, k: Wide(34, 10, c, k)),
    ("imagenet-resnet18", (3, 96), 9, None, lambda c, k: ResNet(Basic, [2, 2, 2, 2], c, k, large=True)),
    ("imagenet-resnet50", (3, 96), 9, None, lambda c, k: ResNet(Bottleneck, [3, 4, 6, 3], c, k, large=True)),
    ("imagenet-vgg16", (3, 64), 9, None, large_vgg),
    ("imagenet-alexnet", (3, 96), 9, None, alexnet),
]
TRAINED = {"vgg11", "resnet50", "preact-resnet18", "imagenet-resnet18"}

torch.set_num_threads(2)
out = []
for network, (channels, side), classes, width, make in CASES:
    net = make(channels, classes).eval()
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    for place, (name, tensor) in enumerate(state.items()):
        tensor.copy_(value(name, tuple(tensor.shape), place))
    x = (images((channels, side, side)) - MEAN) / STD
    with torch.no_grad():
        logits, features = net(x)
        case = {
            "network": network,
            "shape": [channels, side, side],
            "classes": classes,
            "feature_width": width,
            "parameters": sum(p.numel() for p in net.parameters()),
            "entries": len(state),
            "names": fingerprint([f"{name} {list(tensor.shape)}" for name, tensor in state.items()]),
            "logits": logits.flatten().tolist(),
            "width": features.shape[1],
            "features": features[:, :: features.shape[1] // 8].flatten().tolist(),
        }
        if network in TRAINED and width is None:
            logits, _ = net.train()(x)
            last = [name for name in state if name.endswith("running_var")][-1]
            case["train"] = {"logits": logits.flatten().tolist(), "buffer": last, "variance": net.state_dict()[last][:8].tolist()}
    out.append(case)
    print(network, side, case["parameters"], file=sys.stderr)
print("[\n" + ",\n".join(json.dumps(case) for case in out) + "\n]")
