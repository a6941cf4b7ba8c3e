"""Which layers of a code an attribute has, as published: tables of a generator with 14 layers.

Layers are counted from 0 here, the first at 4x4.
"""

from collections.abc import Mapping

Table = Mapping[str, tuple[int, ...]]
"""Attribute -> layers, from 0."""

_EXPRESSION = ("Smiling", "Mouth_Slightly_Open")
_SHAPE = ("Oval_Face", "Chubby", "Double_Chin", "Bald", "Receding_Hairline")
_HAIR_NOSE_LIP = ("Bangs", "Straight_Hair", "Wavy_Hair", "Big_Nose", "Pointy_Nose", "Big_Lips", "Wearing_Hat")
HAIR_COLOUR = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")
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
        **dict.fromkeys(HAIR_COLOUR, (6,)),
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
