"""Compose notes: frames × choices × decorations × names, so that thousands of different sentences arise.

A composer draws only from one half of the vocabulary: what it writes for evaluation shares no sentence frame,
no way of writing a person, no name and no city with what it writes for training.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from riskflow.notes.templates import identifiers
from riskflow.notes.templates.markup import Segment, segments
from riskflow.notes.templates.vocabulary import City, Half, Vocabulary, Weighted, vocabulary

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{([A-Za-z0-9:_-]+)\}")
_DOUBLED = re.compile(r",([,.;?])| (?=[.,;])")
_PART = re.compile(r"<([A-Za-z0-9]+)>")
_FIRST_DAY = date(2015, 1, 1)


@dataclass(frozen=True)
class Person:
    """A person of a note; `last` may be several words."""

    first: str
    middle: str
    last: str
    female: bool


@dataclass(frozen=True)
class Cast:
    """Whom and what a note is about. Slots that the cast does not hold are drawn afresh each time."""

    patient: Person
    day: date
    values: dict[str, str] = field(default_factory=dict)
    relatives: tuple[Person, ...] = ()
    clinicians: tuple[Person, ...] = ()


class Composer:
    """Draws persons, places and notes, deterministically by seed."""

    def __init__(self, half: Half, seed: int) -> None:
        self.words: Vocabulary = vocabulary(half)
        self.draw = Random(f"{half}:{seed}")

    def person(self) -> Person:
        """Return a person: mostly frequent census names, some rare, some on no list, some made of syllables."""
        female = self.draw.random() < 0.5
        first = self._weighted(self.words.female if female else self.words.male)
        middle = self._weighted(self.words.female if female else self.words.male)
        if self.draw.random() < 0.08:
            first = self.draw.choice(self.words.lexicon["unlisted_first"])
        return Person(first, middle, self.last_name(), female)

    def last_name(self) -> str:
        """Return a last name; one in ten is on no list."""
        chance = self.draw.random()
        if chance < 0.05:
            return self.draw.choice(self.words.lexicon["unlisted_last"])
        if chance < 0.10:
            return self._made_up_name()
        if chance < 0.16:
            return f"{self._weighted(self.words.last)}-{self._weighted(self.words.last)}"
        if chance < 0.19:
            particle = self.draw.choice(self.words.lexicon["particle"])
            return (
                particle + ("" if particle in ("O'", "Mc", "Mac") else " ") + self._weighted(self.words.last)
            )
        if chance < 0.45:
            return self.draw.choice(self.words.rare_last).capitalize()
        return self._weighted(self.words.last)

    def city(self) -> City:
        """Return a city."""
        return self.draw.choice(self.words.cities)

    def day(self) -> date:
        """Return a day of the ten years from 2015."""
        return _FIRST_DAY + timedelta(days=self.draw.randrange(3650))

    def cast(self) -> Cast:
        """Return a cast of strangers, for sentences that belong to no record."""
        relatives = (self.person(), self.person())
        clinicians = (self.person(), self.person(), self.person())
        return Cast(self.person(), self.day(), {}, relatives, clinicians)

    def frame(self) -> str:
        """Return a sentence frame with identifiers, its choices made."""
        return self._chosen(self.draw.choice(self.words.frames))

    def prose(self) -> str:
        """Return a sentence frame without identifiers, its choices made."""
        return self._chosen(self.draw.choice(self.words.prose))

    def sentence(self, frame: str, cast: Cast) -> list[Segment]:
        """Return the pieces of a frame with every slot filled; some in capitals or small letters throughout."""
        marked = _SLOT.sub(lambda slot: self._fill(slot[1], cast), frame)
        marked = _DOUBLED.sub(lambda doubled: doubled[1] or "", marked)
        pieces = list(segments(marked))
        chance = self.draw.random()
        if chance < 0.03:
            return [Segment(p.text.upper(), p.kind) for p in pieces]
        if chance < 0.06:
            return [Segment(p.text.lower(), p.kind) for p in pieces]
        return pieces

    def sentences(self, cast: Cast, count: int, phi_share: float = 0.45) -> Iterator[list[Segment]]:
        """Yield sentences, each with identifiers by the chance `phi_share`."""
        for _ in range(count):
            frame = self.frame() if self.draw.random() < phi_share else self.prose()
            yield self.sentence(frame, cast)

    def note(self, cast: Cast, count: int, phi_share: float = 0.3) -> list[Segment]:
        """Return a note of `count` sentences, as one paragraph or as lines."""
        glue = self.draw.choice([" ", " ", "\n", "\n", "  "])
        pieces: list[Segment] = []
        for sentence in self.sentences(cast, count, phi_share):
            pieces += [*([Segment(glue)] if pieces else []), *sentence]
        return pieces

    def street(self) -> str:
        """Return a street address."""
        words, draw = self.words.lexicon, self.draw
        name, kind = draw.choice(words["street_name"]), draw.choice(words["street_kind"])
        if draw.random() < 0.3:
            name = self._weighted(self.words.last)
        number = draw.randrange(1, 19_999)
        return f"{number} {draw.choice(words['compass'])}{name} {kind}{draw.choice(words['unit'])}"

    def facility(self) -> str:
        """Return a name as hospitals, clinics and nursing homes have."""
        words, draw = self.words.lexicon, self.draw
        kind = draw.choice(words["facility_kind"])
        stem = draw.choice(words["saint"]) if draw.random() < 0.55 else self.city().name
        return f"{self._weighted(self.words.last) if draw.random() < 0.15 else stem} {kind}"

    def employer(self) -> str:
        """Return a name as employers and shops have."""
        stem = self._weighted(self.words.last) if self.draw.random() < 0.6 else self.city().name
        return f"{stem} {self.draw.choice(self.words.lexicon['employer_kind'])}"

    def _chosen(self, frame: str) -> str:
        return _CHOICE.sub(lambda options: self.draw.choice(options[1].split("|")), frame)

    def _weighted(self, names: Weighted) -> str:
        """Draw a name by its frequency; half of those to train on by none, so that no few names are learnt."""
        if self.words.half == "train" and self.draw.random() < 0.5:
            return self.draw.choice(names.words)
        return self.draw.choices(names.words, cum_weights=names.cumulative)[0]

    def _made_up_name(self) -> str:
        starts = [
            "Ba",
            "Che",
            "Da",
            "Fe",
            "Ga",
            "Ha",
            "Ji",
            "Ka",
            "Lo",
            "Ma",
            "Na",
            "O",
            "Pe",
            "Qui",
            "Ra",
            "Sa",
            "Ta",
            "U",
            "Va",
            "Wa",
            "Xi",
            "Ya",
            "Zo",
            "Kry",
            "Sla",
            "Tre",
            "Vla",
        ]
        middles = ["ra", "le", "mi", "no", "ska", "tu", "vi", "ndo", "rri", "nne", "lla", "zha", "kwe"]
        ends = [
            "ri",
            "vic",
            "nen",
            "ski",
            "tov",
            "dze",
            "yan",
            "ez",
            "i",
            "u",
            "ko",
            "wan",
            "sen",
            "lu",
            "moto",
            "ullah",
            "pati",
            "rao",
        ]
        draw = self.draw
        return draw.choice(starts) + draw.choice(middles) * (draw.random() < 0.6) + draw.choice(ends)

    def _fill(self, slot: str, cast: Cast) -> str:
        if slot in self.words.decorations:
            return self._decorated(slot, cast)
        if slot.startswith("n:"):
            low, high = slot[2:].split("-")
            return str(self.draw.randint(int(low), int(high)))
        if slot in _FILLERS:
            kind, value = _FILLERS[slot](self, cast)
            return f"{{{{{kind}:{value}}}}}"
        if slot == "age":
            return str(self.draw.randrange(18, 89))
        if slot == "state":
            return self.city().state
        return self.draw.choice(self.words.lexicon[slot])

    def _decorated(self, slot: str, cast: Cast) -> str:
        people = {"PT": (cast.patient,), "REL": cast.relatives, "DR": cast.clinicians}.get(slot, ())
        person = self.draw.choice(people) if people else self.person()
        form = self.draw.choice(self.words.decorations[slot])
        return _name_runs(_PART.sub(lambda part: self._part(part[1], person), form))

    def _part(self, part: str, person: Person) -> str:
        if part in _NAME_PARTS:
            return f"{{{{NAME:{_NAME_PARTS[part](self, person)}}}}}"
        lists = {"cred": "credential", "spec": "specialty", "rel": "relation"}
        word = self.draw.choice(self.words.lexicon[lists.get(part, part)])
        return f"{{{{NAME:{word}}}}}" if part in ("nick", "particle") else word


_BETWEEN = re.compile(r"\}\}((?:[ .,\"()-])*)\{\{NAME:")


def _name_runs(text: str) -> str:
    """Join the parts of one person's name into one span: first, middle initial with its dot, last, nickname."""
    return _BETWEEN.sub(r"\1", text)


