"""The control mechanism of TediGAN: which layers of a code belong to what is asked, and codes put together from two.

Xia et al. 2021, Sec. 3.3: out_i = w^c_i for the layers i of what is asked for, w^s_i for the others. Layers are counted
from 0 here, the first at 4x4. Which layers an attribute has says a table: two from papers, or `auto`, measured on the
weights themselves by `telldraw layers`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from telldraw.commands.layer_tables import HAIR_COLOUR, TABLES, Table
from telldraw.data.face_words import asked, implied
from telldraw.data.portrait.captions import ABSENT, HAS, IS, WEARS
from telldraw.errors import InstructionError, TelldrawError
from telldraw.text import normalise

if TYPE_CHECKING:
    from telldraw.weights import Loaded

_COLOURS = (*HAIR_COLOUR, "Red_Hair")
AUTO, ALL = "auto", "all"
CHOICES = (AUTO, *TABLES, ALL)


def table_of(loaded: "Loaded", name: str | None) -> Table:
    """The table of this name; unless named the measured one where the weights have one, else all layers for all.

    Raises TelldrawError naming the remedy.
    """
    measured = loaded.card.get("layers")
    if name is None:
        name = AUTO if measured else ALL
    if name == AUTO:
        if not measured:
            raise TelldrawError(
                f"--table auto: the layers of {loaded.name} have not been measured yet: telldraw layers "
                f"{loaded.folder} --judge CLASSIFIER"
            )
        return {each: tuple(layers) for each, layers in measured["table"].items()}
    if name == ALL:
        return {}
    if name not in TABLES:
        raise TelldrawError(f"--table {name}: choose from {', '.join(CHOICES)}")
    system: Any = loaded.system
    count = system.layers
    if count != 14:
        raise TelldrawError(
            f"--table {name} is of a generator with 14 layers (256x256), {loaded.name} has {count}; measure its own: "
            f"telldraw layers {loaded.folder} --judge CLASSIFIER"
        )
    return TABLES[name]


def parsed(text: str, count: int) -> tuple[int, ...]:
    """Layers as people write them, "0-3,8", from 0. Raises TelldrawError naming what is wrong."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal()) or int(first) > int(last) or int(last) >= count:
            raise TelldrawError(
                f"--layers {text}: {part.strip()!r} names no layers; there are 0 to {count - 1} (0-3,{count - 1})"
            )
        found |= set(range(int(first), int(last) + 1))
    return tuple(sorted(found))


def layers_for(wanted: Mapping[str, bool], table: Table, count: int) -> tuple[int, ...]:
    """The layers of all that is asked for; all layers where the table, or the sentence, says nothing of it.

    Red hair, which no judge of CelebA's attributes can measure, has those of the other colours.
    """
    if "Red_Hair" in wanted and "Red_Hair" not in table:
        table = {**table, "Red_Hair": tuple(sorted({layer for each in HAIR_COLOUR for layer in table.get(each, ())}))}
    if not wanted or any(not table.get(name) for name in wanted):
        return tuple(range(count))
    return tuple(sorted({layer for name in wanted for layer in table[name] if layer < count})) or tuple(range(count))


NEIGHBOURS = 2
"""Layers on both sides of those that decide an attribute which an edit moves too."""


def with_neighbours(layers: Sequence[int], count: int) -> tuple[int, ...]:
    """Those layers of `count`, from two before the first of them to two after the last.

    What decides an attribute is not all that knows of it: codes of neighbouring layers say the same of a face, and one
    that is moved beside others that contradict it disturbs more (docs/systems/tedigan.md has the figures).
    """
    return tuple(range(max(0, min(layers) - NEIGHBOURS), min(count, max(layers) + NEIGHBOURS + 1)))


def structure(count: int) -> tuple[int, ...]:
    """The layers that a sketch or a map of regions decides: those before the last three sevenths.

    With 14 layers 0 to 7, the others being coloured freely, as in the released code of pixel2style2pixel.
    """
    return tuple(range(round(count * 4 / 7)))


def mixed(content: Tensor, style: Tensor, layers: Sequence[int]) -> Tensor:
    """Sec. 3.3: content [N, L, C] in these layers, style [N, L, C] in the others."""
    chosen = torch.zeros(content.shape[1], 1, dtype=torch.bool, device=content.device)
    chosen[list(layers)] = True
    return torch.where(chosen, content, style)


