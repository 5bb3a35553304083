class Dnn(nn.Module):
    """Three pairs of convolutions and a fully connected layer."""

    def __init__(self):
        super().__init__()
        channels, side, _ = SHAPE
        layers = []
        for width in (32, 64, 128):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
            layers.append(nn.MaxPool2d(2))
            channels = width
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(128 * (side // 8) ** 2, 512)
        if WIDTH:
            self.added_linear = nn.Linear(512, WIDTH)
        self.linear = nn.Linear(WIDTH or 512, len(CLASSES))

    def forward(self, x):
        x = torch.relu(self.fc(self.features(x).flatten(1)))
        return self.linear(self.added_linear(x) if WIDTH else x)


network = Dnn