_NAME_PARTS: dict[str, Callable[[Composer, Person], str]] = {
    "FIRST": lambda c, p: p.first,
    "LAST": lambda c, p: p.last,
    "M": lambda c, p: p.middle[0],
    "F": lambda c, p: p.first[0],
    "FIRST2": lambda c, p: p.middle,
    "LAST2": lambda c, p: c.last_name(),
    "UPFIRST": lambda c, p: p.first.upper(),
    "UPLAST": lambda c, p: p.last.upper(),
    "first": lambda c, p: p.first.lower(),
    "last": lambda c, p: p.last.lower(),
}


def _initials(c: Composer, cast: Cast) -> tuple[str, str]:
    person = c.person()
    return "NAME", c.draw.choice(["{0}{1}", "{0}.{1}.", "{0}. {1}."]).format(person.first[0], person.last[0])


def _patient(form: Callable[[Person], str]) -> Callable[[Composer, Cast], tuple[str, str]]:
    return lambda c, cast: ("NAME", form(cast.patient))


def _own(
    kind: str, key: str, fresh: Callable[[Composer], str]
) -> Callable[[Composer, Cast], tuple[str, str]]:
    """A value of the cast's record where it has one, else a fresh one."""
    return lambda c, cast: (kind, cast.values.get(key) or fresh(c))


