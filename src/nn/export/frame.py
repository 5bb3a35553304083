"""Loads @FILE@, a @NETWORK@ trained with rematch, into PyTorch.

    from @MODULE@ import load
    model = load()            # images in [0, 1], N x C x H x W; it normalises them itself

Needs torch and safetensors. @KEYS@
"""
import pathlib

import torch
from safetensors.torch import load_file
from torch import nn

NETWORK = @NETWORK_NAME@
SHAPE = @SHAPE@  # channels, height, width
CLASSES = @CLASSES@
MEAN, STD = @MEAN@, @STD@  # of each channel; empty: pixels as they are
WIDTH = @WIDTH@  # of added_linear, between the features and the head


@DEFINITION@

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, images):
        if MEAN:
            mean, std = (images.new_tensor(v).view(1, -1, 1, 1) for v in (MEAN, STD))
            images = (images - mean) / std
        return self.net(images)


def load(file=pathlib.Path(__file__).with_name(@FILE_NAME@)):
    """The model in eval mode on the CPU. Any tensor that is missing, left over or of another shape is an error."""
    model = Model()
    model.net.load_state_dict(load_file(str(file)))
    return model.eval()


if __name__ == "__main__":
    with torch.no_grad():
        print(load()(torch.zeros(1, *SHAPE)))
