"""The classifier that the engine gets: rules and language first, one pass of the encoder, then the merge."""

from __future__ import annotations

from collections.abc import Sequence

from social.domain.assessment import RULES_ONLY, Assessment, ModelIdentity, TextToAssess
from social.ports import Health
from triage.encoder import Encoder
from triage.language import LanguageGuess, guess_language
from triage.merge import ModelOpinion, merge, rules_alone
from triage.prepare import PreparedText, prepare, says_little
from triage.rules import RuleBook, rule_book


class ModelClassifier:
    """``social.ports.Classifier`` with a model. ``languages`` are those of the brand: any other one is left to
    people."""

    def __init__(self, encoder: Encoder, languages: Sequence[str], *, rules: RuleBook | None = None) -> None:
        self._encoder = encoder
        self._languages = tuple(languages)
        self._rules = rules or rule_book()

    @property
    def identity(self) -> ModelIdentity:
        return self._encoder.identity

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        """One assessment a text, in order. Never raises for a text; ``ModelUnavailable`` if the model is broken."""
        prepared = [prepare(item.text) for item in texts]
        if not prepared:
            return []
        languages = [_language(text, item, self._languages) for text, item in zip(prepared, texts, strict=True)]
        read = [self._in_its_thread(text, item) for text, item in zip(prepared, texts, strict=True)]
        scores = self._encoder.score(read, [language.code for language in languages])
        assessments = []
        for place, (text, language) in enumerate(zip(prepared, languages, strict=True)):
            opinion = ModelOpinion(
                identity=self._encoder.identity,
                sentiment=scores.sentiment[place],
                urgency=None if scores.urgency is None else scores.urgency[place],
                vector=None if scores.vectors is None else scores.vectors[place],
                more={name: values[place] for name, values in scores.more.items()},
                heads=self._encoder.heads,
            )
            leans = read[place] != text.text
            assessments.append(merge(text, language, self._rules.judge(text.text), opinion, leans=leans))
        return assessments

    def _in_its_thread(self, text: PreparedText, item: TextToAssess) -> str:
        """What the model reads: the text, and in front of one that says next to nothing ("???") what it goes on from. Thanks
        say enough."""
        if item.before is None or not says_little(text.text) or self._rules.is_harmless(text.text):
            return text.text
        return f"{prepare(item.before).text}\n{text.text}"

    def health(self) -> Health:
        return Health(
            ok=True,
            summary=f"triage by {self.identity} ({self._encoder.runtime})",
            details={"model": str(self.identity), "runtime": self._encoder.runtime},
        )


class RulesClassifier:
    """``social.ports.Classifier`` while no model is there: nothing obviously harmful is missed, nothing is called
    neutral in earnest, everything that may need an answer goes to people."""

    def __init__(self, reason: str, languages: Sequence[str], *, rules: RuleBook | None = None) -> None:
        self._reason = reason
        self._languages = tuple(languages)
        self._rules = rules or rule_book()

    @property
    def identity(self) -> ModelIdentity:
        return RULES_ONLY

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        return [self._assess(item) for item in texts]

    def _assess(self, item: TextToAssess) -> Assessment:
        text = prepare(item.text)
        hits = self._rules.judge(text.text)
        harmless = self._rules.is_harmless(text.text)
        language = _language(text, item, self._languages)
        return rules_alone(text, language, hits, harmless=harmless, why=self._reason)

    def health(self) -> Health:
        return Health(
            ok=False,
            summary=f"triage works by rules alone, so that people must look at nearly everything: {self._reason}",
            details={"model": str(RULES_ONLY), "reason": self._reason},
        )


def _language(text: PreparedText, item: TextToAssess, languages: tuple[str, ...]) -> LanguageGuess:
    return guess_language(text.text, item, languages)