def _phone(key: str) -> Callable[[Composer, Cast], tuple[str, str]]:
    kind = key.upper()
    return lambda c, cast: (
        kind,
        identifiers.phone_text(cast.values.get(key) or identifiers.phone_digits(c.draw), c.draw),
    )


def _birth_day(c: Composer, cast: Cast) -> tuple[str, str]:
    iso = cast.values.get("birth_date")
    day = date.fromisoformat(iso) if iso else c.day() - timedelta(days=c.draw.randrange(1, 30_000))
    return "DATE", identifiers.full_date_text(day, c.draw)


def _email(c: Composer) -> str:
    person = c.person()
    user = re.sub(r"[^a-z]", "", f"{person.first}{person.last}".lower()) or "patient"
    return f"{user}{c.draw.randrange(1, 99)}@example.{c.draw.choice(['com', 'org', 'net'])}"


_FILLERS: dict[str, Callable[[Composer, Cast], tuple[str, str]]] = {
    "ptfull": _patient(lambda p: f"{p.first} {p.last}"),
    "ptrev": _patient(lambda p: f"{p.last}, {p.first} {p.middle[0]}"),
    "ptfirst": _patient(lambda p: p.first),
    "ptlast": _patient(lambda p: p.last),
    "relfirst": lambda c, cast: (
        "NAME",
        (c.draw.choice(cast.relatives) if cast.relatives else c.person()).first,
    ),
    "whol": lambda c, cast: ("NAME", c.last_name()),
    "init": _initials,
    "date": lambda c, cast: ("DATE", identifiers.date_text(identifiers.near(cast.day, c.draw), c.draw)),
    "dob": _birth_day,
    "age90": lambda c, cast: ("AGE", str(c.draw.randrange(90, 104))),
    "phone": _phone("phone"),
    "fax": _phone("fax"),
    "email": _own("EMAIL", "email", _email),
    "ssn": _own("SSN", "ssn", lambda c: identifiers.ssn(c.draw)),
    "mrn": _own("MRN", "mrn", lambda c: identifiers.mrn(c.draw)),
    "plan": lambda c, cast: (
        "PLAN",
        identifiers.coded(c.draw.choice(["AAA999999999", "9AA9AA9AA99", "W999999999"]), c.draw),
    ),
    "account": lambda c, cast: (
        "ACCOUNT",
        identifiers.coded(c.draw.choice(["9999999999", "A9999999", "99-9999999"]), c.draw),
    ),
    "license": lambda c, cast: (
        "LICENSE",
        identifiers.coded(c.draw.choice(["A9999999", "AA999999", "A999-9999-9999"]), c.draw),
    ),
    "vehicle": lambda c, cast: (
        "VEHICLE",
        identifiers.coded(c.draw.choice(["AAA-9999", "9AAA999", "AAA 999"]), c.draw),
    ),
    "device": lambda c, cast: (
        "DEVICE",
        identifiers.coded(c.draw.choice(["SN999999", "AAA999999A", "9999-XXXX"]), c.draw),
    ),
    "url": lambda c, cast: (
        "URL",
        f"https://portal.example.{c.draw.choice(['org', 'com'])}/p/{c.draw.randrange(10**6)}",
    ),
    "ip": lambda c, cast: ("IP", identifiers.ip_address(c.draw)),
    "photo": lambda c, cast: (
        "PHOTO",
        f"IMG_{c.draw.randrange(1000, 9999)}.{c.draw.choice(['jpg', 'png', 'JPG'])}",
    ),
    "npi": lambda c, cast: ("NPI", identifiers.npi(c.draw)),
    "city": _own("GEO", "city", lambda c: c.city().name),
    "street": _own("GEO", "street", lambda c: c.street()),
    "zip": _own("GEO", "zip", lambda c: c.city().zip3 + f"{c.draw.randrange(100):02}"),
    "county": lambda c, cast: ("GEO", c.city().county),
    "facility": _own("GEO", "facility", lambda c: c.facility()),
    "employer": lambda c, cast: ("GEO", c.employer()),
}
