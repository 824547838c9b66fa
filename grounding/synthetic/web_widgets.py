"""Single controls of a drawn web page as HTML: buttons, fields, choices, menus, badges, pictures."""
# ruff: noqa: E501  (markup and style sheets keep their long lines)

import random
from functools import lru_cache
from html import escape
from urllib.parse import quote

from faker import Faker

from foveate.grounding.synthetic.language import command_labels, concepts
from foveate.grounding.synthetic.web_kits import Kit
from foveate.grounding.synthetic.web_material import Icon, IconSet, Material
from foveate.grounding.synthetic.web_words import ACTIONS, CHOICES, FIELDS, SITE_LINKS, domains

_FAKERS: dict[str, Faker] = {}
_LOCALES = ("en_US", "en_US", "en_US", "en_US", "en_GB", "en_IN", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "sv_SE")


@lru_cache(maxsize=1)
def _concept_names() -> dict[str, str]:
    table: dict[str, str] = {}
    for concept, (names, _) in concepts().items():
        for name in (concept, *names):
            table.setdefault(name.lower(), concept)
    return table


class Widgets:
    """Writes the controls of one page.

    Args:
        rng: Source of all choices.
        kit: Classes of components.
        material: Icon sets.
    """

    def __init__(self, rng: random.Random, kit: Kit, material: Material) -> None:
        self.rng, self.kit, self.material = rng, kit, material
        self.icon_set: IconSet = rng.choice(material.icon_sets)
        locale = rng.choice(_LOCALES)
        self.fake = _FAKERS.setdefault(locale, Faker(locale))
        self.fake.seed_instance(rng.getrandbits(32))
        self.english = _FAKERS.setdefault("en_US", Faker("en_US"))
        self.english.seed_instance(rng.getrandbits(32))
        self.domain = rng.choice(domains())
        self.number = 0
        self._styles: dict[str, str] = {}

    def cls(self, key: str, extra: str = "") -> str:
        """Class attribute of a component; one page keeps to one alternative for most components."""
        options = self.kit.classes.get(key, "").split("|")
        if key in ("badge", "alert"):
            chosen = self.rng.choice(options)
        else:
            chosen = self._styles.setdefault(key, self.rng.choice(options))
        return f'class="{" ".join(p for p in (chosen, f"x-{key}", extra) if p)}"'

    def new_id(self) -> str:
        """Identifier not used on the page yet."""
        self.number += 1
        return f"f{self.number}"

    def icon(self, concept: str = "") -> Icon:
        """Icon for a concept, from another set where the page's own has none; any icon without a concept."""
        found = self.icon_set.pick(self.rng, concept)
        for other in self.rng.sample(self.material.icon_sets, len(self.material.icon_sets)):
            found = found or other.pick(self.rng, concept)
        if found is None:
            raise RuntimeError(
                f"no icon set has {concept or 'an icon'!r}: name a concept of concepts.tsv, or install the sets again"
            )
        return found

    def icon_for(self, label: str) -> Icon:
        """Icon that goes with a label, where one of its words names a concept; else any icon."""
        names = _concept_names()
        for part in (label.lower(), *reversed(label.lower().split())):
            concept = names.get(part) or names.get(part.removesuffix("s"))
            if concept and concept in self.icon_set.by_concept:
                return self.icon(concept)
        return self.icon()

    def action(self) -> str:
        """Label for a button."""
        pick = self.rng.random()
        if pick < 0.35:
            return self.rng.choice(self.domain.actions)
        if pick < 0.75:
            return self.rng.choice(ACTIONS)
        return self.rng.choice(command_labels())

    def button(self, label: str = "", style: str = "", icon: float = 0.25, small: bool = False) -> str:
        """Button, or a link that looks like one, with an icon beside the label at the given rate."""
        label = label or self.action()
        style = style or self.rng.choice(("button", "button", "primary", "ghost"))
        small_class = self.rng.choice(self.kit.classes.get("small", "").split("|")) if small else ""
        picture = self.icon_for(label).svg + " " if self.rng.random() < icon else ""
        text = f"<span>{escape(label)}</span>" if picture else escape(label)
        content = picture + text if self.rng.random() < 0.85 else text + " " + picture
        if self.rng.random() < 0.2:
            return f'<a href="#" role="button" {self.cls(style, small_class)}>{content}</a>'
        off = " disabled" if self.rng.random() < 0.03 else ""
        return f'<button type="button" {self.cls(style, small_class)}{off}>{content}</button>'

    def icon_button(self, concept: str = "", name: str = "", style: str = "", extra: str = "") -> str:
        """Button that shows only an icon, with a name that people read in a tooltip."""
        icon = self.icon(concept)
        if not name and concept in concepts() and self.rng.random() < 0.8:
            name = self.rng.choice(concepts()[concept][0])
        name = name or icon.name
        style = style or ("ghost" if self.rng.random() < 0.75 else "button")
        told = self.rng.choice(
            (
                f'aria-label="{escape(name)}"',
                f'title="{escape(name)}"',
                f'aria-label="{escape(name)}" title="{escape(name)}"',
            )
        )
        tag, kind = ("a", 'href="#"') if self.rng.random() < 0.25 else ("button", 'type="button"')
        return f"<{tag} {kind} {told} {self.cls(style, extra)}>{icon.svg}</{tag}>"

    def field(self, label: str = "", value: str | None = None, form: str = "") -> str:
        """Field with its caption above, inside, or beside it."""
        label = label or self.rng.choice((*self.domain.fields, *FIELDS))
        key = self.new_id()
        form = form or self.rng.choices(("input", "select", "textarea"), (7, 2, 0.6))[0]
        if value is None:
            value = self.sample(label) if self.rng.random() < 0.4 else ""
        hint = self.rng.choice(("", "", label, f"Enter {label.lower()}", f"e.g. {self.sample(label)}"))
        caption = (
            f'<label for="{key}" {self.cls("label")}>{escape(label)}{self.rng.choice(("", "", "", " *", ":"))}</label>'
        )
        if self.rng.random() < 0.12 and form == "input":
            caption, hint = "", label
        told = "" if caption else f' aria-label="{escape(label)}"'
        if form == "select":
            box = self.select(key=key)
        elif form == "textarea":
            box = f'<textarea id="{key}" rows="{self.rng.randint(2, 4)}" {self.cls("textarea")} placeholder="{escape(hint)}"{told}></textarea>'
        else:
            kind = (
                "password"
                if "assword" in label
                else self.rng.choice(("text", "text", "email" if "mail" in label else "text"))
            )
            if "date" in label.lower() and self.rng.random() < 0.5:
                kind, value = "date", f"2026-0{self.rng.randint(1, 9)}-1{self.rng.randint(0, 9)}"
            box = f'<input id="{key}" type="{kind}" {self.cls("input")} value="{escape(value)}" placeholder="{escape(hint)}"{told}>'
        if self.kit.classes.get("input_wrap"):
            box = f"<div {self.cls('input_wrap')}>{box}</div>"
        note = f'<div class="x-muted x-smalltext">{escape(self.sentence(6))}</div>' if self.rng.random() < 0.15 else ""
        return f'<div class="x-field">{caption}{box}{note}</div>'

    def select(self, options: list[str] | None = None, key: str = "", name: str = "") -> str:
        """Drop-down list, closed."""
        options = options or self.rng.sample((*CHOICES, *self.domain.states), 4)
        told = f' aria-label="{escape(name)}"' if name else ""
        inner = "".join(f"<option>{escape(o)}</option>" for o in options)
        box = f"<select{f' id={chr(34)}{key}{chr(34)}' if key else ''} {self.cls('select')}{told}>{inner}</select>"
        return f"<div {self.cls('select_wrap')}>{box}</div>" if self.kit.classes.get("select_wrap") else box

    def choice(self, label: str, kind: str = "check", group: str = "g", on: bool | None = None) -> str:
        """Check box, radio button or switch with its label."""
        key, on = self.new_id(), self.rng.random() < 0.4 if on is None else on
        shape = "radio" if kind == "radio" else "checkbox"
        state = " checked" if on else ""
        if kind == "switch" and self.rng.random() < 0.5 and "switch" not in self.kit.classes:
            told = f'role="switch" aria-checked="{str(on).lower()}" aria-labelledby="{key}"'
            return f'<div class="x-checkline"><button type="button" {told} {self.cls("switch")}></button><span id="{key}">{escape(label)}</span></div>'
        look = "switch" if kind == "switch" else kind
        role = ' role="switch"' if kind == "switch" else ""
        style = self.kit.classes.get("check_style", "")
        box = f'<input type="{shape}" id="{key}" name="{group}"{state}{role} {self.cls(look)}>'
        if style == "span" and kind != "switch":
            return f'<p><label><input type="{shape}" name="{group}"{state}><span>{escape(label)}</span></label></p>'
        if style == "after" and kind != "switch":
            return f'<div {self.cls(f"{kind}_wrap")}>{box}<label for="{key}" {self.cls(f"{kind}_label")}>{escape(label)}</label></div>'
        if self.rng.random() < 0.4:
            return f'<label class="x-checkline">{box}<span>{escape(label)}</span></label>'
        return f'<div class="x-checkline">{box}<label for="{key}">{escape(label)}</label></div>'

    def badge(self, text: str = "") -> str:
        """Small label of a state."""
        return f"<span {self.cls('badge')}>{escape(text or self.rng.choice(self.domain.states))}</span>"

    def link(self, text: str = "", extra: str = "") -> str:
        """Plain link."""
        return f'<a href="#" {self.cls("link", extra)}>{escape(text or self.rng.choice(SITE_LINKS))}</a>'

    def avatar(self, name: str = "") -> str:
        """Initials on a coloured shape, or a drawn portrait."""
        colour = f"hsl({self.rng.randrange(360)} {self.rng.randint(25, 70)}% {self.rng.randint(30, 55)}%)"
        if self.rng.random() < 0.5:
            return f'<span class="x-avatar" style="background:{colour}">{self.portrait()}</span>'
        initials = "".join(w[0] for w in (name or self.fake.name()).split()[:2]).upper()
        return f'<span class="x-avatar" style="background:{colour}">{escape(initials)}</span>'

    def portrait(self) -> str:
        """Head and shoulders in two colours."""
        skin, cloth = (f"hsl({self.rng.randrange(360)} 45% {self.rng.randint(35, 80)}%)" for _ in range(2))
        return f'<svg viewBox="0 0 40 40" width="100%" height="100%"><circle cx="20" cy="15" r="8" fill="{skin}"/><ellipse cx="20" cy="38" rx="15" ry="13" fill="{cloth}"/></svg>'

    def picture(self, ratio: float = 0.6, alt: str = "") -> str:
        """Drawn picture of gradients and shapes as an img with a data URI."""
        rng = self.rng
        one, two, three = (f"hsl({rng.randrange(360)} {rng.randint(20, 80)}% {rng.randint(25, 80)}%)" for _ in range(3))
        shapes = "".join(
            f'<circle cx="{rng.randrange(320)}" cy="{rng.randrange(200)}" r="{rng.randrange(15, 90)}" fill="{three}" opacity=".{rng.randint(2, 8)}"/>'
            if rng.random() < 0.5
            else f'<path d="M0 200 L{rng.randrange(160)} {rng.randrange(40, 160)} L{rng.randrange(160, 320)} {rng.randrange(40, 190)} L320 200Z" fill="{two}" opacity=".{rng.randint(3, 9)}"/>'
            for _ in range(rng.randint(1, 5))
        )
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 200" preserveAspectRatio="none"><defs><linearGradient id="g" x2="1" y2="{rng.random():.1f}">'
            f'<stop stop-color="{one}"/><stop offset="1" stop-color="{two}"/></linearGradient></defs><rect width="320" height="200" fill="url(#g)"/>{shapes}</svg>'
        )
        return f'<img class="x-pic" style="aspect-ratio:{1 / ratio:.2f}" alt="{escape(alt)}" src="data:image/svg+xml,{quote(svg)}">'

    def sentence(self, words: int = 9) -> str:
        """Made-up sentence of about so many words."""
        return (
            self.fake.sentence(words)
            if self.rng.random() < 0.25
            else self.english.catch_phrase() + " for " + self.english.bs() + "."
        )

    def money(self) -> str:
        """Amount of money as it is written on the page."""
        amount = self.rng.choice((self.rng.uniform(1, 99), self.rng.uniform(100, 9999)))
        return self._styles.setdefault(
            "money", self.rng.choice(("${:,.2f}", "€{:,.2f}", "£{:,.0f}", "{:,.2f} USD", "${:,.0f}"))
        ).format(amount)

    def date(self) -> str:
        """Date as it is written on the page."""
        form = self._styles.setdefault(
            "date", self.rng.choice(("%Y-%m-%d", "%d %b %Y", "%b %d, %Y", "%m/%d/%Y", "%d.%m.%Y", "%b %d"))
        )
        return self.fake.date_between("-2y").strftime(form)

    def sample(self, label: str) -> str:
        """Value that fits a caption or column."""
        low, fake = label.lower(), self.fake
        for words, make in (
            (("email",), fake.email), (("price", "total", "amount", "value", "cost", "salary", "revenue", "balance", "premium", "fee", "budget"), self.money),
            (("date", "updated", "created", "due", "eta", "published", "joined", "applied", "listed", "login", "contact", "arrival"), self.date),
            (("phone",), fake.phone_number), (("address",), fake.street_address), (("city", "location", "origin", "destination", "from", "to", "venue"), fake.city),
            (("company", "supplier", "vendor", "carrier", "airline", "publisher"), fake.company), (("title", "subject", "task", "deal"), lambda: self.english.bs().capitalize()),
            (("country",), fake.country), (("password",), lambda: "secret123"), (("ip",), fake.ipv4), (("time", "duration", "uptime"), lambda: fake.time("%H:%M")),
            (("name", "customer", "owner", "author", "patient", "doctor", "student", "teacher", "employee", "manager", "user", "assignee", "member", "driver", "agent", "candidate", "recruiter", "artist", "requester", "operator", "coach", "guest", "holder", "speaker"), fake.name),
            (("status", "stage", "state", "payment", "priority", "decision"), lambda: self.rng.choice(self.domain.states)),
        ):  # fmt: skip
            if any(w in low.split() or (len(w) > 4 and w in low) for w in words):
                return str(make())
        number = self.rng.randrange(1, 2000)
        for parts, form in (
            (("temperature",), "{} °C"),
            (("weight",), "{} kg"),
            (("size", "memory"), "{} GB"),
            (("rate", "humidity", "battery", "progress", "change", "signal"), "{}%"),
            (("area",), "{} m²"),
        ):
            if any(part in low for part in parts):
                return form.format(number % 100)
        return self.rng.choice(
            (
                str(number),
                str(number),
                fake.word().capitalize(),
                f"{fake.random_uppercase_letter()}-{self.rng.randrange(1000, 99999)}",
                self.rng.choice((*self.domain.things, *self.domain.states, self.english.job())),
            )
        )

    def concept_label(self) -> tuple[str, str]:
        """Concept that the page's icon set can show, and a name for it."""
        concept = self.rng.choice(sorted(self.icon_set.by_concept))
        return concept, self.rng.choice(concepts()[concept][0])
