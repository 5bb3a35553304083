class Block(nn.Module):
    """Batch norm and ReLU before each convolution."""

    def __init__(self, inputs, outputs, stride, wide):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.skip = None
        if stride != 1 or inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.skip = "convShortcut" if wide else "shortcut"
            setattr(self, self.skip, conv if wide else nn.Sequential(conv))

    def forward(self, x):
        active = torch.relu(self.bn1(x))
        y = self.conv2(torch.relu(self.bn2(self.conv1(active))))
        return y + (getattr(self, self.skip)(active) if self.skip else x)


class Group(nn.Module):
    def __init__(self, count, inputs, outputs, stride):
        super().__init__()
        self.layer = nn.Sequential(*[Block(outputs if n else inputs, outputs, 1 if n else stride, True) for n in range(count)])

    def forward(self, x):
        return self.layer(x)


class PreAct(nn.Module):
    """A pre-activation ResNet-18, or a wide one of this depth and width."""

    def __init__(self, depth=None, widen=None):
        super().__init__()
        if depth:
            widths, count = [16, 16 * widen, 32 * widen, 64 * widen], (depth - 4) // 6
            groups = [Group(count, widths[n], widths[n + 1], 2 if n else 1) for n in range(3)]
            self.parts, self.norm, self.last = [f"block{n}" for n in (1, 2, 3)], "bn1", "fc"
        else:
            widths = [64, 64, 128, 256, 512]
            groups = [
                nn.Sequential(Block(widths[n], widths[n + 1], 2 if n else 1, False), Block(widths[n + 1], widths[n + 1], 1, False))
                for n in range(4)
            ]
            self.parts, self.norm, self.last = [f"layer{n}" for n in (1, 2, 3, 4)], "bn", "linear"
        self.conv1 = nn.Conv2d(SHAPE[0], widths[0], 3, 1, 1, bias=False)
        for part, group in zip(self.parts, groups):
            setattr(self, part, group)
        setattr(self, self.norm, nn.BatchNorm2d(widths[-1]))
        if WIDTH:
            self.added_linear = nn.Linear(widths[-1], WIDTH)
        setattr(self, self.last, nn.Linear(WIDTH or widths[-1], len(CLASSES)))

    def forward(self, x):
        x = self.conv1(x)
        for part in self.parts:
            x = getattr(self, part)(x)
        x = torch.relu(getattr(self, self.norm)(x)).mean((2, 3))
        return getattr(self, self.last)(self.added_linear(x) if WIDTH else x)


def network():
    return PreAct(*map(int, NETWORK.split("-")[1:])) if NETWORK.startswith("wrn-") else PreAct()
