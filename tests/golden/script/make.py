"""Makes the TorchScript files beside this one: teachers of 784 pixels and 10 classes, good and bad. Run once with PyTorch 2.11."""
from pathlib import Path
import torch
from torch import nn

here = Path(__file__).parent


class Teacher(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.linear = nn.Linear(16, classes)
        with torch.no_grad():
            self.linear.weight.copy_(torch.arange(16.0 * classes).view(classes, 16).sin())
            self.linear.bias.zero_()

    def forward(self, x):
        features = nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)
        return self.linear(features), features


class Logits(Teacher):
    def forward(self, x):
        return self.linear(nn.functional.adaptive_avg_pool2d(x, 4).flatten(1))


torch.jit.script(Teacher(10)).save(str(here / "good.pt"))
torch.jit.script(Teacher(7)).save(str(here / "seven.pt"))
torch.jit.script(Logits(10)).save(str(here / "logits.pt"))
