class Small(nn.Module):
    """Convolutions with batch norm; a fully connected layer (fc2, fc3) or an average (small) gives the features."""

    def __init__(self, plan, full):
        super().__init__()
        channels, side, _ = SHAPE
        self.full, self.depth = full, len(plan)
        for n, (width, kernel, stride) in enumerate(plan, 1):
            setattr(self, f"conv{n}", nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False))
            setattr(self, f"bn{n}", nn.BatchNorm2d(width))
            channels = width
        features = channels
        if full:
            features = 128
            self.fc = nn.Linear(channels * ((side + 3) // 4) ** 2, features)
        if WIDTH:
            self.added_linear = nn.Linear(features, WIDTH)
        self.head = nn.Linear(WIDTH or features, len(CLASSES))

    def forward(self, x):
        for n in range(1, self.depth + 1):
            x = torch.relu(getattr(self, f"bn{n}")(getattr(self, f"conv{n}")(x)))
            if not self.full and n < self.depth:
                x = nn.functional.max_pool2d(x, 2)
        x = torch.relu(self.fc(x.flatten(1))) if self.full else x.mean((2, 3))
        return self.head(self.added_linear(x) if WIDTH else x)


def network():
    if NETWORK == "small":
        return Small([(16, 3, 1), (32, 3, 1), (64, 3, 1)], False)
    return Small([(16, 5, 2), (32, 3, 2)] + [(32, 3, 1)] * {"fc2": 0, "fc3": 1, "fc5": 3}[NETWORK], True)
