"""Texts for drawn screens: labels, names, files, dates, amounts, code, and made-up words to learn letters from."""

import random
from functools import lru_cache
from importlib.resources import files

from foveate.grounding.synthetic.language import command_labels, concepts

_DOMAINS = ("office", "graphics", "dev", "mail", "media", "system", "admin", "settings")
DOMAINS = len(_DOMAINS)
"""Kinds of programs that labels can be taken from."""


@lru_cache(maxsize=1)
def _lists() -> dict[str, tuple[str, ...]]:
    text = (files("foveate.grounding.synthetic") / "data" / "drawn_words.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines())
    return {name: tuple(words.split("|")) for name, words in rows}


def listed(name: str) -> tuple[str, ...]:
    """The strings of a list."""
    return _lists()[name]


def pick(rng: random.Random, name: str) -> str:
    """Choose one string of a list."""
    return rng.choice(_lists()[name])


def made_up(rng: random.Random) -> str:
    """Make up a word that looks English."""
    parts: list[str] = []
    for _ in range(rng.choice((1, 2, 2, 2, 3))):
        parts += (pick(rng, "onsets"), pick(rng, "vowels"), pick(rng, "codas") if rng.random() < 0.6 else "")
    return "".join(parts) if len(parts) > 3 or len("".join(parts)) > 2 else "".join(parts) + "en"


def label(rng: random.Random, domain: int | None = None) -> str:
    """Label of a command, a menu item, a tab or a link.

    Args:
        rng: Source of all choices.
        domain: Kind of program, 0 to ``DOMAINS`` - 1; default any.

    Returns:
        A few words with a capital at the start.
    """
    roll = rng.random()
    if roll < 0.34:
        text = rng.choice(command_labels())
    elif roll < 0.66:
        text = pick(rng, _DOMAINS[domain if domain is not None and rng.random() < 0.8 else rng.randrange(DOMAINS)])
    elif roll < 0.72:
        text = rng.choice(rng.choice(tuple(concepts().values()))[0])
    elif roll < 0.84:
        noun = pick(rng, "nouns")
        if rng.random() < 0.4:
            noun = f"{pick(rng, 'adjectives')} {noun}"
        text = f"{pick(rng, 'verbs')} {noun}"
    elif roll < 0.95:
        text = " ".join(made_up(rng) for _ in range(rng.choice((1, 1, 2, 2, 3)))).capitalize()
    else:
        text = pick(rng, "values")
    if rng.random() < 0.05:
        return text.upper()
    return text


def menu(rng: random.Random) -> str:
    """Title of a menu."""
    return pick(rng, "menus")


def menu_bar(rng: random.Random, count: int) -> list[str]:
    """Titles of a menu bar: File first mostly, Help last mostly."""
    middle = rng.sample(listed("menus")[1:], max(count - 1, 1))
    titles = (["File"] if rng.random() < 0.85 else []) + [m for m in middle if m != "Help"]
    return [*titles, "Help"][:count] if rng.random() < 0.5 else [*titles[: count - 1], "Help"]


def title(rng: random.Random) -> str:
    """Title of a panel, a dialog or a page."""
    return pick(rng, "titles") if rng.random() < 0.75 else label(rng)


def option(rng: random.Random) -> str:
    """Label of a check box or a switch."""
    return pick(rng, "settings") if rng.random() < 0.65 else label(rng)


def caption(rng: random.Random) -> str:
    """Caption of a field."""
    return pick(rng, "fields") if rng.random() < 0.8 else rng.choice((made_up(rng).capitalize(), label(rng)))


def value(rng: random.Random) -> str:
    """What a field or a cell holds."""
    return rng.choice((lambda r: pick(r, "values"), lambda r: pick(r, "values"), number, date, person, file_name))(rng)


def person(rng: random.Random) -> str:
    """A person's name."""
    return f"{pick(rng, 'first')} {pick(rng, 'last')}"


def first_name(rng: random.Random) -> str:
    """A first name."""
    return pick(rng, "first")


def city(rng: random.Random) -> str:
    """A city."""
    return pick(rng, "cities")


def email(rng: random.Random) -> str:
    """A mail address."""
    ending = rng.choice(("com", "org", "net", "de"))
    return f"{pick(rng, 'first').lower()}.{pick(rng, 'last').lower()}@{made_up(rng)}.{ending}"


def url(rng: random.Random) -> str:
    """An address of a page."""
    host = f"{rng.choice(('www.', '', 'app.', 'shop.'))}{made_up(rng)}.{rng.choice(('com', 'org', 'net', 'io'))}"
    return f"{rng.choice(('https://', '', 'http://'))}{host}/{rng.choice(('', pick(rng, 'nouns'), made_up(rng)))}"


def number(rng: random.Random) -> str:
    """A count, a share or a measure."""
    form = rng.choice(("{}", "{}", "{}%", "{}.{:02d}", "{} px", "{} kB", "{}.{} MB", "{:,}", "-{}", "{} pt", "{} min"))
    return form.format(rng.randrange(10 ** rng.randint(1, 4)), rng.randrange(100))


def money(rng: random.Random) -> str:
    """A price."""
    amount = f"{rng.randrange(10 ** rng.randint(1, 4)):,}.{rng.choice((0, 50, 99, rng.randrange(100))):02d}"
    return rng.choice(("${}", "€{}", "{} €", "£{}", "{} EUR", "${}")).format(amount)


def date(rng: random.Random) -> str:
    """A date or a time."""
    day, month, year = rng.randint(1, 28), rng.randrange(12), rng.randint(1998, 2030)
    name = listed("months")[month]
    forms = (
        f"{year}-{month + 1:02d}-{day:02d}",
        f"{day:02d}.{month + 1:02d}.{year}",
        f"{month + 1}/{day}/{year % 100:02d}",
        f"{name[:3]} {day}, {year}",
        f"{day} {name} {year}",
        f"{name} {day}",
        f"{rng.randrange(24):02d}:{rng.randrange(60):02d}",
        f"{rng.randint(1, 12)}:{rng.randrange(60):02d} {rng.choice(('AM', 'PM'))}",
        f"{rng.randint(2, 59)} min ago",
        "Yesterday",
    )
    return rng.choice(forms)


def month(rng: random.Random) -> str:
    """A month's name."""
    return pick(rng, "months")


def weekdays(length: int) -> list[str]:
    """The days of a week from Monday on, cut to some letters."""
    return [d[:length] for d in listed("days")]


def file_name(rng: random.Random) -> str:
    """A file's name."""
    joint = rng.choice(("_", "-", " ", ""))
    parts = [pick(rng, "adjectives")] if rng.random() < 0.4 else []
    parts.append(pick(rng, "nouns") if rng.random() < 0.75 else made_up(rng))
    if rng.random() < 0.4:
        parts.append(rng.choice((str(rng.randint(1, 99)), str(rng.randint(1998, 2030)), "v2", "final", "copy")))
    name = joint.join(parts)
    return f"{name.capitalize() if rng.random() < 0.3 else name}.{pick(rng, 'endings')}"


def folder_name(rng: random.Random) -> str:
    """A folder's name."""
    return pick(rng, "folders") if rng.random() < 0.5 else rng.choice((pick(rng, "nouns").capitalize(), made_up(rng)))


def sentence(rng: random.Random, words: int) -> str:
    """A sentence of known and made-up words."""
    parts = [
        pick(rng, "filler")
        if rng.random() < 0.45
        else rng.choice((pick(rng, "nouns"), pick(rng, "adjectives"), made_up(rng)))
        for _ in range(words)
    ]
    return " ".join(parts).capitalize() + rng.choice((".", ".", ".", "?", "!"))


def code_line(rng: random.Random) -> str:
    """A line of program text."""
    a, b, c = (pick(rng, "code_words") for _ in range(3))
    forms = (
        f"def {a}_{b}({c}, {a}):",
        f"    return {a}.{b}({c})",
        f"    if {a} == {rng.randrange(100)}:",
        f"const {a} = {b}.{c};",
        f"import {a}",
        f"    {a}[{b}] += {rng.randrange(10)}",
        f'    print("{made_up(rng)} {b}")',
        f"for (int i = 0; i < {a}; i++) {{",
        f"    self.{a} = {b}",
        f"# {sentence(rng, 4)}",
        "}",
        f"class {a.capitalize()}{b.capitalize()}:",
        f'<{a} {b}="{c}">',
        f"  {a}: {rng.randrange(1000)},",
        f"let {a}{b.capitalize()} = new {c.capitalize()}();",
        "",
    )
    return rng.choice(forms)


def shell_line(rng: random.Random) -> str:
    """A line of a terminal."""
    name, file = pick(rng, "first").lower(), file_name(rng)
    command = rng.choice(("ls -l", "cd", "cat", "grep -r", "make", "git status", "ssh", "top", "vim"))
    forms = (
        f"{name}@{made_up(rng)}:~$ {command} {file}",
        f"-rw-r--r-- 1 {name} {name} {rng.randrange(99999)} {month(rng)[:3]} {rng.randint(1, 28)} {file}",
        f"{file}: {sentence(rng, 4)}",
        f"[{rng.randrange(999)}.{rng.randrange(9999)}] {sentence(rng, 5)}",
        f"  {rng.randrange(100)}% |{'#' * rng.randrange(20)}| {number(rng)}",
    )
    return rng.choice(forms)


def shortcut(rng: random.Random) -> str:
    """Keys of a menu item."""
    key = rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-")
    return rng.choice(
        (
            f"Ctrl+{key}",
            f"Ctrl+{key}",
            f"Shift+Ctrl+{key}",
            f"Alt+{key}",
            f"F{rng.randint(1, 12)}",
            "Del",
            f"Ctrl+Alt+{key}",
        )
    )
