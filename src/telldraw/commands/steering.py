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

from telldraw.data.face_words import asked, implied
from telldraw.errors import TelldrawError
from telldraw.text import normalise

if TYPE_CHECKING:
    from telldraw.weights import Loaded

Table = Mapping[str, tuple[int, ...]]
"""Attribute -> layers, from 0."""

_EXPRESSION = ("Smiling", "Mouth_Slightly_Open")
_SHAPE = ("Oval_Face", "Chubby", "Double_Chin", "Bald", "Receding_Hairline")
_HAIR_NOSE_LIP = ("Bangs", "Straight_Hair", "Wavy_Hair", "Big_Nose", "Pointy_Nose", "Big_Lips", "Wearing_Hat")
_HAIR_COLOUR = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")
_FACE_COLOUR = ("Pale_Skin", "Rosy_Cheeks", "Heavy_Makeup", "Wearing_Lipstick")
_MICRO = (
    *("5_o_Clock_Shadow", "Goatee", "Mustache", "Sideburns", "No_Beard", "Bags_Under_Eyes"),
    *("Arched_Eyebrows", "Bushy_Eyebrows", "Narrow_Eyes", "Wearing_Earrings", "Wearing_Necklace", "Wearing_Necktie"),
)
TABLES: dict[str, Table] = {
    # Xia et al. 2021, Table 3, of 14 layers at 256x256, whose rows count from 1: eyeglasses 1, pose 2, shape 3, hair
    # length, nose and lip 4, cheekbones 5, chin 6, hair colour 7, face colour 8, age 9, gender 10, micro features 11,
    # 12. Expression has no row there; the text has it in the layers of 16x16 and 32x32.
    "tedigan14": {
        "Eyeglasses": (0,),
        **dict.fromkeys(_SHAPE, (2,)),
        **dict.fromkeys(_HAIR_NOSE_LIP, (3,)),
        "High_Cheekbones": (4,),
        **dict.fromkeys(_EXPRESSION, (4, 5, 6, 7)),
        **dict.fromkeys(_HAIR_COLOUR, (6,)),
        **dict.fromkeys(_FACE_COLOUR, (7,)),
        "Young": (8,),
        "Male": (9,),
        **dict.fromkeys(_MICRO, (10, 11)),
    },
    # the layers that come with the boundaries of Zhu et al. 2020, for the same generator
    "idinvert14": {
        "Eyeglasses": (0, 1, 2),
        "Male": (2, 3, 4),
        **dict.fromkeys(_EXPRESSION, (2, 3, 4, 5)),
        "Young": (0, 1, 2, 3, 4, 5),
    },
}
"""Published tables, of a generator with 14 layers."""
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
    """The layers of all that is asked for; all layers where the table, or the sentence, says nothing of it."""
    if not wanted or any(not table.get(name) for name in wanted):
        return tuple(range(count))
    return tuple(sorted({layer for name in wanted for layer in table[name] if layer < count})) or tuple(range(count))


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
    **{"Smiling": ("is smiling", "is not smiling"), "Bald": ("is bald", "is not bald")},
    **{"Young": ("is young", "is old"), "Male": ("is a man", "is a woman")},
    **{"Chubby": ("is chubby", "is not chubby"), "Attractive": ("is attractive", "is not attractive")},
    **{"Eyeglasses": ("wears eyeglasses", "does not wear eyeglasses")},
    **{"Wearing_Hat": ("wears a hat", "does not wear a hat")},
    **{"No_Beard": ("has no beard", "has a beard")},
}


def phrase(name: str, there: bool) -> str:
    """An attribute as the end of a sentence about a person: "wears a hat", "does not have bangs"."""
    if name in _HAVE:
        return _HAVE[name][0 if there else 1]
    verb, noun = ("wear", name.removeprefix("Wearing_")) if name.startswith("Wearing_") else ("have", name)
    noun = noun.replace("_", " ").lower()
    forms = {"wear": "wears", "have": "has"}
    return f"{forms[verb]} {noun}" if there else f"does not {verb} {noun}"


def sentence(wanted: Mapping[str, bool]) -> str:
    """What is asked for, in a form that does not depend on how it was said."""
    return f"This person {' and '.join(phrase(name, there) for name, there in wanted.items())}."


