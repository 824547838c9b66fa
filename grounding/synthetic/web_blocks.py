"""Groups of controls on a drawn web page: tables, forms, cards, lists, menus, dialogs, toolbars, charts."""
# ruff: noqa: E501  (markup and style sheets keep their long lines)

import math
from collections.abc import Sequence
from html import escape

from foveate.grounding.synthetic.web_widgets import Widgets
from foveate.grounding.synthetic.web_words import ACTIONS, FIELDS, SETTING_PAGES, SETTINGS, SITE_LINKS, TABS

EDITOR = (
    "bold",
    "italic",
    "underline",
    "bullets",
    "numbering",
    "link",
    "image",
    "code",
    "quote",
    "align_left",
    "align_center",
    "undo",
    "redo",
    "table",
)
ROW_ACTIONS = (
    "edit",
    "trash",
    "eye",
    "download",
    "more",
    "copy",
    "share",
    "print",
    "star",
    "archive",
    "lock",
    "move",
    "flag",
    "mail",
)


class Blocks(Widgets):
    """Writes groups of controls of one page."""

    def some(self, pool: Sequence[str], low: int, high: int) -> list[str]:
        """Between low and high different entries of a pool, in random order."""
        pool = list(dict.fromkeys(pool))
        return self.rng.sample(pool, min(len(pool), self.rng.randint(low, high)))

    def concept(self, wanted: Sequence[str]) -> str:
        """One of the wanted concepts that the icon set has, or any that it has."""
        known = [c for c in wanted if c in self.icon_set.by_concept]
        return (
            self.rng.choice(known)
            if known and self.rng.random() < 0.75
            else self.rng.choice(sorted(self.icon_set.by_concept))
        )

    def card(self, body: str, title: str = "", tools: str = "", tag: str = "section") -> str:
        """Panel with a title and tools in its head."""
        head = (
            f'<div class="x-row x-between x-nowrap"><h3 style="font-size:1.1em;margin:.2em 0">{escape(title)}</h3><div class="x-row x-tight x-nowrap">{tools}</div></div>'
            if title
            else ""
        )
        if head and "card_header" in self.kit.classes:
            head = f"<div {self.cls('card_header')}>{head}</div>"
        inner = f"<div {self.cls('card_body')}>{body}</div>" if "card_body" in self.kit.classes else body
        return f"<{tag} {self.cls('card')}>{head}{inner}</{tag}>"

    def toolbar(self, count: int = 0, wanted: Sequence[str] = (), name: str = "") -> str:
        """Row of icon buttons."""
        count = count or self.rng.randint(3, 12)
        used = self.some(wanted, count, count) if wanted else []
        pool = sorted(self.icon_set.by_concept)
        used += self.rng.sample(pool, max(0, min(len(pool), count - len(used))))
        told = f' aria-label="{escape(name)}"' if name else ""
        return (
            f'<div role="toolbar" class="x-row x-tight"{told}>' + "".join(self.icon_button(c) for c in used) + "</div>"
        )

    def tabs(self, labels: Sequence[str] = ()) -> str:
        """Tabs, one of them selected."""
        labels = labels or self.some(TABS, 3, 7)
        chosen = self.rng.randrange(len(labels))
        icons = self.rng.random() < 0.2
        parts = []
        for i, label in enumerate(labels):
            on = i == chosen
            text = (self.icon().svg + " " if icons else "") + escape(label)
            state = f'role="tab" aria-selected="{str(on).lower()}" {self.cls("tab", "active x-active" if on else "")}'
            parts.append(
                f'<a href="#" {state}>{text}</a>'
                if self.rng.random() < 0.9
                else f'<button type="button" {state}>{text}</button>'
            )
        return f'<div role="tablist" {self.cls("tabs")}>{"".join(parts)}</div>'

    def breadcrumb(self) -> str:
        """Path of links."""
        parts = ["Home", *self.some(self.domain.pages, 1, 3)]
        mark = self.rng.choice((" / ", " \u203a ", " > ", " · "))
        return (
            '<nav aria-label="Breadcrumb" class="x-smalltext">'
            + mark.join(self.link(p) for p in parts[:-1])
            + f"{mark}<span>{escape(parts[-1])}</span></nav>"
        )

    def pagination(self) -> str:
        """Links to numbered pages with previous and next."""
        first = self.rng.choice((1, 1, 1, 3, 7))
        pages = [str(first + i) for i in range(self.rng.randint(3, 7))]
        chosen = self.rng.choice(pages)
        before, after = self.rng.choice((("Previous", "Next"), ("«", "»"), ("\u2039 Prev", "Next \u203a")))
        active = self.kit.classes.get("active", "active") + " x-active"

        def item(text: str, name: str = "") -> str:
            return f'<li><a href="#" {self.cls("page", active if text == chosen else "")}{name}>{text}</a></li>'

        inner = (
            item(before, ' aria-label="Previous page"')
            + "".join(item(p) for p in pages)
            + item(after, ' aria-label="Next page"')
        )
        return f'<ul {self.cls("pages")} style="list-style:none;display:flex">{inner}</ul>'

    def table(self, rows: int = 0, columns: Sequence[str] = ()) -> str:
        """Table of records with check boxes, links, badges and actions in its rows."""
        rng = self.rng
        columns = columns or self.some(self.domain.columns, 3, 7)
        boxes, tools = rng.random() < 0.45, rng.random() < 0.75
        actions = self.some(ROW_ACTIONS, 1, 4)
        words = self.some([a for a in ACTIONS if len(a) < 9], 1, 2)
        as_text = rng.random() < 0.25
        heads = "".join(f"<th {self.cls('th')}>{self.sortable(c)}</th>" for c in columns)
        if boxes:
            heads = (
                f'<th {self.cls("th")}><input type="checkbox" aria-label="Select all" {self.cls("check")}></th>' + heads
            )
        heads += f"<th {self.cls('th')}>{rng.choice(('Actions', '', 'Options'))}</th>" if tools else ""
        lines, pictured = [], rng.random() < 0.3
        for _ in range(rows or rng.randint(4, 16)):
            values = [self.sample(c) for c in columns]
            cells = [escape(values[0]), *(self.badge(v) if v in self.domain.states else escape(v) for v in values[1:])]
            cells[0] = f"<span data-name>{self.link(values[0]) if rng.random() < 0.6 else escape(values[0])}</span>"
            if pictured:
                cells[0] = f'<span class="x-row x-tight x-nowrap">{self.avatar(values[0])}{cells[0]}</span>'
            line = "".join(f"<td {self.cls('td')}>{c}</td>" for c in cells)
            if boxes:
                line = (
                    f'<td {self.cls("td")}><input type="checkbox" aria-label="Select row" {self.cls("check")}{" checked" if rng.random() < 0.15 else ""}></td>'
                    + line
                )
            if tools:
                made = (
                    "".join(self.button(w, "ghost" if rng.random() < 0.5 else "button", 0, True) for w in words)
                    if as_text
                    else "".join(self.icon_button(self.known(a)) for a in actions)
                )
                line += f'<td {self.cls("td")}><div class="x-row x-tight x-nowrap">{made}</div></td>'
            lines.append(f"<tr>{line}</tr>")
        return f'<div style="overflow-x:auto"><table {self.cls("table")}><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'

    def known(self, concept: str) -> str:
        """The concept itself, or another when the icon set lacks it."""
        return (
            concept
            if concept in self.icon_set.by_concept
            else self._styles.setdefault(f"for {concept}", self.concept(()))
        )

    def sortable(self, name: str) -> str:
        """Column heading, on some pages a button with a sort mark."""
        if self._styles.setdefault("sortable", self.rng.choice(("", "", "link"))):
            return f'<a href="#" style="color:inherit;text-decoration:none">{escape(name)} {self.icon("sort").svg}</a>'
        return escape(name)

    def form(self, title: str = "", count: int = 0, columns: int = 0) -> str:
        """Form with fields, choices and buttons."""
        rng = self.rng
        labels = self.some((*self.domain.fields, *FIELDS), count or 3, count or 9)
        columns = columns or rng.choice((1, 1, 2, 2, 3))
        fields = "".join(self.field(label) for label in labels)
        choices = "".join(self.choice(s, rng.choice(("check", "check", "switch"))) for s in self.some(SETTINGS, 0, 4))
        if rng.random() < 0.4:
            group = self.new_id()
            picked = self.some(self.domain.states, 3, 4)
            choices += (
                f'<fieldset style="border:none;padding:0;margin:.5em 0"><legend style="font-size:1em">{escape(rng.choice(self.domain.columns))}</legend>'
                + "".join(self.choice(c, "radio", group, i == 0) for i, c in enumerate(picked))
                + "</fieldset>"
            )
        verbs = self.some(("Save", "Save changes", "Submit", "Create", "Continue", "Update", "Send"), 1, 1)
        buttons = self.button(verbs[0], "primary") + "".join(
            self.button(a, "button")
            for a in self.some(
                ("Cancel", "Reset", "Back", "Discard", "Save as draft", "Preview", "Save and add another"), 1, 2
            )
        )
        inner = f'<div class="x-grid" style="grid-template-columns:repeat({columns},minmax(0,1fr));gap:0 var(--gap)">{fields}</div>{choices}<div class="x-row {rng.choice(("", "x-end"))}">{buttons}</div>'
        return self.card(
            f"<div {self.cls('form')}>{inner}</div>",
            title
            or rng.choice(
                (
                    f"New {rng.choice(self.domain.things).lower().rstrip('s')}",
                    "Details",
                    "Basic information",
                    rng.choice(SETTING_PAGES),
                )
            ),
        )

    def switches(self, title: str = "", count: int = 0) -> str:
        """Settings as lines with a switch or drop-down at the end."""
        lines = []
        for name in self.some(SETTINGS, count or 3, count or 8):
            key = self.new_id()
            note = (
                f'<div class="x-muted x-smalltext">{escape(self.sentence(7))}</div>' if self.rng.random() < 0.4 else ""
            )
            pick = self.rng.random()
            if pick < 0.7:
                on = self.rng.random() < 0.5
                end = f'<button type="button" role="switch" aria-checked="{str(on).lower()}" aria-labelledby="{key}" class="x-switch"></button>'
            elif pick < 0.85:
                end = self.select(name=name)
            else:
                end = self.button(
                    self.rng.choice(("Change", "Manage", "Set up", "Configure", "Edit")), "button", 0, True
                )
            lines.append(
                f'<li {self.cls("item")} style="justify-content:space-between;display:flex"><div class="x-grow"><span id="{key}" data-name>{escape(name)}</span>{note}</div><div>{end}</div></li>'
            )
        return self.card(
            f'<ul {self.cls("list")} style="padding:0;list-style:none">{"".join(lines)}</ul>',
            title or self.rng.choice(SETTING_PAGES),
        )

    def menu(self, count: int = 0, style: str = "", labels: Sequence[str] = ()) -> str:
        """Open menu."""
        labels = labels or self.some((*self.domain.actions, *ACTIONS), count or 4, count or 9)
        icons = self.rng.random() < 0.5
        tag = self.rng.choice(("a href='#'", "button type='button'"))
        items = "".join(
            f"<{tag} role='menuitem' {self.cls('menuitem')}>{self.icon_for(x).svg if icons else ''}<span>{escape(x)}</span></{tag.split()[0]}>"
            for x in labels
        )
        return f'<div role="menu" {self.cls("menu", "x-over")} style="{style}">{items}</div>'

    def dialog(self) -> str:
        """Open dialog over the page."""
        rng = self.rng
        title = rng.choice(
            (
                f"{self.action()}?",
                rng.choice(self.domain.actions),
                f"Edit {rng.choice(self.domain.things).lower()}",
                "Are you sure?",
                "Session expired",
                "What's new",
            )
        )
        pick = rng.random()
        body = (
            f"<p>{escape(self.sentence(14))}</p>"
            if pick < 0.4
            else "".join(self.field() for _ in range(rng.randint(1, 4)))
            if pick < 0.8
            else "".join(self.choice(s) for s in self.some(SETTINGS, 3, 6))
        )
        feet = self.button(rng.choice(("Cancel", "Close", "Not now", "Back")), "button", 0) + self.button(
            rng.choice(("OK", "Confirm", "Save", "Delete", "Apply", "Continue", rng.choice(self.domain.actions))),
            rng.choice(("primary", "danger")),
            0,
        )
        head = f'<div {self.cls("modal_header")}><h4 style="margin:0;font-size:1.2em" data-title>{escape(title)}</h4>{self.icon_button("close", rng.choice(("Close", "Dismiss")))}</div>'
        shade = '<div class="x-shade"></div>' if rng.random() < 0.8 else ""
        width = min(rng.choice((320, 420, 560, 700)), 0.92 * self.width)
        return f'{shade}<div role="dialog" {self.cls("modal", "x-dialog")} style="width:{width:.0f}px;background:var(--panel);color:var(--fg)">{head}<div {self.cls("modal_body")}>{body}</div><div {self.cls("modal_footer")} >{feet}</div></div>'

    width = 1280

    def toast(self) -> str:
        """Message in a corner, with a way to close it."""
        side = self.rng.choice(
            ("right:16px;bottom:16px", "right:16px;top:70px", "left:16px;bottom:16px", "left:30%;top:8px")
        )
        act = (
            self.button(self.rng.choice(("Undo", "View", "Retry", "Details")), "ghost", 0, True)
            if self.rng.random() < 0.5
            else ""
        )
        return f'<div class="x-menu x-row x-nowrap" style="position:fixed;z-index:1045;{side};max-width:{min(360, self.width - 40)}px;padding:10px 14px;background:var(--panel);color:var(--fg);border:1px solid var(--line)"><span>{escape(self.sentence(5))}</span>{act}{self.icon_button("close")}</div>'

    def cookie_bar(self) -> str:
        """Notice about cookies at the bottom."""
        inner = (
            f"<span class='x-grow'>We use cookies to {escape(self.english.bs())}. {self.link('Privacy policy')}</span>"
            + "".join(
                self.button(b, s, 0)
                for b, s in (("Reject all", "button"), ("Manage cookies", "button"), ("Accept all", "primary"))
            )
        )
        return f'<div class="x-row" style="position:fixed;z-index:1044;left:0;right:0;bottom:0;padding:12px 16px;background:var(--panel);color:var(--fg);border-top:1px solid var(--line)">{inner}</div>'

    def stat(self) -> str:
        """Number with its name."""
        label, value = (
            self.rng.choice((*self.domain.columns, *self.domain.things)),
            self.rng.choice((self.money(), f"{self.rng.randrange(10, 99999):,}", f"{self.rng.uniform(0, 100):.1f}%")),
        )
        change = f'<span style="color:{self.rng.choice(("#1c8a3f", "#c0392b"))}" class="x-smalltext">{self.rng.choice("+-")}{self.rng.uniform(0, 30):.1f}%</span>'
        return f'<div {self.cls("card")}><div style="padding:.6em"><div class="x-row x-between x-nowrap"><span class="x-muted">{escape(label)}</span>{self.icon().svg}</div><div style="font-size:1.6em;font-weight:600">{value}</div>{change}</div></div>'

    def chart(self) -> str:
        """Bars, a line or a ring, drawn as SVG."""
        rng, count = self.rng, self.rng.randint(6, 14)
        values = [rng.uniform(0.1, 0.95) for _ in range(count)]
        colour = f"hsl({rng.randrange(360)} 60% 50%)"
        labels = "".join(
            f'<text x="{20 + i * 560 / count:.0f}" y="196" font-size="11" opacity=".7">{m}</text>'
            for i, m in enumerate(
                ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Q1", "Q2"][:count]
            )
        )
        pick = rng.random()
        if pick < 0.4:
            art = "".join(
                f'<rect x="{20 + i * 560 / count:.0f}" y="{180 - 170 * v:.0f}" width="{400 / count:.0f}" height="{170 * v:.0f}" fill="{colour}"/>'
                for i, v in enumerate(values)
            )
        elif pick < 0.8:
            points = " ".join(f"{30 + i * 560 / count:.0f},{180 - 170 * v:.0f}" for i, v in enumerate(values))
            art = f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="3"/>'
        else:
            angle = 2 * math.pi * values[0]
            art, labels = (
                f'<circle cx="300" cy="100" r="70" fill="none" stroke="{colour}" stroke-width="28" opacity=".3"/><path d="M300 30 A70 70 0 {int(angle > math.pi)} 1 {300 + 70 * math.sin(angle):.0f} {100 - 70 * math.cos(angle):.0f}" fill="none" stroke="{colour}" stroke-width="28"/>',
                "",
            )
        return f'<svg viewBox="0 0 600 200" width="100%" style="max-height:260px;display:block">{art}{labels}</svg>'

    def people_list(self, count: int = 0, actions: bool = True) -> str:
        """List of people or things with a line of text and actions at the end."""
        chosen = self.some(ROW_ACTIONS, 0, 3) if actions else []
        lines = []
        for _ in range(count or self.rng.randint(3, 9)):
            name = self.fake.name() if self.rng.random() < 0.6 else self.sample(self.domain.columns[0])
            end = "".join(self.icon_button(self.known(a)) for a in chosen)
            lines.append(
                f'<li data-row {self.cls("item")} style="display:flex;align-items:center;gap:.7em">{self.avatar(name)}<div class="x-grow"><a href="#" data-name style="color:inherit" class="x-bold">{escape(name)}</a><div class="x-muted x-smalltext x-clip">{escape(self.sentence(6))}</div></div>{end}</li>'
            )
        return f'<ul {self.cls("list")} style="padding:0;list-style:none">{"".join(lines)}</ul>'

    def search(self, name: str = "") -> str:
        """Search field, with or without a button."""
        hint = name or self.rng.choice(
            (
                "Search",
                "Search…",
                f"Search {self.rng.choice(self.domain.things).lower()}",
                "Type to search",
                "Find anything",
                "Quick search",
            )
        )
        told = f'aria-label="{escape(hint)}"' if self.rng.random() < 0.5 else ""
        box = f'<input type="{self.rng.choice(("search", "text"))}" placeholder="{escape(hint)}" {told} {self.cls("input")} style="width:{self.rng.choice((140, 200, 260))}px;max-width:100%;margin:0">'
        if self.kit.classes.get("input_wrap"):
            box = f'<div class="ui input">{box}</div>'
        end = (
            self.icon_button("search", "Search")
            if self.rng.random() < 0.4
            else self.button("Search", "button", 0)
            if self.rng.random() < 0.3
            else ""
        )
        return f'<div class="x-row x-tight x-nowrap" role="search">{box}{end}</div>'

    def footer(self) -> str:
        """Links at the end of a site."""
        groups = "".join(
            f'<div><h4 style="font-size:1em">{escape(t)}</h4><ul class="x-nolist">'
            + "".join(f"<li>{self.link(s)}</li>" for s in self.some(SITE_LINKS, 3, 6))
            + "</ul></div>"
            for t in self.some(("Company", "Product", "Resources", "Support", "Legal", "Follow us", "Explore"), 2, 5)
        )
        return f'<footer class="x-head" style="padding:var(--pad)"><div class="x-grid" style="grid-template-columns:repeat(auto-fit,minmax(130px,1fr))">{groups}</div><div class="x-row x-smalltext">© 2026 {escape(self.english.company())}{self.toolbar(4)}</div></footer>'
