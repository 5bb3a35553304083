PLANS = {
    "vgg11": [[64], [128], [256] * 2, [512] * 2, [512] * 2],
    "vgg16": [[64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3],
    "vgg19": [[64] * 2, [128] * 2, [256] * 4, [512] * 4, [512] * 4],
}


class Vgg(nn.Module):
    """For small images with batch norm; for large ones as torchvision's, with a second hidden layer of 2048."""

    def __init__(self, plan, large):
        super().__init__()
        layers, channels = [], SHAPE[0]
        for widths in plan:
            for width in widths:
                layers.append(nn.Conv2d(channels, width, 3, padding=1))
                layers += [] if large else [nn.BatchNorm2d(width)]
                layers.append(nn.ReLU())
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(7 if large else 1)
        features = 2048 if large else 512
        head = nn.Linear(WIDTH or features, len(CLASSES))
        if WIDTH:
            self.added_linear = nn.Linear(features, WIDTH)
        if large:
            hidden = [nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 2048), nn.ReLU(), nn.Dropout()]
            self.classifier = nn.Sequential(*hidden, head)
        else:
            self.classifier = head
        self.large = large

    def forward(self, x):
        x = self.pool(self.features(x)).flatten(1)
        head = self.classifier
        if self.large:
            x, head = self.classifier[:6](x), self.classifier[6]
        return head(self.added_linear(x) if WIDTH else x)


def network():
    return Vgg(PLANS[NETWORK.removeprefix("imagenet-")], NETWORK.startswith("imagenet-"))
