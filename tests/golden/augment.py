"""Makes augment.json: each colour and geometry change on two small images, by PyTorch in float64, from the formulas as torchvision
documents them (blend with black, grey mean or grey; affine grid and nearest sampling; crop and bilinear interpolation)."""

import json
import math

import torch
import torch.nn.functional as F

torch.manual_seed(1)
x = (torch.rand(2, 3, 7, 7, dtype=torch.float64) * 255).round() / 255


def grey(a):
    return (0.2989 * a[0] + 0.587 * a[1] + 0.114 * a[2]).unsqueeze(0)


def blend(a, b, f):
    return (f * a + (1 - f) * b).clamp(0, 1)


CHANGES = [
    lambda a, f: blend(a, torch.zeros_like(a), f),
    lambda a, f: blend(a, grey(a).mean(), f),
    lambda a, f: blend(a, grey(a), f),
]


def jitter(a, order, factors):
    for which in order:
        a = CHANGES[which](a, factors[which])
    return a


def turn(a, degrees):
    # torchvision: the inverse of a turn by -degrees, as theta over the grid in units of half the side.
    r = -math.radians(degrees)
    theta = torch.tensor([[math.cos(r), math.sin(r), 0.0], [-math.sin(r), math.cos(r), 0.0]], dtype=torch.float64)
    grid = F.affine_grid(theta[None], [1, *a.shape], align_corners=False)  # square images: no correction of units
    return F.grid_sample(a[None], grid, mode="nearest", padding_mode="zeros", align_corners=False)[0]


def enlarge(a, left, top, width, height):
    part = a[None, :, top : top + height, left : left + width]
    return F.interpolate(part, size=a.shape[1:], mode="bilinear", align_corners=False, antialias=True)[0]


VALUES = torch.tensor([0.2175, 0.0188, 0.0045], dtype=torch.float64)
VECTORS = torch.tensor(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]], dtype=torch.float64
)


def light(a, amount):
    shift = (VECTORS * torch.tensor(amount, dtype=torch.float64) * VALUES).sum(1)
    return (a + shift[:, None, None]).clamp(0, 1)


jitters = [{"order": [2, 0, 1], "factors": [1.25, 0.77, 1.2]}, {"order": [1, 2, 0], "factors": [0.76, 1.24, 0.8]}]
degrees = [17.0, -33.0]  # more than training uses, so that many pixels move
parts = [[1, 2, 4, 3], [0, 0, 7, 5]]  # left, top, width, height
amounts = [[0.6, -0.4, 0.9], [-1.5, 0.3, 0.2]]
rounded = lambda t: [round(v, 8) for v in t.flatten().tolist()]
json.dump(
    {
        "shape": list(x.shape),
        "images": rounded(x),
        "jitters": jitters,
        "jittered": rounded(torch.stack([jitter(a, **j) for a, j in zip(x, jitters)])),
        "degrees": degrees,
        "turned": rounded(torch.stack([turn(a, d) for a, d in zip(x, degrees)])),
        "parts": parts,
        "enlarged": rounded(torch.stack([enlarge(a, *p) for a, p in zip(x, parts)])),
        "amounts": amounts,
        "lit": rounded(torch.stack([light(a, m) for a, m in zip(x, amounts)])),
    },
    open("augment.json", "w"),
)
