class Block(nn.Module):
    """Two 3x3 convolutions, or 1x1, 3x3 and 1x1 in a bottleneck, beside a shortcut."""

    def __init__(self, inputs, width, stride, deep, skip):
        super().__init__()
        outputs = 4 * width if deep else width
        shapes = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        if not deep:
            shapes = [(inputs, width, 3, stride), (width, width, 3, 1)]
        self.depth, self.skip = len(shapes), None
        for n, (i, o, kernel, step) in enumerate(shapes, 1):
            setattr(self, f"conv{n}", nn.Conv2d(i, o, kernel, step, kernel // 2, bias=False))
            setattr(self, f"bn{n}", nn.BatchNorm2d(o))
        if stride != 1 or inputs != outputs:
            setattr(self, skip, nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)))
            self.skip = skip

    def forward(self, x):
        y = x
        for n in range(1, self.depth + 1):
            y = getattr(self, f"bn{n}")(getattr(self, f"conv{n}")(y))
            y = torch.relu(y) if n < self.depth else y
        return torch.relu(y + (getattr(self, self.skip)(x) if self.skip else x))


class ResNet(nn.Module):
    """For small images with a 3x3 stem; for large ones as torchvision's."""

    def __init__(self, counts, deep, large):
        super().__init__()
        self.large, self.last = large, "fc" if large else "linear"
        self.conv1 = nn.Conv2d(SHAPE[0], 64, 7 if large else 3, 2 if large else 1, 3 if large else 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for layer, count in enumerate(counts):
            blocks, width = [], 64 << layer
            for n in range(count):
                blocks.append(Block(inputs, width, 2 if layer and not n else 1, deep, "downsample" if large else "shortcut"))
                inputs = 4 * width if deep else width
            setattr(self, f"layer{layer + 1}", nn.Sequential(*blocks))
        if WIDTH:
            self.added_linear = nn.Linear(inputs, WIDTH)
        setattr(self, self.last, nn.Linear(WIDTH or inputs, len(CLASSES)))

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        if self.large:
            x = nn.functional.max_pool2d(x, 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))
        return getattr(self, self.last)(self.added_linear(x) if WIDTH else x)


def network():
    deep = NETWORK.endswith("50")
    return ResNet([3, 4, 6, 3] if deep else [2, 2, 2, 2], deep, NETWORK.startswith("imagenet-"))
