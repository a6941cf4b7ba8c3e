"""A small CLIP model of one's own, for `telldraw edit --clip`: from a captioned set, on one core, without a download.

    pip install 'telldraw[train,sentence]'
    python recipes/small_clip.py faces-64.telldraw runs/clip-faces

The published models know photographs of everything and take hundreds of megabytes. This one knows only its set, and is
trained as they were (Radford et al. 2021, Fig. 3): which caption of a batch belongs to which picture.
It is written as transformers writes any CLIP model. Stopped, it begins anew.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from transformers import CLIPConfig, CLIPModel, CLIPTokenizerFast  # type: ignore[import-not-found]

from telldraw import pixels
from telldraw.commands.progress import progress_of, say
from telldraw.data.collection import Collection
from telldraw.errors import DataError, TelldrawError
from telldraw.metrics.clip import prepared

LONGEST = 77
"""Tokens in a caption, as in the published models."""


@dataclass(frozen=True)
class Options:
    """Train a small CLIP model on captioned pictures."""

    data: Annotated[Path, tyro.conf.Positional]
    """A prepared set with captions."""
    out: Annotated[Path, tyro.conf.Positional]
    """The folder to write; name it after --clip."""
    steps: int = 4_000
    batch_size: int = 128
    rate: float = 1e-3
    """Step size at its highest; it rises over 100 steps and falls as a cosine."""
    width: int = 128
    layers: int = 3
    patch: int = 16
    seed: int = 0


def model_of(options: Options, side: int, tokenizer: Any) -> CLIPModel:
    """A CLIP model with random weights."""
    size = {
        "hidden_size": options.width,
        "intermediate_size": 4 * options.width,
        "num_hidden_layers": options.layers,
        "num_attention_heads": options.width // 32,
    }
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    text = size | ends | {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    picture = size | {"image_size": side, "patch_size": options.patch}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=picture, projection_dim=options.width))


def main(options: Options) -> None:
    """Train, and say how often a validation caption finds its picture among 100."""
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    collection = Collection.open(options.data)
    if collection.vocabulary is None:
        raise DataError(f"the pictures of {options.data} have no captions; take a set that has some, such as faces")
    train, val = collection.splits["train"], collection.splits.get("val") or collection.splits["test"]
    if options.batch_size > len(train):
        raise DataError(f"--batch-size {options.batch_size}: {options.data} has {len(train)} pictures to train on")
    said = [sentence for row in train for sentence in collection.captions(row)]
    tokenizer: Any = CLIPTokenizerFast().train_new_from_iterator(said, 2_000)
    model = model_of(options, collection.images.shape[-1], tokenizer)
    optimizer = torch.optim.AdamW(model.parameters(), options.rate, (0.9, 0.98), weight_decay=0.1)
    warm = 100
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (1 + np.cos(np.pi * step / options.steps)) / 2)
    )

    def batch(rows: Any) -> dict[str, Any]:
        images = pixels.to_float(torch.from_numpy(collection.images[np.sort(rows)]))
        texts = [str(rng.choice(collection.captions(int(row)))) for row in np.sort(rows)]
        read = tokenizer(texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt")
        return {**read, "pixel_values": prepared(images, images.shape[-1])}

    with progress_of("CLIP") as tell:
        for step in range(options.steps):
            rows = rng.choice(np.arange(train.start, train.stop), options.batch_size, replace=False)
            found = model(**batch(rows), return_loss=True)
            optimizer.zero_grad()
            found.loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                model.logit_scale.clamp_(max=np.log(100.0))
            tell(step + 1, options.steps)
            if (step + 1) % 250 == 0:
                say(f"step {step + 1:,}: loss {float(found.loss.detach()):.3f}")
    model.eval().save_pretrained(options.out)
    tokenizer.save_pretrained(options.out)
    firsts, among = [], min(100, len(val))
    with torch.inference_mode():
        for start in range(val.start, val.stop - among + 1, among):
            scores = model(**batch(np.arange(start, start + among))).logits_per_text
            firsts += (scores.argmax(1) == torch.arange(among)).tolist()
    print(f"{100 * np.mean(firsts):.1f} % of {len(firsts)} captions not trained on find their picture among {among}")
    print(options.out)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except TelldrawError as error:
        print(f"small_clip: {error}", file=sys.stderr)
        sys.exit(2)