def contraries(wanted: Mapping[str, bool]) -> list[str]:
    """Sentences of the same form that say the contrary: of hair of a colour one for each other colour."""
    asked_colour = next((name for name in _HAIR_COLOUR if wanted.get(name)), None)
    if asked_colour is None:
        return [sentence({name: not there for name, there in wanted.items()})]
    rest = {name: not there for name, there in wanted.items() if name not in _HAIR_COLOUR}
    return [sentence(rest | {other: True}) for other in _HAIR_COLOUR if other != asked_colour]


def words_of(loaded: "Loaded", texts: Sequence[str], device: torch.device | str = "cpu") -> Tensor:
    """Texts as word numbers [N, T], 0 = padding."""
    from telldraw.text import pad

    return torch.from_numpy(pad([loaded.vocabulary.encode(normalise(text)) for text in texts])).to(device)


def check_texts(loaded: "Loaded", texts: Sequence[str]) -> None:
    """Say what of the texts is not known. Raises InstructionError for one without a word that is."""
    from telldraw.commands.progress import say
    from telldraw.errors import InstructionError
    from telldraw.text import shorten

    for text in texts:
        words = normalise(text)
        unknown = loaded.vocabulary.unknown(words)
        if not words or len(unknown) == len(set(words)):
            raise InstructionError(
                f"no word of {shorten(text)!r} is known; {loaded.name} knows {loaded.vocabulary.examples()} and others"
            )
        if unknown:
            say(f"words that are not known in {shorten(text)!r}, and left out: {', '.join(unknown)}")


STRENGTH = 2.0
"""How far an edit goes, in what two texts differ by: 1 brings the average face across, and turns about half of them."""
EMPHASIS, VARIETY = 1.25, 0.5
"""Of faces drawn for a text: how far what is asked is stressed, and how much noise there is besides."""
_LEAST = 1e-6


class Moves:
    """What attributes differ by: from the code of a sentence that denies one to that of a sentence that asks for it.

    Two sentences of one form, so that nothing but the attribute is between them.
    """

    def __init__(self, loaded: "Loaded", table: Table, layers: Sequence[int] | None = None) -> None:
        """`layers`: those of every move, instead of the table's."""
        self.loaded, self.table, self.layers = loaded, table, layers
        self._codes: dict[tuple[str, bool], tuple[Tensor, Tensor]] = {}
        system: Any = loaded.system
        self.count: int = system.layers

    def _said(self, name: str, there: bool) -> tuple[Tensor, Tensor]:
        """Codes of the sentence that asks for it, [1, L, C], and of its contraries, [K, L, C]."""
        if (name, there) not in self._codes:
            texts = [sentence({name: there}), *contraries({name: there})]
            codes = torch.cat([told(self.loaded, [text]) for text in texts])
            self._codes[name, there] = codes[:1], codes[1:]
        return self._codes[name, there]

    def across(self, name: str, there: bool) -> Tensor:
        """The difference in all layers from the mean of all contraries, [1, L, C]."""
        code, others = self._said(name, there)
        return code - others.mean(0, keepdim=True)

    def of(self, wanted: Mapping[str, bool], start: Tensor | None = None) -> Tensor:
        """The sum for all that is asked for, each in its own layers: [1, L, C], or [N, L, C] for codes `start`.

        Of hair these say from which colour: the one they look most like, as far as it is from all others.
        """
        steps = []
        for name, there in wanted.items():
            layers = list(self.layers or layers_for({name: there}, self.table, self.count))
            step, (code, others) = self.across(name, there), self._said(name, there)
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
        found = [self.across(name, True).flatten() for name in implied(wanted)]
        steps = [step for step in found if float(step.norm()) > _LEAST]
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
        return text + EMPHASIS * self.of(wanted) + VARIETY * self.beside(wanted, noise)


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
        self.wanted = asked(text, subject=False) or asked(text)
        chosen = parsed(layers, system.layers) if layers else None
        self.moves = Moves(loaded, table, chosen)
        self.layers = chosen or layers_for(self.wanted, table, system.layers)
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
