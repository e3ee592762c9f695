"""What people read in a report, in both languages of the desk. The keys of the columns are the same everywhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """The same in English and in Polish."""

    en: str
    pl: str

    def say(self, language: str) -> str:
        return self.pl if language == "pl" else self.en


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the report: its ``key`` in every format, what it is called, and its only definition."""

    key: str
    title: Wording
    meaning: Wording


WEEKDAYS = (
    Wording("Mon", "pon."),
    Wording("Tue", "wt."),
    Wording("Wed", "śr."),
    Wording("Thu", "czw."),
    Wording("Fri", "pt."),
    Wording("Sat", "sob."),
    Wording("Sun", "niedz."),
)

#: The row itself.
BUCKET_COLUMNS = (
    Column(
        key="bucket",
        title=Wording("Period", "Okres"),
        meaning=Wording(
            "The day, the ISO week (Monday to Sunday) or the hour of the week, in the report's time zone; a week that the "
            "range cuts holds only the days in the range.",
            "Dzień, tydzień ISO (od poniedziałku do niedzieli) albo godzina tygodnia, w strefie czasowej raportu; tydzień "
            "przecięty granicą zakresu obejmuje tylko dni z zakresu.",
        ),
    ),
    Column(
        key="bucket_start",
        title=Wording("Begins", "Początek"),
        meaning=Wording(
            "The local midnight with which the day or the week begins; empty for an hour of the week, which comes every "
            "week.",
            "Północ czasu lokalnego, od której zaczyna się dzień lub tydzień; puste dla godziny tygodnia, która powtarza "
            "się co tydzień.",
        ),
    ),
)

