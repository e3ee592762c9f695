"""Texts that break programs: what a stranger can type, and what a client library can hand over."""

from __future__ import annotations

import random
import unicodedata

_ZWJ, _RLO, _NUL = "\u200d", "\u202e", "\x00"
FAMILY = f"👨{_ZWJ}👩{_ZWJ}👧{_ZWJ}👦"

#: Name -> text. Every one goes through the whole line, on both databases.
AWKWARD: dict[str, str] = {
    "nothing": "",
    "blank": " \t\n\u00a0\u3000 ",
    "long words": "paczka " * 14_285,
    "one long word": "a" * 100_000,
    "long without a letter": "?" * 100_000,
    "long line of digits": "1" * 100_000,
    "long and mixed": ("Ząb, żółć; gdzie (jest) moja paczka nr 12-34? :( " * 2_050)[:100_000],
    "emoji": "😡" * 5_000,
    "families": FAMILY * 3_000,
    "flags": "🇵🇱" * 3_000,
    "joiners alone": _ZWJ * 100_000,
    "zero width": "p\u200ba\u200cc\u2060z\ufeffk\u00ada nie dosz\u200bła",
    "turned around": f"Gdzie {_RLO}akzcap ajom{chr(0x202C)}? \u2066\u2067\u2068\u2069",
    "nothing in the middle": f"Gdzie{_NUL}paczka{_NUL}",
    "nothing at all": _NUL * 1_000,
    "lone surrogates": "Gdzie \ud83d paczka \udc00\udfff \ud800",
    "a mark of ours": "\ufdd0" + '"Gdzie paczka"',
    "only a mark of ours": "\ufdd0",
    "composed": unicodedata.normalize("NFC", "Zażółć gęślą jaźń, gdzie paczka?"),
    "decomposed": unicodedata.normalize("NFD", "Zażółć gęślą jaźń, gdzie paczka?"),
    "homoglyphs": "Gdziе mоja рaczka? Сhcę zwrоtu",
    "marks": "e" + "\u0301" * 10_000,
    "marks of many kinds": "Gdzie paczka? " + "".join(chr(0x0300 + number % 0x6F) for number in range(10_000)),
    "marks in turns": ("a\u0315\u0300\u05ae\u0300" * 5_000)[:20_000],
    "wide forms": "Ｇｄｚｉｅ ｐａｃｚｋａ？",
    "controls": "".join(map(chr, range(32))) + "\x7f\x80\x9f\u2028\u2029",
    "escapes": "\x1b[2J\x1b]0;title\x07 paczka \x1b[31m",
    "entities": "&amp;" * 20_000,
    "an entity bomb": "&#x" * 33_000,
    "ats": "@" * 100_000,
    "handles": "@a" * 50_000,
    "handles of servers": "@a.b-c" * 16_000,
    "addresses": "a.b+c@" * 16_000,
    "half an address": "a" * 50_000 + "@" + "b." * 25_000,
    "links": "http://" * 14_000,
    "dots": "." * 100_000,
    "lines": "\n" * 100_000,
    "blanks and lines": " \n" * 50_000,
    "apostrophes": "d'" * 50_000,
    "hashes": "#a" * 50_000,
    "brackets": "([{<" * 25_000,
    "sharp s": "ß" * 100_000,
    "ligatures": "ﬃ﷽" * 20_000,
    "phones": "123 456 789 " * 8_000,
    "numbers of cards": "4111 1111 1111 1111 " * 5_000,
    "numbers of accounts": "PL61 1090 1014 0000 0712 1981 2874 " * 2_800,
    "order numbers": "zamówienie nr " * 7_000,
    "the word of a rule": "człowiek " * 11_000,
    "a rule that begins": "rozmawiać z " * 8_000,
    "a rule that nearly ends": "nie chcę rozmawiać bo " * 4_500,
    "stop": "stop " * 20_000,
    "Arabic": "أين طردي؟ " * 1_000,
    "Thai": "พัสดุของฉันอยู่ที่ไหน" * 1_000,
    "Hangul parts": "\u1112\u1161\u11ab" * 10_000,
    "beyond the plane": "\U0001d4d0\U0010ffff\U000e0041" * 10_000,
    "noncharacters": "\ufffe\uffff\ufdd1\U0001fffe",
}


def shuffled(seed: int, length: int = 4_000) -> str:
    """Pieces of all of them in any order."""
    chance = random.Random(seed)
    pieces = list(AWKWARD.values())
    text = ""
    while len(text) < length:
        piece = chance.choice(pieces)
        start = chance.randrange(max(1, len(piece)))
        text += piece[start : start + chance.randrange(1, 60)]
    return text[:length]
