class AlexNet(nn.Module):
    """As torchvision's, with a second hidden layer of 2048."""

    def __init__(self):
        super().__init__()
        layers, channels = [], SHAPE[0]
        for width, kernel, stride, pad, pool in ((64, 11, 4, 2, 1), (192, 5, 1, 2, 1), (384, 3, 1, 1, 0), (256, 3, 1, 1, 0), (256, 3, 1, 1, 1)):
            layers += [nn.Conv2d(channels, width, kernel, stride, pad), nn.ReLU()]
            layers += [nn.MaxPool2d(3, 2)] * pool
            channels = width
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(6)
        hidden = [nn.Dropout(), nn.Linear(256 * 36, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 2048), nn.ReLU()]
        self.classifier = nn.Sequential(*hidden, nn.Linear(WIDTH or 2048, len(CLASSES)))
        if WIDTH:
            self.added_linear = nn.Linear(2048, WIDTH)

    def forward(self, x):
        x = self.classifier[:6](self.pool(self.features(x)).flatten(1))
        return self.classifier[6](self.added_linear(x) if WIDTH else x)


network = AlexNet
