"""What a sentence says of a face: CelebA's attributes by name, and whether each is said to be there or not.

A lexicon and a few rules, no network: a clause ends at punctuation, "but", "with" and "and" before a verb, but not at
the comma of "black, wavy hair"; "not", "no", "without", "neither" and the like negate what follows them in their
clause. Words of the subject ("a young woman", "he") count as attributes only where they are meant: a pronoun never
does, a noun where `subject` is asked for. Red hair, which is none of CelebA's, is known because captions say it.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping

_KIND = "long|short|wavy|curly|straight|thick|thin|shoulder|length|sleek|dark|light"
_COLOUR = "black|raven|blonde?|fair|golden|yellow|brown|brunette|chestnut|gr[ae]y|white|silver|red|ginger|auburn"
_HAIR = rf"(?:(?:{_KIND}|and) ){{0,3}}hair(?:ed)?"

LEXICON: dict[str, str] = {
    "5_o_Clock_Shadow": r"(?:5|five)(?: o)? ?clock shadow|stubble",
    "Arched_Eyebrows": r"arched (?:eye)?brows",
    "Attractive": r"attractive|beautiful|handsome|good looking|pretty",
    "Bags_Under_Eyes": r"bags under (?:her |his |the |their )?eyes|eye ?bags",
    "Bald": r"bald(?:ing)?|no hair",
    "Bangs": r"bangs|fringe",
    "Big_Lips": r"(?:big|full|thick|large) lips",
    "Big_Nose": r"(?:big|large) nose",
    "Black_Hair": rf"(?:black|raven|dark) {_HAIR}",
    "Blond_Hair": rf"(?:blond|blonde|fair|golden|yellow) {_HAIR}|blonde?",
    "Blurry": r"blurry|blurred|out of focus",
    "Brown_Hair": rf"(?:brown|brunette|chestnut) {_HAIR}|brunette",
    "Bushy_Eyebrows": r"(?:bushy|thick) (?:eye)?brows",
    "Chubby": r"chubby|fat|plump",
    "Double_Chin": r"double chin",
    "Eyeglasses": r"(?:eye|sun)?glasses|spectacles",
    "Goatee": r"goatee",
    "Gray_Hair": rf"(?:gr[ae]y|white|silver) {_HAIR}",
    "Heavy_Makeup": r"(?:heavy )?make ?up",
    "High_Cheekbones": r"high cheek ?bones",
    "Mouth_Slightly_Open": r"mouth(?: is)?(?: slightly| a little)? open|(?:slightly |an )?open mouth",
    "Mustache": r"mo?ustaches?",
    "Narrow_Eyes": r"narrow eyes",
    "Oval_Face": r"oval face",
    "Pale_Skin": r"pale(?: skin)?",
    "Pointy_Nose": r"(?:pointy|pointed) nose",
    "Receding_Hairline": r"receding hair ?line",
    "Red_Hair": rf"(?:red|ginger|auburn) {_HAIR}|red ?head(?:ed)?",
    "Rosy_Cheeks": r"rosy cheeks",
    "Sideburns": r"side ?burns",
    "Smiling": r"smil(?:e|es|ing|ey)|laugh(?:s|ing)?|grin(?:s|ning)?|happy",
    "Straight_Hair": rf"straight (?:(?:{_COLOUR}|long|short|dark|light|and) ){{0,3}}hair(?:ed)?",
    "Wavy_Hair": rf"(?:wavy|curly) (?:(?:{_COLOUR}|long|short|dark|light|and) ){{0,3}}hair(?:ed)?",
    "Wearing_Earrings": r"ear ?rings?",
    "Wearing_Hat": r"hats?|caps?|beanie",
    "Wearing_Lipstick": r"lip ?stick",
    "Wearing_Necklace": r"necklaces?",
    "Wearing_Necktie": r"(?:neck)?ties?",
    "Young": r"young(?:er|est)?|youthful",
    "No_Beard": r"clean shaven",
    "Male": r"(?:male|man|men|gentleman|guy|boy)",
}
"""Attribute -> what is said for it, as a regular expression over words in lower case."""
OPPOSITES: dict[str, str] = {
    "Young": r"old(?:er|est)?|elderly|aged|senior",
    "Male": r"(?:female|woman|women|lady|girl)",
    "No_Beard": r"beards?|bearded",
    "Smiling": r"serious|frown(?:s|ing)?|sad",
}
"""Attribute -> what is said for its absence."""
TOGETHER = (
    ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair", "Red_Hair", "Bald"),
    ("Straight_Hair", "Wavy_Hair"),
)
"""Attributes of which a face has one: who asks for one asks for none of the others."""
_SUBJECT = ("Male",)

_NEGATION = re.compile(
    r"\b(?:not|no|without|neither|never|nor|none|nothing|(?:is|are|does|do|has|have|wo|ca)(?:n t|nt)|can t|cannot"
    r"|lacks?|lacking|stops?|stopped|lose|loses|removes?|removed|removing|drops?|get rid of|gets rid of|rid of"
    r"|(?:takes?|taking|taken|took) (?:\w+ ){0,3}?(?:off|away))\b"
)
_VERBS = "is|are|has|have|wears?|wearing|looks?|appears?|with|without|no|add"
_LISTED = re.compile(rf"\b({_KIND}|{_COLOUR})\s*,(?=\s*(?:(?:{_KIND}|{_COLOUR}|and)[\s,]+)+hair)")
_CLAUSE = re.compile(rf"[.,;:!?\n]+|\bbut\b|\bwith(?!out)\b|\band (?=(?:{_VERBS})\b)")


def asked(text: str, *, subject: bool = True) -> dict[str, bool]:
    """What a sentence says: attribute -> whether it is said to be there. What it does not speak of is not in it.

    subject: whether nouns for the person ("this man") say something; in an instruction to change a picture they only
    name it. Where a sentence contradicts itself the last word counts.
    """
    found: dict[str, bool] = {}
    for clause in _clauses(text):
        denied = _NEGATION.search(clause)
        for name, there, at in _said(clause):
            if name in _SUBJECT and not subject:
                continue
            absent = denied is not None and denied.start() <= at and not (name == "Bald" and "no hair" in clause)
            found[name] = there != absent
    return found


def implied(wanted: Mapping[str, bool]) -> dict[str, bool]:
    """What is asked for, and what that excludes (`TOGETHER`): blond hair is no black hair."""
    full = dict(wanted)
    for group in TOGETHER:
        if any(wanted.get(name) for name in group):
            full |= {name: False for name in group if name not in wanted}
    return full


def _clauses(text: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")
    for clause in _CLAUSE.split(_LISTED.sub(r"\1", plain)):
        yield " ".join(re.findall(r"[^\W_]+", clause))


def _said(clause: str) -> Iterator[tuple[str, bool, int]]:
    """Attributes spoken of in a clause: name, whether for it or against, and where."""
    for table, there in ((LEXICON, True), (OPPOSITES, False)):
        for name, pattern in table.items():
            if match := re.search(rf"\b(?:{pattern})\b", clause):
                yield name, there, match.start()