# --- texts --------------------------------------------------------------------------------------------------------

_HAVE = {
    **{name: (f"is {word}", f"is not {word}") for name, word in IS.items()},
    **{name: (f"has {word}", f"does not have {word}") for name, word in HAS.items()},
    **{name: (f"wears {word}", f"does not wear {word}") for name, word in WEARS.items()},
    **{"Young": ("is young", "is old"), "Male": ("is a man", "is a woman")},
    **{"Attractive": ("is attractive", "is not attractive"), "Blurry": ("is blurry", "is not blurry")},
    "No_Beard": ("has no beard", "has a beard"),
}
_BOTH = (*ABSENT, "Male")
"""What captions say both ways; of the others they only say that it is there, of beards by No_Beard's contrary."""
_BETTER = ("High_Cheekbones", "Mouth_Slightly_Open", "Wearing_Earrings")
"""What captions never deny either, and is edited better by its contrary all the same (128 validation faces)."""
_NEUTRAL = "This person."


def phrase(name: str, there: bool) -> str:
    """An attribute as the end of a sentence about a person, in the captions' words: "wears a hat", "has bangs"."""
    return _HAVE[name][0 if there else 1]


def sentence(wanted: Mapping[str, bool]) -> str:
    """What is asked for, in a form that does not depend on how it was said."""
    return f"This person {' and '.join(phrase(name, there) for name, there in wanted.items())}."


def contraries(wanted: Mapping[str, bool]) -> list[str]:
    """Sentences of the same form that say the contrary: of hair of a colour one for each other colour."""
    asked_colour = next((name for name in _COLOURS if wanted.get(name)), None)
    if asked_colour is None:
        return [sentence({name: not there for name, there in wanted.items()})]
    rest = {name: not there for name, there in wanted.items() if name not in _COLOURS}
    return [sentence(rest | {other: True}) for other in HAIR_COLOUR if other != asked_colour]


def words_of(loaded: "Loaded", texts: Sequence[str], device: torch.device | str = "cpu") -> Tensor:
    """Texts as word numbers [N, T], 0 = padding."""
    from telldraw.text import pad

    return torch.from_numpy(pad([loaded.vocabulary.encode(normalise(text)) for text in texts])).to(device)


def learnt(loaded: "Loaded", name: str, there: bool) -> bool:
    """Whether captions say this of an attribute, and the text encoder has seen all words of it."""
    said = name in _BOTH or there != (name == "No_Beard")
    return said and not loaded.vocabulary.unknown(normalise(sentence({name: there})))


def understood(loaded: "Loaded", text: str, *, subject: bool = True) -> dict[str, bool]:
    """What a text asks for, as far as the text encoder has learnt to say it, or its contrary.

    subject: as of `asked`; without it nouns for the person count where a text speaks of nothing else.
    """
    found = asked(text, subject=subject) or asked(text)
    return {name: there for name, there in found.items() if learnt(loaded, name, True) or learnt(loaded, name, False)}


def check_texts(loaded: "Loaded", texts: Sequence[str], how: str = "move") -> None:
    """Say what of the texts is not known. Raises InstructionError for one of which nothing is.

    how: "move" needs attributes, and the words of a text only where it names none; "replace" needs the words.
    """
    from telldraw.commands.progress import say
    from telldraw.text import shorten

    for text in texts:
        words, found = normalise(text), asked(text)
        unknown = loaded.vocabulary.unknown(words)
        if how == "move" and found:
            known = understood(loaded, text)
            unknown = [name.replace("_", " ").lower() for name in found if name not in known]
            words = words if known else unknown
        if not words or len(unknown) == len(set(words)):
            raise InstructionError(
                f"no word of {shorten(text)!r} is known; {loaded.name} knows {loaded.vocabulary.examples()} and others"
            )
        if unknown:
            say(f"words that are not known in {shorten(text)!r}, and left out: {', '.join(unknown)}")


