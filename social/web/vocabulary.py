"""The words for what the program knows by short names: English, which is also the key of the translations."""

from __future__ import annotations

from collections.abc import Mapping

URGENCY: Mapping[str, str] = {"critical": "critical", "high": "high", "normal": "normal", "low": "low"}
SENTIMENT: Mapping[str, str] = {"negative": "negative", "neutral": "neutral", "positive": "positive"}
STATE: Mapping[str, str] = {"open": "open", "taken": "taken", "answered": "answered", "closed": "closed"}
MODE: Mapping[str, str] = {
    "off": "off: reads and judges only",
    "dry-run": "dry-run: writes nothing automatic",
    "acknowledge": "live: acknowledges customers",
}
ROLE: Mapping[str, str] = {"viewer": "viewer", "agent": "agent", "admin": "admin"}
KIND: Mapping[str, str] = {
    "acknowledgement": "acknowledgement",
    "closed-notice": "notice that we are closed",
    "hand-over": "hand-over confirmation",
    "holding": "holding statement",
    "answer": "answer",
}
REPLY_STATE: Mapping[str, str] = {
    "planned": "planned",
    "sending": "being sent",
    "sent": "sent",
    "refused": "refused by the network",
    "cancelled": "cancelled",
    "late": "too late, not sent",
    "unknown": "nobody can tell whether it was sent",
    "would-have-sent": "would have been sent (dry-run)",
}
LANGUAGE: Mapping[str, str] = {
    "pl": "Polish",
    "en": "English",
    "de": "German",
    "uk": "Ukrainian",
    "ru": "Russian",
    "cs": "Czech",
    "sk": "Slovak",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "und": "unknown language",
}
FLAG: Mapping[str, str] = {
    "wants_human": "wants a human",
    "opt_out": "wants no automatic texts",
    "formal": "formal complaint",
    "safety": "safety",
    "self_harm": "self-harm",
    "legal": "legal threat",
    "fraud": "fraud",
    "minors": "a minor",
    "press": "press",
    "rising_anger": "rising anger",
    "outage": "outage",
    "repeat_contact": "asks again",
    "spam": "spam",
    "auto_reply": "a machine's answer",
    "abuse": "insults",
    "hate": "hate",
}
#: What the model may have found, of whatever question.
JUDGED: Mapping[str, str] = {**SENTIMENT, **URGENCY, **FLAG}
HEAD: Mapping[str, str] = {
    "language": "language",
    "sentiment": "sentiment",
    "urgency": "urgency",
    "needs_reply": "whether an answer is needed",
    "flags": "what the text asks for",
}
#: What was decided and why, by the name of the policy's rule, and why a case was opened that no rule decided.
RULE: Mapping[str, str] = {
    "own-post": "our own post",
    "other-bot": "written by another bot",
    "spam": "spam",
    "auto-reply": "a machine's answer",
    "already-answered": "a person has answered it already",
    "history-without-question": "written before the profile was first read, no question",
    "history-old": "written long before the profile was first read",
    "opt-out-only": "wants no automatic texts",
    "no-answer-needed": "no answer needed",
    "history": "written before the profile was first read",
    "after-gap": "came while nobody was reading, and the thread could not be checked",
    "opt-out": "wants no automatic texts, and an answer",
    "wants-human": "asks for a human",
    "no-robot-here": "a matter for people only",
    "perhaps-spam": "perhaps spam, perhaps more",
    "automation-ended": "a person already acts here, or automation has ended",
    "unsure": "the judgement is unsure",
    "between-customers": "written to another customer",
    "crisis": "a crisis on the profile",
    "holding": "a crisis: told what a person approved",
    "profile-off": "the profile is off",
    "one-text-a-contact": "belongs to a contact that has its automatic text",
    "not-permitted": "the network allows no automatic reply here",
    "limit": "the limit of automatic texts is reached",
    "open": "needs an answer",
    "closed": "came outside opening hours",
    "reply-refused": "an answer did not reach the customer",
    "reply-unknown": "nobody can tell whether an answer was sent",
    "reply-late": "an automatic text came too late",
    "failed": "could not be judged",
}
#: What spoke for a judgement, by name: the shipped rules (triage/rules.toml) and the model. A brand's own rules keep their names.
REASON: Mapping[str, str] = {
    "asks-for-a-person": "asks for a person",
    "leave-it-be": "wants to be left alone",
    "wants-no-messages": "wants no messages",
    "may-harm-themselves": "may harm themselves",
    "harm-to-health": "harm to somebody's health",
    "foreign-body-in-food": "something in the food that does not belong there",
    "immediate-hazard": "a danger right now",
    "violence-or-harassment": "violence, threats or harassment",
    "person-in-danger-now": "a person in danger right now",
    "hazard-without-harm": "a hazard, nobody hurt yet",
    "account-or-money-taken": "account, money or data in other hands",
    "account-recovered": "an account that was taken and is back",
    "phishing-in-our-name": "somebody cheats in our name",
    "law-or-authorities": "lawyers, police or authorities",
    "a-minor-writes": "a minor writes",
    "a-child-is-concerned": "a child is concerned",
    "press": "somebody from the press writes",
    "leaves-or-boycotts": "leaves, or tells others to",
    "indignant": "indignant",
    "reminds": "a reminder",
    "asks-again": "asks for the second time or later",
    "formal-complaint-or-withdrawal": "formal complaint, refund or withdrawal",
    "down-for-many": "does not work for many",
    "does-not-work": "does not work",
    "cannot-use-it": "cannot use what was paid for",
    "locked-out": "locked out of the account",
    "advertising": "advertising",
    "automatic-answer": "a machine's answer",
    "no-model": "the model is missing, the rules alone decided",
    "thread": "says too little alone: read with the customer's post before",
    "sentiment": "the model on sentiment",
    "urgency": "the model on urgency",
    "harm": "the model on insults and hate",
}
VERB: Mapping[str, str] = {
    "opened": "opened the case",
    "reopened": "opened the case again",
    "joined": "added a new post",
    "took": "took the case",
    "took over": "took the case over",
    "answered": "answered the customer",
    "closed": "closed the case",
    "planned an answer": "wrote an answer",
    "post deleted": "saw that the post was deleted",
    "corrected the judgement": "corrected the judgement",
    "wrote a note": "wrote a note",
}
ACTOR: Mapping[str, str] = {
    "robot": "robot",
    "network-app": "in the network's own app",
    "outbox": "the desk",
    "(no name)": "(no name)",
    "(deleted account)": "(deleted account)",
}
#: What the guard has against a text.
PROBLEM: Mapping[str, str] = {
    "empty": "The answer is empty.",
    "too-long": "The answer is too long for this network.",
    "control-characters": "The answer holds characters that nobody can see.",
    "link": "The answer holds a link.",
    "personal-data": "The answer holds personal data, and everybody can read it.",
    "order-number": "The answer seems to hold an order number, and everybody can read it.",
    "complaint-verdict": "The answer says how a formal complaint ends. Is that decided?",
    "private-invitation": "The answer invites to a private message, which this desk does not read.",
}
PERSONAL_DATA: Mapping[str, str] = {
    "bank account": "bank account",
    "payment card": "payment card",
    "PESEL": "PESEL",
    "NIP": "NIP",
    "e-mail address": "e-mail address",
    "phone number": "phone number",
    "order number": "order number",
}
ABSENT: Mapping[str, str] = {
    "poll": "No network is being read.",
    "triage": "Nothing that comes in is being judged.",
    "respond": "Nothing is being sent, and nobody is rung.",
}
LENGTH_UNIT: Mapping[str, str] = {
    "characters": "characters",
    "graphemes": "characters",
    "x-weighted": "characters as X counts them",
}
PROBLEM_PAGE: Mapping[str, tuple[str, str]] = {
    "signed-out": ("You are signed out", "Sign in and try again. What you wrote is still on the page before this one."),
    "forbidden": ("That is not for your role", "Ask an admin of the desk."),
    "foreign-form": (
        "The form could not be trusted",
        "It was too old, or came from elsewhere. Go back, load the page again and repeat. Nothing was changed.",
    ),
    "not-found": ("There is no such page or case", "Go back to the queue."),
    "link": (
        "This link does not work any more",
        "It was used already, or is too old. Sign in with your password, or ask an admin for a new one.",
    ),
    "conflict": ("Somebody was quicker", "Go back and look again. Nothing was sent."),
    "store": ("The database cannot be used now", "Nothing was lost. Try again in a moment."),
    "refused": ("That could not be done", "Go back, correct it and repeat."),
    "broken": ("Something broke on our side", "Nothing was sent. The log of the desk says what happened."),
}
