#!/usr/bin/env python3
"""Makes methods.json: three training steps of ERM, SAT and RRM in plain PyTorch, from weights and images given in closed form.

tests/methods.rs takes the same steps with the program's own networks, methods and optimizer and must arrive at the same numbers.
Run once, with PyTorch 2.11 from the package registry:

    python3 tests/golden/methods.py > tests/golden/methods.json
"""
import json
import math

import torch
import torch.nn.functional as F


def wave(shape, phase, scale):
    n = math.prod(shape)
    return (torch.sin(torch.arange(n, dtype=torch.float64) * 0.7 + phase) * scale).to(torch.float32).view(shape)


class Net:
    """fc2 (two convolutions) or fc3 (three), by names that the program's files use."""

    def __init__(self, convs, phase):
        shapes = [("conv1", (16, 1, 5, 5), 2), ("conv2", (32, 16, 3, 3), 2), ("conv3", (32, 32, 3, 3), 1)][:convs]
        self.strides = [s for _, _, s in shapes]
        self.p, self.buffers = {}, {}
        for i, (name, shape, _) in enumerate(shapes):
            self.p[f"{name}.weight"] = wave(shape, phase + i, 1.0 / math.sqrt(math.prod(shape[1:])))
            self.p[f"bn{i + 1}.weight"] = torch.ones(shape[0])
            self.p[f"bn{i + 1}.bias"] = torch.zeros(shape[0])
            self.buffers[f"bn{i + 1}"] = (torch.zeros(shape[0]), torch.ones(shape[0]))
        for name, shape in (("fc", (128, 1568)), ("head", (10, 128))):
            self.p[f"{name}.weight"] = wave(shape, phase + len(name), 1.0 / math.sqrt(shape[1]))
            self.p[f"{name}.bias"] = wave((shape[0],), phase, 0.1)
        for tensor in self.p.values():
            tensor.requires_grad_(True)

    def __call__(self, x, train):
        x = (x - 0.286) / 0.353
        for i, stride in enumerate(self.strides, 1):
            w = self.p[f"conv{i}.weight"]
            x = F.conv2d(x, w, stride=stride, padding=w.shape[-1] // 2)
            mean, var = self.buffers[f"bn{i}"]
            x = F.relu(F.batch_norm(x, mean, var, self.p[f"bn{i}.weight"], self.p[f"bn{i}.bias"], train, 0.1, 1e-5))
        features = F.relu(F.linear(x.flatten(1), self.p["fc.weight"], self.p["fc.bias"]))
        return F.linear(features, self.p["head.weight"], self.p["head.bias"]), features


def pgd(net, x, y, eps, step, k):
    adv = x.clone()
    for _ in range(k):
        adv.requires_grad_(True)
        (g,) = torch.autograd.grad(F.cross_entropy(net(adv, False)[0], y), adv)
        adv = torch.min(torch.max(adv.detach() + step * g.sign(), x - eps), x + eps).clamp(0, 1)
    return adv.detach()


def run(method):
    student, teacher = Net(3, 0.3), Net(2, 1.1)
    opt = torch.optim.SGD(list(student.p.values()), lr=0.05, momentum=0.9, weight_decay=5e-4, nesterov=True)
    x = wave((16, 1, 28, 28), 0.2, 0.5) + 0.5
    y = torch.arange(16) % 10
    losses = []
    for _ in range(3):
        images = pgd(student, x, y, 0.1, 0.04, 3) if method == "sat" else x
        logits, features = student(images, True)
        loss = F.cross_entropy(logits, y)
        if method == "rrm":
            with torch.no_grad():
                target = teacher(x, False)[1]
            loss = 0.05 * loss - F.cosine_similarity(features, target, dim=1, eps=1e-6).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    norms = {name: tensor.detach().double().norm().item() for name, tensor in student.p.items()}
    means = {name: mean.double().norm().item() for name, (mean, _) in student.buffers.items()}
    return {"losses": losses, "norms": norms, "running_mean_norms": means}


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps({"torch": torch.__version__, **{m: run(m) for m in ("erm", "sat", "rrm")}}, indent=1))