def check_changes(loaded: "Loaded", texts: Sequence[str]) -> None:
    """Raise InstructionError for a text that asks for no attribute: it would change all that a face is."""
    from telldraw.text import shorten

    for text in texts:
        if not understood(loaded, text):
            known = ", ".join(phrase(name, True) for name in _EXAMPLES if learnt(loaded, name, True))
            raise InstructionError(
                f"{shorten(text)!r} speaks of nothing that can be changed; say another thing, such as {known}, or name "
                "the layers that the text is to have with --layers"
            )


_EXAMPLES = ("Blond_Hair", "Red_Hair", "Eyeglasses", "Smiling", "Wearing_Hat", "Mustache", "Wearing_Lipstick")
_SUBJECTS = {"She": ("she", "her", "woman"), "He": ("he", "him", "his", "man")}


def readable(loaded: "Loaded", text: str) -> str:
    """The text itself where all its words are known; else what of it is understood, in the captions' words."""
    words, found = normalise(text), understood(loaded, text)
    if not found or not loaded.vocabulary.unknown(words):
        return text
    who = next((who for who, names in _SUBJECTS.items() if set(names) & set(words)), "This person")
    said = [phrase(name, there) for name, there in found.items() if learnt(loaded, name, there)]
    return f"{who} {' and '.join(said)}." if said else f"{who}."


STRENGTH = 1.4
"""How far an edit goes, in what two texts differ by: 1 brings the average face across, and turns two in three."""
EMPHASIS, VARIETY = 0.6, 0.8
"""Of faces drawn for a text: how far what is asked is stressed, and how much noise there is besides."""
_LEAST = 1e-6


class Moves:
    """What attributes differ by: from the code of a sentence that denies one to that of a sentence that asks for it.

    Two sentences of one form, so that nothing but the attribute is between them. What captions never deny cannot be
    denied in a sentence either: for an edit "This person." stands for it, and the way from an attribute is the way to
    it, turned round. A drawing starts with the text's own code, where what is asked for already is; so far a way would
    disturb the rest (256 validation captions: smiles 96 to 89 %), and the sentence that denies it does.
    """

    def __init__(self, loaded: "Loaded", table: Table, layers: Sequence[int] | None = None) -> None:
        """`layers`: those of every move, instead of the table's."""
        self.loaded, self.table, self.layers = loaded, table, layers
        self._codes: dict[tuple[str, bool, bool], tuple[Tensor, Tensor]] = {}
        system: Any = loaded.system
        self.count: int = system.layers

    def _texts(self, name: str, there: bool, stressed: bool) -> tuple[list[str], list[str]]:
        """Sentences to which a move goes, and from which."""
        own = [sentence({name: there})]
        if stressed or name in _BETTER or (there and name in _COLOURS):
            return own, contraries({name: there})
        if learnt(self.loaded, name, there):
            return own, contraries({name: there}) if learnt(self.loaded, name, not there) else [_NEUTRAL]
        return [_NEUTRAL], [sentence({name: not there})]

    def _said(self, name: str, there: bool, stressed: bool) -> tuple[Tensor, Tensor]:
        """Codes of the sentence to which a move goes, [1, L, C], and of those from which, [K, L, C]."""
        if (name, there, stressed) not in self._codes:
            to, away = self._texts(name, there, stressed)
            codes = torch.cat([told(self.loaded, [text]) for text in (*to, *away)])
            self._codes[name, there, stressed] = codes[:1], codes[1:]
        return self._codes[name, there, stressed]

    def where(self, wanted: Mapping[str, bool], *, stressed: bool = False) -> tuple[int, ...]:
        """The layers that are moved: those of each attribute, in an edit with their neighbours; all for none."""
        if self.layers or not wanted:
            return tuple(self.layers or range(self.count))
        each = [layers_for({name: there}, self.table, self.count) for name, there in wanted.items()]
        return tuple(sorted({n for own in each for n in (own if stressed else with_neighbours(own, self.count))}))

    def across(self, name: str, there: bool, *, stressed: bool = False) -> Tensor:
        """The difference in all layers from the mean of all contraries, [1, L, C]; stressed: as in a drawing."""
        code, others = self._said(name, there, stressed)
        return code - others.mean(0, keepdim=True)

    def of(self, wanted: Mapping[str, bool], start: Tensor | None = None, *, stressed: bool = False) -> Tensor:
        """The sum for all that is asked for, each in its own layers: [1, L, C], or [N, L, C] for codes `start`.

        Of hair these say from which colour: the one they look most like, as far as it is from all others.
        """
        system: Any = self.loaded.system
        steps = [torch.zeros_like(system.mean).expand(1, self.count, -1)]
        for name, there in wanted.items():
            layers = list(self.where({name: there}, stressed=stressed))
            step = self.across(name, there, stressed=stressed)
            code, others = self._said(name, there, stressed)
            if start is not None and len(others) > 1:
                middle = torch.cat([code, others]).mean(0)[layers]
                looks = F.normalize((others[:, layers] - middle).flatten(1), dim=1)
                own = code - others[((start[:, layers] - middle).flatten(1) @ looks.T).argmax(1)]
                far = step[:, layers].norm() / own[:, layers].flatten(1).norm(dim=1).clamp(min=_LEAST)
                step = own * far[:, None, None]
            steps.append(mixed(step, torch.zeros_like(step), layers))
        return torch.stack(torch.broadcast_tensors(*steps)).sum(0)

    def beside(self, wanted: Mapping[str, bool], noise: Tensor) -> Tensor:
        """What of noise [N, L, C], codes less their mean, speaks of nothing that is asked for or thereby excluded.

        That is what is left at right angles to all these moves.
        """
        names = [name for name in implied(wanted) if learnt(self.loaded, name, True)]
        found = [self.across(name, True, stressed=True).flatten() for name in names]
        steps = [step for step in found if float(step.detach().norm()) > _LEAST]
        if not steps:
            return noise
        frame, _ = torch.linalg.qr(torch.stack(steps, 1))
        flat = noise.flatten(1)
        return (flat - flat @ frame @ frame.T).view_as(noise)

    def imagined(self, text: Tensor, wanted: Mapping[str, bool], noise: Tensor) -> Tensor:
        """Codes [N, L, C] of faces for a text: the average one's code [N, L, C], what is asked stressed, and noise.

        E_l gives the mean of all faces a text may speak of, and half of what makes a smile is lost in a mean; layers of
        noise in between would undo more. noise [N, L, C]: codes of noise less their mean.
        """
        if not wanted:
            return text + VARIETY * noise
        return text + EMPHASIS * self.of(wanted, stressed=True) + VARIETY * self.beside(wanted, noise)


