"""Who reads captions for systems that draw from them: a text encoder, which lies beside their weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from telldraw import weights
from telldraw.commands.progress import say
from telldraw.errors import InstructionError, TelldrawError, WeightsError
from telldraw.protocols import TextEncoder, TextToImage
from telldraw.text import MAX_CHARACTERS, Vocabulary, characters, coded, normalise, shorten, strange

if TYPE_CHECKING:
    from telldraw.weights import Loaded


class Reader:
    """A text encoder with the words it knows: captions become vectors."""

    def __init__(self, loaded: "Loaded", folder: Path) -> None:
        self.system: Any = loaded.system.requires_grad_(False)
        self.vocabulary, self.name, self.folder = loaded.vocabulary, loaded.name, folder
        self.dim: int = self.system.text_dim

    def __deepcopy__(self, memo: Any) -> "Reader":
        return self  # nothing of it changes, so copies of a system share it

    def embed(self, letters: Tensor, words: Tensor) -> Tensor:
        """Captions as characters [N, 201] and words [N, L] -> [N, D]."""
        return self.system.embed(letters, words)

    @torch.inference_mode()
    def read(self, captions: Sequence[str], device: torch.device | str = "cpu") -> Tensor:
        """Captions -> [N, D]; what is too long is cut, for encoders of words too."""
        captions = [caption[:MAX_CHARACTERS] for caption in captions]
        letters, words = (torch.from_numpy(part).to(device) for part in coded(captions, self.vocabulary))
        return self.embed(letters, words).float()

    def check(self, captions: Sequence[str], *, cut: bool = False) -> None:
        """Refuse what cannot be read, and say what of the rest is not known. Raises InstructionError."""
        for caption in captions:
            if not cut:
                characters(caption)  # refuses what is too long
            tell_unknown(caption, self.vocabulary, self.system.config)


def load(given: str, device: str = "cpu") -> Reader:
    """The text encoder named: a run, a weights folder or a name. Raises WeightsError when it is none."""
    folder = weights.find(given)
    loaded = weights.load(folder, device)
    if not isinstance(loaded.system, TextEncoder):
        raise WeightsError(
            f"{given} holds {loaded.card['system']}, which reads no captions; train a text encoder first: "
            "telldraw train text-encoder"
        )
    return Reader(loaded, folder)


def beside(given: str, device: str = "cpu") -> Reader:
    """The text encoder that lies with weights which draw from texts. Raises WeightsError when it is missing."""
    folder = weights.find(given) / weights.NETWORK
    if not (folder / "config.json").is_file():
        raise WeightsError(
            f"{given} came without the text encoder that reads captions for it: {folder} is missing; "
            "take the whole folder of the weights"
        )
    return load(str(folder), device)


def check_captions(loaded: "Loaded", captions: Sequence[str], *, cut: bool, device: str) -> bool:
    """Give weights that draw from captions their reader, and refuse captions that cannot be read.

    Whether the weights draw from captions. Raises TelldrawError when captions are missing, or given to other weights.
    """
    system: Any = loaded.system
    if not isinstance(system, TextToImage):
        if captions:
            raise TelldrawError(f"{shorten(captions[0])!r}: {loaded.name} draws without captions; give none")
        return False
    if not captions:
        raise TelldrawError(f'{loaded.name} draws what a caption says: give one, such as "{_example(loaded)}"')
    attach(loaded, device).check(captions, cut=cut)
    return True


def attach(loaded: "Loaded", device: str = "cpu") -> Reader:
    """Give weights that draw from captions their reader. Raises WeightsError when it is missing."""
    system: Any = loaded.system
    system.reader = beside(str(loaded.folder), device)
    return system.reader


def _example(loaded: "Loaded") -> str:
    return "a large red cube" if loaded.card.get("data") == "clevr-birds" else "what the picture shows"


def tell_unknown(caption: str, vocabulary: Vocabulary, config: Any) -> None:
    """Say what of a caption an encoder does not know. Raises InstructionError when nothing is left of it."""
    said, where = normalise(caption), f"in {shorten(caption)!r}"
    if not said:
        raise InstructionError(f"the caption {caption!r} has no word; say what the picture shows")
    if config.variant.startswith("word"):
        unknown = vocabulary.unknown(said)
        if len(unknown) == len(set(said)):
            raise InstructionError(f"no word {where} is known; it knows words such as {vocabulary.examples()}")
        if unknown:
            known = [near[0] for word in unknown if (near := vocabulary.nearest(word, 1))]
            instead = ", ".join(known) or vocabulary.examples()
            what = f"words that are not known {where}, and read as unknown: {', '.join(unknown)}"
            say(f"{what}; words such as {instead} are")
        # a letter that is not known is part of a word, and that has been said
        odd = [symbol for symbol in strange(caption) if not symbol.isalnum()]
    else:
        odd = strange(caption)
    if odd:
        named = ", ".join(map(repr, odd))
        say(f"symbols that are not known {where}, and read as nothing: {named}; a to z, 0 to 9 and punctuation are")
