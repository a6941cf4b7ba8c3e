"""Figures of a system that turns pictures into maps of codes, for `telldraw evaluate`."""

import math
from typing import Any

import numpy as np
import torch

from telldraw import pixels
from telldraw.commands.picture_evaluation import Figure, Job, progress

_TOGETHER = 100


@torch.inference_mode()
def coding(job: Job) -> dict[str, Figure]:
    """Perplexity of each level's codes over the whole split and, where there is a prior, bits a code."""
    from telldraw.metrics.coding import Usage

    system: Any = job.loaded.system
    rows, device = np.asarray(job.rows), job.options.device
    has_prior, told = "Density" not in getattr(system, "lacks", ()), bool(getattr(system, "label_dim", 0))
    usage = Usage(system.config.codes)
    with progress("encoded", len(rows)) as tell:
        for start in range(0, len(rows), _TOGETHER):
            part = rows[start : start + _TOGETHER]
            images = pixels.to_float(torch.from_numpy(job.collection.images[part])).to(device)
            label = torch.from_numpy(job.collection.labels[part]).float().to(device) if told else None
            nats = system.code_nats(images, label) if has_prior else []
            usage.see(system.code_maps(images), nats)
            tell(start + len(part))
    figures: dict[str, Figure] = {}
    for level in usage.levels():
        where = f"level {level.number} (1 is the finest), {level.side}x{level.side} codes of {system.config.codes}"
        name = f"level_{level.number}"
        figures[f"perplexity_{name}"] = Figure(level.perplexity, f"of the codes of {len(rows):,} pictures, {where}")
        said = (
            f"of the codes at one place, mean over places (1: the same map for all), of {len(rows):,} pictures, {where}"
        )
        figures[f"perplexity_local_{name}"] = Figure(level.local, said)
        figures[f"used_{name}"] = Figure(level.used, f"entries that occur at least once, {where}")
        if level.nats is not None:
            mean, error = (value / (level.side**2 * math.log(2)) for value in level.nats)
            figures[f"bits_{name}"] = Figure(mean, f"bits a code by the prior, the label told, {where}", error)
    whole = usage.nats()
    if whole is not None:
        figures["code_nats"] = Figure(whole[0], "nats of all codes of a picture, the label told", whole[1])
    return figures