def told(loaded: "Loaded", texts: Sequence[str]) -> Tensor:
    """The mean code of texts, [1, L, C]."""
    system: Any = loaded.system
    return system.code_of("text", words_of(loaded, texts, system.mean.device)).mean(0, keepdim=True)


class Change:
    """What an instruction does to codes: where, and towards what."""

    def __init__(
        self,
        loaded: "Loaded",
        text: str,
        *,
        table: Table,
        layers: str | None = None,
        how: str = "move",
        strength: float = STRENGTH,
    ) -> None:
        """Read the instruction. layers: those to change, as people write them, instead of the table's.

        how: "replace" puts the text's code into the layers of what is asked, as in the paper; "move" adds `strength`
            times what the attributes asked for differ by from their contraries (`Moves`).
        """
        system: Any = loaded.system
        self.wanted = understood(loaded, text, subject=False)
        chosen = None if layers is None else parsed(layers, system.layers)
        self.moves = Moves(loaded, table, chosen)
        replaced = how == "replace" and chosen is None
        self.layers = layers_for(self.wanted, table, system.layers) if replaced else self.moves.where(self.wanted)
        self.how, self.strength = how, strength
        if how == "replace" or not self.wanted:
            self.code = told(loaded, [text])
            self.mean: Tensor = system.mean.unsqueeze(0)

    def __call__(self, code: Tensor) -> Tensor:
        """code [N, L, C] -> the changed one."""
        if self.how == "replace":
            return mixed(self.code.expand_as(code), code, self.layers)
        step = self.moves.of(self.wanted, code) if self.wanted else self.code - self.mean
        return mixed(code + self.strength * step, code, self.layers)

    @property
    def intended(self) -> dict[str, bool]:
        """All attributes that the change is about, with what they exclude."""
        return implied(self.wanted)
