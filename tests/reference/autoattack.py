#!/usr/bin/env python3
"""Holds evaluations of rematch to a PyTorch implementation of the same attacks, image by image.

Not part of the test run: it needs PyTorch, and a package of attacks that is not otherwise used here.

    pip install torch==2.11.0 numpy safetensors scipy requests && pip install --no-deps torchattacks==3.5.1
    rematch export runs/student --out student.safetensors
    rematch eval runs/student --attack autoattack --images 1000
    python3 tests/reference/autoattack.py load_student.py runs/student/evaluations/*-autoattack

For each finished evaluation on the embedded data it attacks the same images with the same settings and prints both numbers, the
time of each, and every image on which the two disagree. Several evaluations of one attack with other seeds show which verdicts depend on
the seed on our side, --seeds N does so on the other. Attacks draw other random numbers there, so some images must differ.
"""
import argparse
import gzip
import importlib.util
import json
import pathlib
import time

import numpy
import torch
import torchattacks

BATCH = 250
COUNTS = {"train": 9000, "validation": 1000, "test": 2000}


def embedded(split):
    """Pixels in [0, 1], N x 1 x 28 x 28, and labels."""
    path = pathlib.Path(__file__).resolve().parents[2] / "assets/fashion-mnist-10k.bin.gz"
    content = numpy.frombuffer(gzip.decompress(path.read_bytes()), dtype=numpy.uint8)[28:]
    for name, count in COUNTS.items():
        labels, content = content[:count], content[count:]
        pixels, content = content[: count * 784], content[count * 784 :]
        if name == split:
            images = torch.from_numpy(pixels.reshape(count, 1, 28, 28).copy()).float() / 255
            return images.contiguous(memory_format=torch.channels_last), torch.from_numpy(labels.astype(numpy.int64))


def loaded(path):
    spec = importlib.util.spec_from_file_location("loader", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.load().to(memory_format=torch.channels_last)
    # No gradient of a weight is ever formed, as over there.
    model.requires_grad_(False)
    return model.eval()


def attack(member, model, seed):
    norm = {"linf": "Linf", "l2": "L2"}[member["norm"]]
    common = dict(norm=norm, eps=member["eps"], n_restarts=member["restarts"], seed=seed)
    steps = member["steps"]
    name = member["name"]
    if name == "apgd-ce":
        return torchattacks.APGD(model, steps=steps, loss="ce", **common)
    if name == "apgd-dlr":
        return torchattacks.APGD(model, steps=steps, loss="dlr", **common)
    if name == "apgd-t":
        return torchattacks.APGDT(model, steps=steps, n_classes=member["targets"] + 1, **common)
    if name == "fab-t":
        return torchattacks.FAB(model, steps=steps, multi_targeted=True, n_classes=member["targets"] + 1, **common)
    if name == "fab":
        return torchattacks.FAB(model, steps=steps, **common)
    if name == "square":
        return torchattacks.Square(model, n_queries=steps, resc_schedule=False, **common)
    raise SystemExit(f"{name}: there is no counterpart")


def ensemble(members, model, images, labels, seed):
    """Flags and adversarial images; the members run one after the other on what still stands, and every image is looked at again."""
    with torch.no_grad():
        stands = torch.cat([model(x).argmax(1) == y for x, y in zip(images.split(BATCH), labels.split(BATCH))])
    adversarial = images.clone()
    natural, spent = stands.clone(), {}
    for member in members:
        begin = time.perf_counter()
        attacker = attack(member, model, seed)
        for rows in stands.nonzero().squeeze(1).split(BATCH):
            if len(rows) == 0:
                continue
            x, y = images[rows], labels[rows]
            found = attacker(x, y).detach()
            with torch.no_grad():
                fooled = model(found).argmax(1) != y
            far = (found - x).flatten(1)
            far = far.abs().amax(1) if member["norm"] == "linf" else far.norm(dim=1)
            assert float(far.max()) <= member["eps"] + 1e-5, "their image left the ball"
            adversarial[rows[fooled]] = found[fooled]
            stands[rows[fooled]] = False
        spent[member["name"]] = time.perf_counter() - begin
    return natural, stands, adversarial, spent


def ours(folder, index):
    """Places of the images that were attacked, and of those that were fooled."""
    attacked, fooled = set(), {}
    for line in (folder / "progress.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["ensemble"] == index:
            attacked.update(entry["places"])
            fooled.update({trick["place"]: trick["answer"] for trick in entry["tricks"]})
    return attacked, fooled


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("loader")
    parser.add_argument("evaluations", nargs="+", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="+", help="names of attacks, as fab-t-100; default: all in the reports")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = loaded(args.loader)
    seen = {}
    for folder in args.evaluations:
        kept = json.loads((folder / "report.json").read_text())
        settings, report = kept["settings"], kept["report"]
        if settings["data"] != "fashion-mnist-10k":
            raise SystemExit(f"{folder}: only the embedded data can be read here, not {settings['data']}")
        for index, found in enumerate(report["attacks"]):
            attacked, fooled = ours(folder, index)
            seen.setdefault(found["ensemble"]["name"], []).append((settings, report, found, attacked, fooled))
    for name, runs in seen.items():
        if args.only and name not in args.only:
            continue
        settings, report, found, attacked, fooled = runs[0]
        images, labels = embedded(settings["split"])
        places = torch.tensor(sorted(attacked))
        x, y = images[places].contiguous(memory_format=torch.channels_last), labels[places]
        theirs = []
        for seed in range(args.seeds):
            natural, stands, adversarial, spent = ensemble(found["ensemble"]["members"], model, x, y, seed)
            theirs.append(stands)
            total = sum(spent.values())
            parts = ", ".join(f"{k} {v:.1f}" for k, v in spent.items())
            print(f"{name}: theirs, seed {seed}: {100 * int(stands.sum()) / report['images']:.2f} % in {total:.1f} s ({parts})")
        for settings, report, found, _, _ in runs:
            print(f"{name}: ours, seed {settings['seed']}: {100 * found['adversarial']:.2f} % in {found['seconds']:.1f} s")
        if int(natural.sum()) != len(places):
            print(f"{name}: {len(places) - int(natural.sum())} images are correct for us and not there")
        here = [torch.tensor([p not in fooled for p in places.tolist()]) for _, _, _, _, fooled in runs]
        different = (here[0] != theirs[0]).nonzero().squeeze(1).tolist()
        print(f"{name}: {len(different)} of {report['images']} images differ")
        for i in different:
            ours_say = "".join("S" if flags[i] else "f" for flags in here)
            they_say = "".join("S" if flags[i] else "f" for flags in theirs)
            print(f"  image {int(places[i])}, class {int(y[i])}: ours {ours_say}, theirs {they_say} (S stands, f fooled, a letter a seed)")


if __name__ == "__main__":
    main()