#: What is counted. The keys are the names in ``social.reports.counts.Counts``.
COUNT_COLUMNS = (
    Column(
        key="posts",
        title=Wording("Posts", "Wpisy"),
        meaning=Wording(
            "Posts, comments and messages to the profiles that the profile did not write itself, by the network's time of "
            "the post; deleted ones are counted, and so is spam.",
            "Wpisy, komentarze i wiadomości skierowane do profili, których nie napisał sam profil, według czasu wpisu "
            "podanego przez sieć; usunięte też się liczą, spam również.",
        ),
    ),
    Column(
        key="negative",
        title=Wording("Negative", "Negatywne"),
        meaning=Wording(
            "Posts whose sentiment is negative: a person's newest correction, else the model's judgement of the post's "
            "present words.",
            "Wpisy o wydźwięku negatywnym: według ostatniej poprawki człowieka, a bez niej według oceny obecnej treści "
            "wpisu przez model.",
        ),
    ),
    Column(
        key="neutral",
        title=Wording("Neutral", "Neutralne"),
        meaning=Wording(
            "Posts whose sentiment is neutral, by the same rule.",
            "Wpisy o wydźwięku neutralnym, według tej samej zasady.",
        ),
    ),
    Column(
        key="positive",
        title=Wording("Positive", "Pozytywne"),
        meaning=Wording(
            "Posts whose sentiment is positive, by the same rule.",
            "Wpisy o wydźwięku pozytywnym, według tej samej zasady.",
        ),
    ),
    Column(
        key="unscored",
        title=Wording("Unscored", "Bez oceny"),
        meaning=Wording(
            "Posts without a sentiment: the model was unsure (or missing), or the post (or its latest edit) is not judged, "
            "and no person has said it. negative + neutral + positive + unscored = posts.",
            "Wpisy bez wydźwięku: model nie miał pewności (albo go nie było) lub wpis (albo jego ostatnia zmiana) nie jest "
            "jeszcze oceniony, a człowiek go nie określił. Negatywne + neutralne + pozytywne + bez oceny = wpisy.",
        ),
    ),
    Column(
        key="net_sentiment",
        title=Wording("Net sentiment", "Wydźwięk netto"),
        meaning=Wording(
            "(positive - negative) / (negative + neutral + positive), in percentage points from -100 to 100, one decimal; "
            "empty where nothing is scored.",
            "(pozytywne - negatywne) / (negatywne + neutralne + pozytywne), w punktach procentowych od -100 do 100, jedno "
            "miejsce po przecinku; puste, gdy nic nie ma oceny.",
        ),
    ),
    Column(
        key="urgency_critical",
        title=Wording("Critical urgency", "Pilność krytyczna"),
        meaning=Wording(
            "Posts that cannot wait at all: a person's newest correction, else what rules and model said of the post's "
            "present words, also where they were unsure, since the desk acted on it.",
            "Wpisy, które nie mogą czekać: według ostatniej poprawki człowieka, a bez niej według reguł i modelu dla "
            "obecnej treści wpisu, także niepewnych, bo według nich działano.",
        ),
    ),
    Column(
        key="urgency_high",
        title=Wording("High urgency", "Pilność wysoka"),
        meaning=Wording(
            "Posts of high urgency, by the same rule.", "Wpisy o wysokiej pilności, według tej samej zasady."
        ),
    ),
    Column(
        key="urgency_normal",
        title=Wording("Normal urgency", "Pilność normalna"),
        meaning=Wording(
            "Posts of normal urgency, by the same rule.", "Wpisy o normalnej pilności, według tej samej zasady."
        ),
    ),
    Column(
        key="urgency_low",
        title=Wording("Low urgency", "Pilność niska"),
        meaning=Wording(
            "Posts of low urgency, by the same rule.", "Wpisy o niskiej pilności, według tej samej zasady."
        ),
    ),
    Column(
        key="urgency_unscored",
        title=Wording("Urgency unscored", "Bez oceny pilności"),
        meaning=Wording(
            "Posts whose urgency nobody has judged. The five urgency columns sum to posts.",
            "Wpisy, których pilności nikt nie ocenił. Pięć kolumn pilności sumuje się do liczby wpisów.",
        ),
    ),
    Column(
        key="answered_within_hour",
        title=Wording("Answered within the hour", "Odpowiedź człowieka w godzinę"),
        meaning=Wording(
            "Posts after which a person's answer to the same customer in the same thread was public at most 60 minutes "
            "later, sent from the desk or in the network's own app.",
            "Wpisy, po których najpóźniej w ciągu 60 minut ukazała się odpowiedź człowieka do tego klienta w tym samym "
            "wątku, wysłana z Dyżuru albo w aplikacji sieci.",
        ),
    ),
    Column(
        key="acknowledged_within_hour",
        title=Wording("Acknowledged within the hour", "Potwierdzenie w godzinę"),
        meaning=Wording(
            "Else: an automatic acknowledgement, hand-over confirmation or holding statement was public at most 60 minutes "
            "later. What a dry run would have sent never counts.",
            "W pozostałych: najpóźniej w ciągu 60 minut ukazało się automatyczne potwierdzenie, przekazanie człowiekowi "
            "albo komunikat wstrzymujący. To, co zostałoby wysłane w próbie na sucho, nigdy się nie liczy.",
        ),
    ),
    Column(
        key="told_closed_within_hour",
        title=Wording("Told that we are closed", "Informacja o zamknięciu"),
        meaning=Wording(
            "Else: a notice that says when the team is back was public at most 60 minutes later.",
            "W pozostałych: najpóźniej w ciągu 60 minut ukazała się informacja, kiedy zespół wraca.",
        ),
    ),
    Column(
        key="nothing_within_hour",
        title=Wording("Nothing within the hour", "Nic w ciągu godziny"),
        meaning=Wording(
            "Else: nothing of that was public within 60 minutes, whatever came later.",
            "W pozostałych: w ciągu 60 minut nie ukazało się nic z powyższych, niezależnie od tego, co nastąpiło później.",
        ),
    ),
    Column(
        key="not_measured",
        title=Wording("Hour not measured", "Bez pomiaru godziny"),
        meaning=Wording(
            "Posts whose hour cannot be told: history (from before the profile's first poll, or read in later by a "
            "backfill), or so new that their hour was not over when the report was made and nothing had come yet. "
            "answered + acknowledged + told closed + nothing + not measured = posts.",
            "Wpisy, dla których godziny nie da się ocenić: historia (sprzed pierwszego odczytu profilu albo wczytana "
            "później) albo wpisy tak nowe, że godzina w chwili tworzenia raportu jeszcze trwała i nic się nie ukazało. "
            "Odpowiedzi + potwierdzenia + informacje o zamknięciu + nic + bez pomiaru = wpisy.",
        ),
    ),
    Column(
        key="no_answer_needed",
        title=Wording("Of nothing: no answer needed", "W tym: bez potrzeby odpowiedzi"),
        meaning=Wording(
            "The part of nothing_within_hour that the rules set aside: praise, chatter, spam, other robots, deleted at "
            "once.",
            "Część kolumny „Nic w ciągu godziny”, którą reguły odłożyły: pochwały, pogawędki, spam, inne automaty, wpisy "
            "od razu usunięte.",
        ),
    ),
    Column(
        key="corrected",
        title=Wording("Corrected by people", "Poprawione przez ludzi"),
        meaning=Wording(
            "Posts whose sentiment or urgency a person changed from what the model had said of the same words.",
            "Wpisy, w których człowiek zmienił wydźwięk lub pilność w stosunku do oceny tej samej treści przez model.",
        ),
    ),
    Column(
        key="corrected_share",
        title=Wording("Corrected, %", "Poprawione, %"),
        meaning=Wording(
            "corrected / posts, in per cent, one decimal; empty where there are no posts.",
            "Poprawione / wpisy, w procentach, jedno miejsce po przecinku; puste, gdy wpisów nie ma.",
        ),
    ),
)

