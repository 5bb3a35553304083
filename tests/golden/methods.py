#!/usr/bin/env python3
"""Makes methods.json: three training steps of every method in plain PyTorch, from weights and images given in closed form.

tests/methods.rs takes the same steps with the program's own networks, methods and optimizer and must arrive at the same numbers. Noise is torch's own, from the seed of the step; its generator is the same in both.
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


EPS, ALPHA, BETA, T, LAMBDA = 0.1, 0.6, 6.0, 4.0, 0.05


def grad(loss_of, x):
    x = x.detach().requires_grad_(True)
    (g,) = torch.autograd.grad(loss_of(x), x)
    return g


def unit(g):
    return g / (g.flatten(1).norm(dim=1).view(-1, 1, 1, 1) + 1e-10)


def project(x, adv, norm="linf"):
    if norm == "linf":
        return torch.min(torch.max(adv, x - EPS), x + EPS).clamp(0, 1)
    d = adv - x
    n = d.flatten(1).norm(dim=1).view(-1, 1, 1, 1).clamp(min=1e-12)
    return (x + d * (EPS / n).clamp(max=1.0)).clamp(0, 1)


def pgd(loss_of, x, start, step, k, norm="linf", best_by=None):
    adv, best, highest = start, None, None
    for i in range(k + 1):
        if best_by is not None:
            with torch.no_grad():
                loss = best_by(adv)
            best, highest = (adv, loss) if best is None else (torch.where((loss > highest).view(-1, 1, 1, 1), adv, best), torch.maximum(loss, highest))
        if i == k:
            break
        g = grad(loss_of, adv)
        adv = project(x, adv + step * (g.sign() if norm == "linf" else unit(g)), norm)
    return (best if best_by is not None else adv).detach()


def uniform(x, eps):
    return torch.empty_like(x).uniform_(-eps, eps)


def kl(p, q):
    """Sum over everything of KL(softmax(p) || softmax(q))."""
    return F.kl_div(F.log_softmax(q, 1), F.softmax(p, 1), reduction="sum")


class Steps:
    """What each method minimises at one step; `n`: the step."""

    def __init__(self, student, teacher):
        self.s, self.t = student, teacher
        self.delta = None

    def answers(self, x):
        with torch.no_grad():
            return self.t(x, False)

    def ce(self, images, y):
        return F.cross_entropy(self.s(images, True)[0], y)

    def ce_sum(self, y, train):
        return lambda v: F.cross_entropy(self.s(v, train)[0], y, reduction="sum")

    def erm(self, x, y):
        return self.ce(x, y)

    def sat(self, x, y):
        return self.ce(pgd(self.ce_sum(y, False), x, x, 0.04, 3), y)

    def sat_best(self, x, y):
        each = lambda v: F.cross_entropy(self.s(v, False)[0], y, reduction="none")
        start = (x + uniform(x, EPS)).clamp(0, 1)
        return self.ce(pgd(self.ce_sum(y, False), x, start, 0.15, 3, best_by=each), y)

    def sat_l2(self, x, y):
        start = (x + EPS * unit(torch.empty_like(x).normal_())).clamp(0, 1)
        return self.ce(pgd(self.ce_sum(y, False), x, start, 0.04, 3, "l2"), y)

    def fast_at(self, x, y):
        start = (x + uniform(x, EPS)).clamp(0, 1)
        return self.ce(pgd(self.ce_sum(y, True), x, start, 1.25 * EPS, 1), y)

    def n_fgsm(self, x, y):
        start = (x + uniform(x, 2 * EPS)).clamp(0, 1)
        return self.ce((start + EPS * grad(self.ce_sum(y, True), start).sign()).clamp(0, 1), y)

    def free_at(self, x, y):
        if self.delta is None:
            self.delta = torch.zeros_like(x)
        delta = self.delta.clone().requires_grad_(True)
        loss = self.ce((x + delta).clamp(0, 1), y)
        (g,) = torch.autograd.grad(loss, delta, retain_graph=True)
        moved = (self.delta + EPS * g.sign()).clamp(-EPS, EPS)
        self.delta = torch.max(torch.min(moved, 1 - x), -x)
        return loss

    def trades(self, x, y):
        with torch.no_grad():
            natural = self.s(x, False)[0]
        start = x + 0.001 * torch.empty_like(x).normal_()
        adv = pgd(lambda v: kl(natural, self.s(v, False)[0]), x, start, 0.04, 3)
        clean = self.s(x, True)[0]
        return F.cross_entropy(clean, y) + BETA * kl(clean, self.s(adv, True)[0]) / len(x)

    def rrm(self, x, y):
        target = self.answers(x)[1]
        logits, features = self.s(x, True)
        return LAMBDA * F.cross_entropy(logits, y) - F.cosine_similarity(features, target, dim=1, eps=1e-6).mean()

    def rrm_relative_l2(self, x, y):
        target = self.answers(x)[1]
        logits, features = self.s(x, True)
        return LAMBDA * F.cross_entropy(logits, y) + ((features - target).norm(dim=1) / target.norm(dim=1)).mean()

    def kd(self, x, y):
        target = self.answers(x)[0]
        logits = self.s(x, True)[0]
        return ALPHA * T * T * kl(target / T, logits / T) / len(x) + (1 - ALPHA) * F.cross_entropy(logits, y)

    def kd_paper(self, x, y):
        target = self.answers(x)[0] / T
        logits = self.s(x, True)[0] / T
        soft = F.kl_div(F.log_softmax(logits / T, 1), F.softmax(target / T, 1), reduction="mean")
        return ALPHA * T * T * soft + (1 - ALPHA) * F.cross_entropy(logits / T, y)

    def ard(self, x, y):
        start = (x + uniform(x, EPS)).clamp(0, 1)
        adv = pgd(self.ce_sum(y, True), x, start, 0.04, 3)
        target = self.answers(x)[0]
        logits, clean = self.s(adv, True)[0], self.s(x, True)[0]
        soft = F.kl_div(F.log_softmax(logits / T, 1), F.softmax(target / T, 1), reduction="mean")
        return ALPHA * T * T * soft + (1 - ALPHA) * F.cross_entropy(clean, y)

    def rslad(self, x, y):
        target = self.answers(x)[0]
        start = x + 0.001 * torch.empty_like(x).normal_()
        adv = pgd(lambda v: kl(target, self.s(v, False)[0]), x, start, 0.04, 3)
        logits, clean = self.s(adv, True)[0], self.s(x, True)[0]
        mean = lambda q: kl(target, q) / q.numel()
        return ALPHA * mean(logits) + (1 - ALPHA) * mean(clean)

    def soft_and_match(self, logits, features, target, y):
        """RRM+: labels partly soft, features matched at half weight."""
        soft = T * T * kl(target[0] / T, logits / T) / len(y)
        labels = (1 - ALPHA) * F.cross_entropy(logits, y) + ALPHA * soft
        return LAMBDA * labels - 0.5 * F.cosine_similarity(features, target[1], dim=1, eps=1e-6).mean()

    def rrm_plus_attacked(self, x, y):
        start = (x + uniform(x, 2 * EPS)).clamp(0, 1)
        shown = (start + EPS * grad(self.ce_sum(y, True), start).sign()).clamp(0, 1)
        return self.soft_and_match(*self.s(shown, True), self.answers(x), y)

    def rrm_plus_answers(self, x, y):
        target = self.answers(x)
        start = (x + uniform(x, 2 * EPS)).clamp(0, 1)
        away = lambda v: -(F.softmax(target[0] / T, 1) * F.log_softmax(self.s(v, False)[0], 1)).sum()
        shown = (start + EPS * grad(away, start).sign()).clamp(0, 1)
        return self.soft_and_match(*self.s(shown, True), target, y)

    def rrm_plus_teacher(self, x, y):
        start = (x + uniform(x, 2 * EPS)).clamp(0, 1)
        up = lambda v: F.cross_entropy(self.t(v, False)[0], y, reduction="sum")
        shown = project(x, (start + EPS * grad(up, start).sign()).clamp(0, 1))
        return self.soft_and_match(*self.s(shown, True), self.answers(shown), y)

    def rrm_plus_carried(self, x, y):
        if self.delta is None:
            self.delta = uniform(x, EPS)
        shown = project(x, x + self.delta).requires_grad_(True)
        loss = self.soft_and_match(*self.s(shown, True), self.answers(x), y)
        (g,) = torch.autograd.grad(loss, shown, retain_graph=True)
        self.delta = (project(x, shown + EPS * g.sign()) - x).detach()
        return loss


METHODS = [name for name in vars(Steps) if not name.startswith("_") and name not in ("answers", "ce", "ce_sum", "soft_and_match")]


def run(method):
    student, teacher = Net(3, 0.3), Net(2, 1.1)
    steps = Steps(student, teacher)
    opt = torch.optim.SGD(list(student.p.values()), lr=0.05, momentum=0.9, weight_decay=5e-4, nesterov=True)
    x = wave((16, 1, 28, 28), 0.2, 0.5) + 0.5
    y = torch.arange(16) % 10
    losses, gradients = [], None
    for step in range(3):
        torch.manual_seed(1000 + step)
        loss = getattr(steps, method)(x, y)
        opt.zero_grad()
        loss.backward()
        if step == 0:
            gradients = {name: tensor.grad.double().norm().item() for name, tensor in student.p.items()}
        opt.step()
        losses.append(loss.item())
    norms = {name: tensor.detach().double().norm().item() for name, tensor in student.p.items()}
    means = {name: mean.double().norm().item() for name, (mean, _) in student.buffers.items()}
    return {"losses": losses, "first_gradient_norms": gradients, "norms": norms, "running_mean_norms": means}


def robust_image():
    """RDT: five steps of 0.03 towards the teacher's features of other images; the best iterate."""
    teacher = Net(2, 1.1)
    x = wave((8, 1, 28, 28), 0.2, 0.5) + 0.5
    current = wave((8, 1, 28, 28), 2.9, 0.2) + 0.3
    with torch.no_grad():
        target = teacher(x, False)[1]
    away = lambda v: (teacher(v, False)[1] - target).norm(dim=1)
    best, least = current, torch.full((8,), float("inf"))
    for step in range(6):
        with torch.no_grad():
            now = away(current)
        best = torch.where((now < least).view(-1, 1, 1, 1), current, best)
        least = torch.minimum(least, now)
        if step < 5:
            current = (current - 0.03 * unit(grad(lambda v: away(v).sum(), current))).clamp(0, 1)
    return {"distances": least.tolist(), "sums": best.double().flatten(1).sum(1).tolist()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = {"torch": torch.__version__.split("+")[0], "robust_image": robust_image(), **{m: run(m) for m in METHODS}}
    print(json.dumps(results, indent=1))
