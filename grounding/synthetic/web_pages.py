"""Whole web pages for applications and sites of many kinds, composed from drawn blocks."""
# ruff: noqa: E501  (markup and style sheets keep their long lines)

import random
from collections.abc import Callable
from html import escape

from foveate.grounding.synthetic.web_blocks import EDITOR
from foveate.grounding.synthetic.web_kits import Kit
from foveate.grounding.synthetic.web_look import LAYOUT, choose_font, look_css, variables
from foveate.grounding.synthetic.web_material import Material
from foveate.grounding.synthetic.web_scenes import SCENES, Scenes
from foveate.grounding.synthetic.web_words import SITE_LINKS


class Pages(Scenes):
    """Writes whole pages: a frame of head and sides around a scene."""

    def brand(self) -> str:
        """Name of the site with a sign."""
        name = self.rng.choice(
            (self.english.last_name(), self.english.word().capitalize(), self.english.company().split()[0].strip(","))
        ) + self.rng.choice(("", "ly", " HQ", "Hub", "", " Cloud"))
        return f'<a href="#" class="x-row x-tight x-nowrap x-bold" style="color:inherit;text-decoration:none">{self.icon().svg}<span>{escape(name)}</span></a>'

    def head(self, phone: bool = False) -> str:
        """Bar at the top."""
        rng = self.rng
        left = (
            self.icon_button("menu", rng.choice(("Menu", "Open menu", "Toggle sidebar")))
            if phone or rng.random() < 0.5
            else ""
        )
        links = (
            ""
            if phone
            else "".join(
                f'<a href="#" style="color:inherit;text-decoration:none{";font-weight:700" if i == 0 else ""}">{escape(p)}</a>'
                for i, p in enumerate(self.some((*self.domain.pages, *SITE_LINKS[:12]), 0, 6))
            )
        )
        tools = self.toolbar(
            rng.randint(1, 2) if phone else rng.randint(1, 6),
            (
                "notifications",
                "settings",
                "help",
                "mail",
                "user",
                "cart",
                "search",
                "dark_mode",
                "grid",
                "window_maximize",
                "globe",
            ),
        )
        who = (
            f'<button type="button" class="x-ghost" aria-label="{rng.choice(("Account", "User menu", "Profile", "My account"))}" aria-haspopup="true">{self.avatar()}</button>'
            if rng.random() < 0.6
            else self.button(rng.choice(("Sign in", "Log in", "Log out", "Sign up")), "primary", 0.1)
        )
        search = self.search() if not phone and rng.random() < 0.6 else ""
        return f'<header class="x-head x-bar x-nowrap" style="flex-wrap:nowrap;overflow:hidden">{left}{self.brand()}{links}<div class="x-grow"></div>{search}{tools}{who}</header>'

    def side(self) -> str:
        """Sidebar with links, groups and nested entries, or icons only."""
        rng = self.rng
        if rng.random() < 0.18:
            return f'<nav class="x-side" style="width:56px;align-items:center;gap:8px">{"".join(self.icon_button(self.concept_label()[0]) for _ in range(rng.randint(4, 10)))}</nav>'
        icons, parts = rng.random() < 0.75, []
        pages = self.some(self.domain.pages, 5, 15)
        chosen, opened = rng.choice(pages), rng.choice(pages)
        for i, page in enumerate(pages):
            if i and rng.random() < 0.12:
                parts.append(
                    f'<h6 class="x-smalltext x-muted" style="margin:.9em .7em .2em;color:inherit">{escape(rng.choice(("Manage", "Reports", "Tools", "Account", "Workspace", "General", "Favourites")))}</h6>'
                )
            end = (
                self.badge(str(rng.randint(1, 99)))
                if rng.random() < 0.1
                else self.icon("down").svg
                if page == opened
                else ""
            )
            state = ' aria-current="page"' if page == chosen else ' aria-expanded="true"' if page == opened else ""
            parts.append(
                f'<a href="#" class="x-sidelink {"x-active" if page == chosen else ""}"{state}>{self.icon_for(page).svg if icons else ""}<span class="x-grow">{escape(page)}</span>{end}</a>'
            )
            if page == opened:
                parts += [
                    f'<a href="#" class="x-sidelink x-smalltext" style="padding-left:2.6em">{escape(s)}</a>'
                    for s in self.some(
                        (
                            f"All {rng.choice(self.domain.things).lower()}",
                            "Add new",
                            "Categories",
                            "Import",
                            "Archive",
                            "Settings",
                            "Trash",
                            "Reports",
                        ),
                        2,
                        4,
                    )
                ]
        return f'<nav aria-label="Main" class="x-side" style="width:{rng.choice((170, 200, 230, 260))}px">{self.brand() if rng.random() < 0.3 else ""}{"".join(parts)}</nav>'

    def title(self) -> str:
        """Heading of a page with its buttons."""
        text = self.rng.choice((*self.domain.pages, *self.domain.things))
        tools = "".join(self.button(small=self.rng.random() < 0.5) for _ in range(self.rng.randint(0, 3)))
        return f'<div class="x-row x-between" style="margin-bottom:var(--gap)"><h1 {self.cls("title")} style="font-size:1.6em;margin:.2em 0">{escape(text)}</h1><div class="x-row x-tight">{tools}</div></div>'

    def overlays(self) -> str:
        """Menus, dialogs, messages and tips that lie over the page."""
        rng, pick = self.rng, self.rng.random()
        if pick < 0.11:
            return self.dialog()
        if pick < 0.25:
            return self.menu(
                style=f"left:{rng.randint(5, 65)}%;top:{rng.randint(50, 260)}px;background:var(--panel);color:var(--fg)"
            )
        if pick < 0.31:
            return self.toast()
        if pick < 0.35:
            return self.cookie_bar()
        if pick < 0.4:
            return f'<div class="x-tip" style="left:{rng.randint(5, 80)}%;top:{rng.randint(40, 400)}px">{escape(self.action())}</div>'
        return ""

    def application(self, scene: Callable[[], str]) -> str:
        """Application: head, sidebar, main part."""
        rng = self.rng
        path = self.breadcrumb() if rng.random() < 0.35 else ""
        tabs = self.tabs() if rng.random() < 0.25 else ""
        note = (
            f"<div {self.cls('alert')}>{escape(self.sentence(8))} {self.link(rng.choice(('Learn more', 'Fix now', 'Details')))}</div>"
            if rng.random() < 0.12
            else ""
        )
        main = (
            f'<main class="x-main x-col">{path}{note}{self.title() if rng.random() < 0.8 else ""}{tabs}{scene()}</main>'
        )
        side = self.side() if rng.random() < 0.75 else ""
        app = f'<div class="x-app">{side if rng.random() < 0.9 else ""}{main}{side if not side and rng.random() < 0.2 else ""}</div>'
        if rng.random() < 0.4:
            return f'<div class="x-app">{side}<div class="x-grow">{self.head()}{main}</div></div>'
        return (self.head() if rng.random() < 0.9 else "") + app

    def phone(self, scene: Callable[[], str]) -> str:
        """Narrow page with a bar at the bottom."""
        rng = self.rng
        items = "".join(
            f'<a href="#" class="x-col" style="gap:2px;align-items:center;color:inherit;text-decoration:none;font-size:11px;{"color:var(--accent)" if i == 0 else ""}" {"" if named else f"aria-label={chr(34)}{escape(label)}{chr(34)}"}><span style="font-size:20px;line-height:1">{self.icon(concept).svg}</span>{escape(label) if named else ""}</a>'
            for named in [rng.random() < 0.6]
            for i, (concept, label) in enumerate(self.concept_label() for _ in range(rng.randint(3, 5)))
        )
        bottom = (
            f'<nav class="x-head" style="position:fixed;left:0;right:0;bottom:0;z-index:1000;display:flex;justify-content:space-around;padding:8px">{items}</nav>'
            if rng.random() < 0.7
            else ""
        )
        add = (
            f'<div style="position:fixed;right:16px;bottom:76px;z-index:999;font-size:22px">{self.icon_button("add", style="primary")}</div>'
            if rng.random() < 0.2
            else ""
        )
        return f'{self.head(True)}<main style="padding:12px 12px 80px" class="x-col">{scene()}</main>{add}{bottom}'

    def site(self) -> str:
        """Public site: hero, features, prices, questions, footer."""
        rng = self.rng
        hero = f'<section style="padding:calc(var(--pad)*2) var(--pad);text-align:{rng.choice(("left", "center"))};background:{rng.choice(("var(--soft)", "var(--bg)", "var(--accent)"))};color:{rng.choice(("var(--fg)",))}"><h1>{escape(self.english.catch_phrase())}</h1><p>{escape(self.sentence(14))}</p><div class="x-row {rng.choice(("", "x-center"))}">{self.button(style="primary")}{self.button(style="button")}</div></section>'
        cards = "".join(
            self.card(
                f"<p>{escape(self.sentence(12))}</p>{self.link(rng.choice(('Learn more', 'Read more', 'See how')))}",
                self.english.bs().capitalize()[:40],
            )
            for _ in range(rng.randint(2, 6))
        )
        prices = (
            "".join(
                self.card(
                    f'<div style="font-size:1.8em">{self.money()}</div><ul>'
                    + "".join(f"<li>{escape(p)}</li>" for p in self.some(self.domain.pages, 3, 5))
                    + f"</ul>{self.button(f'Choose {p}', 'primary', 0)}",
                    p,
                )
                for p in self.some(("Free", "Starter", "Team", "Business", "Pro", "Enterprise"), 2, 4)
            )
            if rng.random() < 0.5
            else ""
        )
        grid = '<section class="x-grid" style="grid-template-columns:repeat(auto-fit,minmax(200px,1fr));padding:var(--pad)">{}</section>'
        return (
            self.head()
            + hero
            + grid.format(cards)
            + (grid.format(prices) if prices else "")
            + self.editor_or_news()
            + self.footer()
        )

    def editor_or_news(self) -> str:
        """Newsletter line or an editor."""
        if self.rng.random() < 0.5:
            return f'<section class="x-row" style="padding:var(--pad)"><b>{self.rng.choice(("Stay in the loop", "Newsletter", "Get updates"))}</b><input type="email" placeholder="{self.rng.choice(("Your email", "you@example.com", "Email address"))}" {self.cls("input")} style="width:220px">{self.button("Subscribe", "primary", 0.1)}</section>'
        return f'<section style="padding:var(--pad)">{self.card(self.toolbar(8, EDITOR, "Formatting") + f"<p>{escape(self.sentence(20))}</p>", "Leave a comment")}</section>'


