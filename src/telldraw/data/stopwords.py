"""English words that are no tags: those of grammar, those by which a picture is arranged, and those of the talk itself.

Tags name what is in a picture: things, people, what they do, how they look. What the Tellers of CoDraw say has two more
kinds of word in nearly every dialogue, whatever the scene: where and how large things are, and how the talk goes. As
tags they would be guessed right without a look at the picture. Written by us, from the words that 20 training dialogues
or more have. Numbers and single letters are no tags either; `is_tag` says so.
"""

GRAMMAR = frozenset(
    """a about above across actually after again against all almost along already also although always am an and another
    any anyone anything apart are around as at away back barely basically be because been before behind being below
    beneath beside besides between beyond both but by can cannot could did directly do does doing done down during each
    either else enough entirely even ever every everyone everything exactly except few for from fully further get gets
    getting go goes going gone got had half has have having he her here hers herself him himself his how however i if in
    inside instead into is it its itself just kind kinda least less let like lot lots many may maybe me mean might mine
    more most mostly much must my myself near nearly need needs neither never next no nobody none nor not nothing now of
    off on once one ones only onto or other others otherwise our out outside over own part partially partly past per
    perhaps pretty probably quite rather really same seem seems several shall she should similar since slightly so some
    somehow someone something somewhat somewhere sort still such sure than that the their them then there these they
    thing things this those though through to together too total totally toward towards twice two under underneath
    unless until up upon us use used using usual usually very via was we well were what whatever when where which while
    who whole whose why will with within without would yet you your yours yourself will wo ai na gon wan ca im ive dont
    doesnt isnt thats theres cant didnt youre hes shes three four five six""".split()
)
"""Grammar, and words as frequent and as empty."""

ARRANGEMENT = frozenset(
    """left right leftmost rightmost top tops bottom side sides sided corner corners center centre centered middle mid
    midway halfway upper lower lowest low high higher highest front rear forward backwards foreground background
    facing faced faces edge edges border frame screen page canvas picture pic photo image scene view horizon skyline
    horizontal horizontally vertical vertically diagonal diagonally level levels line lines lined straight parallel
    size sized sizes small smaller smallest medium med large larger largest lg lrg big bigger biggest little tiny huge
    bit tad smidge slight inch inches cm centimeter centimeters quarter third first second 2nd 3rd 4th last end ends
    start starts starting base area space spaces position positioned place placed placing put set point points pointed
    spot section portion part parts distance direction opposite equal height width length wide far farther farthest
    furthest close closer closest touch touches touching overlap overlaps overlapping cut cuts cutting crop cropped
    cover covers covered covering hide hides hidden hiding block blocks blocked blocking visible seen show shows
    showing shown peek peeks peeking peeked peep sliver tip tips rest align aligns aligned entire partial completely
    cross crossing crossed over way ways sited slope meet meets hit hits hitting""".split()
)
"""Where a thing is, how large, what hides it."""

TALK = frozenset(
    """hi hello hey ok okay alright yes yeah yep yup nope no thanks thank ty you welcome sorry please lol oh oops wow
    great good nice perfect awesome fine correct wrong bad hard weird exact normal regular ready done finished finish
    finally submit submitting send check checked checking peeking chance question questions guess think know tell told
    say said said describe see look looks looking looked believe meant want try keep leave give take takes taking come
    comes coming go bring add make makes move moved moving change changes adjust adjusted adjustments accordingly
    flip flipped switch turn turned raise shift shrink pull bump drop resize fix fixing read draw drawer mount job work
    time problem ill lets forgot missing item items object objects type form style shape color colour full plain
    everything people stage movie bye u w o""".split()
)
"""How two people talk about making a picture."""

NO_TAGS = GRAMMAR | ARRANGEMENT | TALK


def is_tag(word: str) -> bool:
    """Whether a normalised word can be a tag: letters, at least two of them, and none of the words above."""
    return len(word) > 1 and word.isalpha() and word not in NO_TAGS
