"""The words that fill the tweets, and places and people made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PIECES = re.compile(r"[^\W_]+")

_TEXT = """
about above across after again against almost along already also although always among another
anybody around away back balcony basket beautiful because become before behind believe below beneath
beside better between beyond blanket bottle branch bread breakfast bright brother brought build
button cabin candle carpet carry castle caught ceiling cellar century certain chapter cheese cherry
choose circle clean clever climb close cloud coffee collect colour common complete copper corner
cotton could country couple course cousin cover cream curtain cushion daily dance daughter decide
deep different dinner distance doctor double doubt dream during early earth easily east eight either
empty engine enough evening every example explain express fabric family famous farmer father feather
february fellow fence field figure finger finish first flower follow foreign forest forget forward
fourth fresh friday friend front fruit further garden gather gentle glass golden grandmother grass
great green ground happen harbour hardly harvest heavy hello honest horse hotel hour house however
hundred hungry image important indeed inside instead island itself january jacket journey july
juniper kettle kitchen ladder language large later laugh lawn leather leave lemon lesson letter
library light likely listen little lively lonely lovely lunch machine maple market matter meadow
measure medicine member middle might minute mirror moment monday month moonlight morning mother
mountain museum music napkin narrow nature nearly needle neighbour never north notebook nothing
notice number object october often older olive onion only orange orchard order other outside
painting paper parcel parent passage pencil people pepper perhaps person piano picture pillow planet
plate pleasant pocket poem poetry possible potato practice present pretty problem promise quarter
question quick quiet rabbit rather ready really reason remember return ribbon river rough round
sailor sandwich saturday scissors season second seldom several shelf shoulder silver simple single
sister sleep slowly small smooth sometimes south spoon spring square stairs station steady stone
story straight strange stream street strong student sudden sugar summer sunday supper sweater table
teacher thank theatre their there thing think third thought thousand through thursday ticket
together tomorrow tonight toward towel travel tree trouble tuesday twelve twenty umbrella uncle
under until upon useful usual valley velvet village visit voice walnut wander warm weather wednesday
welcome western wheat whether whisper white whole willow window winter without wonder wooden world
yellow yesterday young café naïve façade señor über größe smörgås žluťoučký привет погода γειά
καλημέρα 你好 東京 ありがとう 안녕 ☕ 🌿 🎉
"""
WORDS = tuple(_TEXT.split())
PLACES = ("Oslo", "Lisbon", "Quito", "Nairobi", "Osaka", "Perth", "Porto", "Lima", "Tallinn", "Split")


def pieces(text: str) -> list[str]:
    """Return the runs of letters and digits in a text, in lower case."""
    return _PIECES.findall(text.lower())


def words_without(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the filler words that occur in none of the texts, not even in part.

    A numbered word replaces a vocabulary that the rules use up.
    """
    used = {piece for text in texts for piece in (*pieces(text), *text.lower().split())}
    words = tuple(word for word in WORDS if word not in used)
    return words or tuple(word for word in (f"filler{n}" for n in range(1000)) if word not in used)