def compose(rng: random.Random, kit: Kit, material: Material, width: int) -> str:
    """Write a page.

    Args:
        rng: Source of all choices.
        kit: Look of the page.
        material: Style sheets and icons.
        width: Width of the view in CSS pixels; below 700 the page is made for a phone.

    Returns:
        A complete HTML document that fetches nothing.
    """
    pages = Pages(rng, kit, material)
    pages.width = width
    name = rng.choices(list(SCENES), list(SCENES.values()))[0]
    scene: Callable[[], str] = getattr(pages, f"scene_{name}")
    if width < 700:
        body = pages.phone(scene)
    elif rng.random() < 0.13:
        body = pages.site()
    elif name in ("sign_in", "docs") and rng.random() < 0.6:
        body = scene()
    else:
        body = pages.application(scene)
    return document(rng, kit, material, body + pages.overlays())


def document(rng: random.Random, kit: Kit, material: Material, body: str, css: str = "") -> str:
    """Put body and style sheets together as one HTML document."""
    values = variables(rng, kit)
    sheet = look_css(rng, kit, frozenset(kit.classes))
    root = ":root{" + ";".join(f"--{k}:{v}" for k, v in values.items()) + "}"
    own = ""
    if kit.name == "custom":
        own = (
            f"body{{margin:0;background:var(--bg);color:var(--fg);font:var(--size)/{rng.choice((1.3, 1.4, 1.5, 1.6))} "
            f"var(--font)}}h1,h2,h3,h4{{font-weight:{rng.choice((400, 600, 700))}}}"
        )
    elif kit.name in ("plain", "ionic", "pico", "water", "sakura", "mvp"):
        own = "body{max-width:none!important;padding:0;margin:0}" + (
            f"body{{font-family:{choose_font(rng)}}}" if rng.random() < 0.5 else ""
        )
        own += (
            f"html{{font-size:{rng.choice((13, 14, 15, 16))}px!important}}.x-field>input,.x-field>select{{width:100%}}"
        )
        if kit.name == "plain" and kit.dark:
            own += "html{color-scheme:dark;background:#16181b;color:#e8e8e8}"
    elif rng.random() < 0.55:
        own = f"body,button,input,select,textarea{{font-family:{choose_font(rng)}!important}}"
        if rng.random() < 0.4:
            own += f"html{{font-size:{rng.choice((13, 14, 15))}px}}"
    body_class = kit.classes.get("body", "")
    return (
        f'<!DOCTYPE html><html lang="en" {kit.html}><head><meta charset="utf-8"><style>{material.css(*kit.css)}</style>'
        f'<style>{root}{LAYOUT}{sheet}{own}{css}</style></head><body class="{body_class}">{body}</body></html>'
    )