#: Where the numbers come from; the same for the whole report.
PROVENANCE_COLUMNS = (
    Column(
        key="from",
        title=Wording("From", "Od"),
        meaning=Wording("The first day of the range.", "Pierwszy dzień zakresu."),
    ),
    Column(
        key="to",
        title=Wording("To (not included)", "Do (bez tego dnia)"),
        meaning=Wording(
            "The first day that is not in the range any more.",
            "Pierwszy dzień, który do zakresu już nie należy.",
        ),
    ),
    Column(
        key="time_zone",
        title=Wording("Time zone", "Strefa czasowa"),
        meaning=Wording(
            "The time zone in which days, weeks and hours are told (IANA name).",
            "Strefa czasowa, w której podane są dni, tygodnie i godziny (nazwa IANA).",
        ),
    ),
    Column(
        key="profiles",
        title=Wording("Profiles", "Profile"),
        meaning=Wording(
            "The profiles that are counted, each with its network.",
            "Profile objęte raportem, każdy ze swoją siecią.",
        ),
    ),
    Column(
        key="languages",
        title=Wording("Languages", "Języki"),
        meaning=Wording(
            "Only posts judged to be in these languages (ISO 639-1; und: undetermined or not judged); all: no such filter.",
            "Tylko wpisy uznane za napisane w tych językach (ISO 639-1; und: nieokreślony albo bez oceny); all: bez tego "
            "filtra.",
        ),
    ),
    Column(
        key="source",
        title=Wording("Source", "Źródło"),
        meaning=Wording(
            "The program and its version; says so where the networks are simulated.",
            "Program i jego wersja; z dopiskiem, gdy sieci są symulowane.",
        ),
    ),
    Column(
        key="models",
        title=Wording("Models", "Modele"),
        meaning=Wording(
            "Every model that judged posts of this report, as id@version: number of posts; rules-only: no model "
            "was there.",
            "Każdy model, który oceniał wpisy tego raportu, w postaci id@wersja: liczba wpisów; rules-only: bez modelu.",
        ),
    ),
    Column(
        key="dry_run_days",
        title=Wording("Days of dry run", "Dni próby na sucho"),
        meaning=Wording(
            "Days of the range on which at least one of the profiles was in dry run, wholly or in part: the robot's texts "
            "of that time were never sent.",
            "Dni zakresu, w których co najmniej jeden z profili był choć przez część dnia w próbie na sucho: teksty "
            "automatu z tego czasu nigdy nie zostały wysłane.",
        ),
    ),
    Column(
        key="made_at",
        title=Wording("Made at", "Sporządzono"),
        meaning=Wording(
            "When the report was made, in its time zone.", "Kiedy raport powstał, w jego strefie czasowej."
        ),
    ),
)

ALL_COLUMNS = (*BUCKET_COLUMNS, *COUNT_COLUMNS, *PROVENANCE_COLUMNS)
TOTAL = Wording("total", "razem")
