"""What a system is fed in training: the facts of the data that it is built for, and its batches."""

from typing import TYPE_CHECKING, Any

from telldraw.data.archive import Dataset
from telldraw.errors import TrainingError

if TYPE_CHECKING:
    from telldraw.commands.reading import Reader
    from telldraw.data.collection import Collection
    from telldraw.training.loop import Batches


def reader_for(options: Any, batch: str, device: str) -> "Reader | None":
    """The text encoder of a system that draws from texts: `--text-encoder`, or that of the weights it starts from."""
    given, start = options.text_encoder, options.start_from
    if batch != "Described":
        if given is not None:
            raise TrainingError(f"--text-encoder {given}: this system reads no captions by one; leave it out")
        return None
    from telldraw.commands import reading

    if given is not None:
        return reading.load(given, device)
    if start is not None:
        return reading.beside(start, device)
    raise TrainingError(
        "--text-encoder is missing: pictures are drawn from the vectors that a text encoder makes of captions; train "
        "one first (telldraw train text-encoder) and name its run"
    )


def hand_in_perceptual(system: Any, options: Any, device: str) -> None:
    """Give a system that learns to find pictures again the network in whose features these are compared.

    Raises TrainingError when it is missing, or given to another system.
    """
    from telldraw.protocols import Perceiving

    given = options.perceptual
    if not isinstance(system, Perceiving):
        if given is not None:
            raise TrainingError(f"--perceptual {given}: this system compares no pictures by features; leave it out")
        return
    if given is not None:
        from telldraw.commands.perceiving import load

        system.perceive(load(given, device))
    elif system.perceives:
        raise TrainingError(
            "--perceptual is missing: pictures are compared in the features of a network; name a classifier or "
            "detector trained on such pictures, or VGG's weights; or set --config.perceptual-weight 0"
        )


def facts_for(dataset: "Dataset | Collection", batch: str, reader: "Reader | None") -> Any:
    """What a system that is trained on `batch` must know of the data."""
    if isinstance(dataset, Dataset) or batch not in ("Tags", "Described", "Multimodal"):
        return dataset.facts
    if batch == "Tags":
        return dataset.tag_facts
    if batch == "Multimodal":
        return dataset.multimodal_facts
    from telldraw.batches import DescribedFacts
    from telldraw.data.text_loader import text_scale

    assert reader is not None
    if dataset.vocabulary is None:
        raise TrainingError(
            f"the pictures of {dataset.name} have no captions; a set is needed whose pictures have some"
        )
    return DescribedFacts(dataset.facts, reader.dim, text_scale(dataset, reader.vocabulary, reader.embed))


def loader_for(
    options: Any, dataset: "Dataset | Collection", batch: str, device: str, reader: "Reader | None"
) -> "Batches":
    """What gives the batches of the training split, of the type `batch`."""
    from telldraw.data.caption_loader import CaptionLoader
    from telldraw.data.loader import Loader
    from telldraw.data.multimodal_loader import MultimodalLoader
    from telldraw.data.picture_loader import PictureLoader
    from telldraw.data.tag_loader import TagLoader
    from telldraw.data.text_loader import TextLoader

    config, size, seed = options.config, options.batch_size, options.seed
    if isinstance(dataset, Dataset):
        whole = not getattr(config, "iterative", True)
        how: dict[str, Any] = {"whole_dialogue": whole, "turns": options.batch_turns}
        return Loader(dataset, "train", size, seed=seed, device=device, **how)
    if batch == "Tags":
        return TagLoader(dataset, "train", size, seed=seed, device=device)
    if batch == "Multimodal":
        return MultimodalLoader(dataset, "train", size, seed=seed, mirror=config.mirror)
    if batch == "Captioned":
        how = {"captions": config.captions, "sampling": config.sampling}
        return CaptionLoader(dataset, "train", size, seed=seed, **how)
    if batch == "Described":
        assert reader is not None
        how = {"captions": config.captions, "sampling": config.sampling, "mismatch": config.wrong}
        captioned = CaptionLoader(dataset, "train", size, seed=seed, vocabulary=reader.vocabulary, **how)
        return TextLoader(captioned, reader.embed)
    return PictureLoader(dataset, "train", size, seed=seed, device=device)
