"""What fills the main part of a drawn page: dashboards, record lists, mail, shops, boards, players and more."""
# ruff: noqa: E501  (markup and style sheets keep their long lines)

from html import escape

from foveate.grounding.synthetic.web_blocks import EDITOR, Blocks
from foveate.grounding.synthetic.web_words import FILES, PRODUCTS, SETTING_PAGES, SETTINGS, TABS

# Scene and how often it is drawn.
SCENES: dict[str, float] = {
    "dashboard": 3, "records": 5, "edit": 3, "mail": 2, "shop": 2, "product": 1.5, "settings": 3, "docs": 1.5, "sign_in": 1.5, "board": 1.5, "calendar": 1.5,
    "chat": 2, "files": 2, "player": 1.5, "wizard": 1.5, "profile": 1.5, "editor": 2, "icons": 2.5, "tree": 1.2, "faq": 1,
}  # fmt: skip


class Scenes(Blocks):
    """Writes the main part of pages."""

    def grid(self, parts: list[str], smallest: int) -> str:
        """Lay parts out in as many columns as fit."""
        return f'<div class="x-grid" style="grid-template-columns:repeat(auto-fill,minmax(min({smallest}px,100%),1fr))">{"".join(parts)}</div>'

    def scene_dashboard(self) -> str:
        """Numbers, charts and short lists."""
        stats = self.grid([self.stat() for _ in range(self.rng.randint(2, 6))], 170)
        panels = [
            self.card(
                self.chart(),
                self.rng.choice(self.domain.pages),
                self.icon_button("more")
                if self.rng.random() < 0.5
                else self.select(["Last 7 days", "Last month", "This year"], name="Period"),
            )
        ]
        panels += [
            self.card(
                self.people_list(self.rng.randint(3, 5)), self.rng.choice(self.domain.things), self.link("View all")
            )
            for _ in range(self.rng.randint(0, 2))
        ]
        panels += [
            self.card(
                self.table(self.rng.randint(3, 6), self.some(self.domain.columns, 3, 4)),
                f"Recent {self.rng.choice(self.domain.things).lower()}",
            )
        ]
        self.rng.shuffle(panels)
        return stats + self.grid(panels, self.rng.choice((320, 420)))

    def scene_records(self) -> str:
        """Table with search, filters, actions and pages."""
        rng = self.rng
        filters = (
            self.search()
            + "".join(
                self.select([f"All {c.lower()}s", *self.some(self.domain.states, 2, 4)], name=c)
                for c in self.some(self.domain.columns, 0, 3)
            )
            + "".join(self.button(small=True) for _ in range(rng.randint(0, 2)))
        )
        filters += self.toolbar(rng.randint(1, 5)) if rng.random() < 0.5 else ""
        count = f'<div class="x-row x-between"><span class="x-muted x-smalltext">{rng.randint(1, 10)} of {rng.randint(20, 900)} {rng.choice(self.domain.things).lower()}</span>{self.pagination()}</div>'
        table = self.table(rng.randint(6, 22))
        side = ""
        if rng.random() < 0.25 and self.width > 1000:
            groups = "".join(
                f'<h5 style="margin:.6em 0 .2em">{escape(c)}</h5>'
                + "".join(self.choice(s, on=False) for s in self.some(self.domain.states, 2, 4))
                for c in self.some(self.domain.columns, 1, 3)
            )
            side = f'<div style="width:190px;flex:none">{self.card(groups, "Filter")}</div>'
        body = f'<div class="x-row" style="margin-bottom:var(--gap)">{filters}</div>{table}{count if rng.random() < 0.75 else ""}'
        main = self.card(body) if rng.random() < 0.5 else body
        return f'<div class="x-row x-start x-nowrap"><div class="x-grow">{main}</div>{side}</div>'

    def scene_edit(self) -> str:
        """Form of a record, with side panels."""
        forms = "".join(self.form() for _ in range(self.rng.randint(1, 2)))
        if self.width > 900 and self.rng.random() < 0.5:
            side = self.card(
                "".join(self.button(small=True) for _ in range(self.rng.randint(2, 4))), "Actions"
            ) + self.switches(count=3)
            return f'<div class="x-row x-start x-nowrap"><div class="x-grow x-col">{forms}</div><div class="x-col" style="width:280px;flex:none">{side}</div></div>'
        return forms

    def scene_mail(self) -> str:
        """Folders, messages and a toolbar."""
        rng, lines = self.rng, []
        folders = "".join(
            f'<a href="#" class="x-sidelink {"x-active" if i == 0 else ""}">{self.icon(c).svg}<span class="x-grow">{n}</span>{self.badge(str(rng.randint(1, 60))) if rng.random() < 0.3 else ""}</a>'
            for i, (c, n) in enumerate(
                (
                    ("inbox", "Inbox"),
                    ("star", "Starred"),
                    ("send", "Sent"),
                    ("edit", "Drafts"),
                    ("archive", "Archive"),
                    ("spam", "Spam"),
                    ("trash", "Trash"),
                )
            )
        )
        for _ in range(rng.randint(6, 14)):
            who = self.fake.name()
            lines.append(
                f'<li data-row {self.cls("item")} style="display:flex;gap:.7em;align-items:center"><input type="checkbox" aria-label="Select" {self.cls("check")}>{self.icon_button("star", "Star")}<span data-name class="x-bold" style="width:22%">{escape(who)}</span><a href="#" class="x-grow x-clip" style="color:inherit;text-decoration:none">{escape(self.sentence(8))}</a><span class="x-smalltext x-muted">{self.date()}</span></li>'
            )
        bar = f'<div class="x-row">{self.button("Compose", "primary", 0.7)}{self.toolbar(rng.randint(4, 9), ("archive", "trash", "reply", "mail_forward", "flag", "refresh", "more", "spam", "mail", "tag"))}{self.search("Search mail")}</div>'
        inbox = f'<div class="x-grow x-col">{bar}<ul {self.cls("list")} style="padding:0;list-style:none">{"".join(lines)}</ul></div>'
        return (
            inbox
            if self.width < 800
            else f'<div class="x-row x-start x-nowrap"><nav style="width:160px;flex:none">{folders}</nav>{inbox}</div>'
        )

    def product(self) -> str:
        """Product of a shop."""
        name = self.rng.choice(PRODUCTS)
        buy = (
            self.button(
                self.rng.choice(("Add to cart", "Buy now", "Choose options", "View details")), "primary", 0.3, True
            )
            if self.rng.random() < 0.7
            else ""
        )
        heart = (
            self.icon_button("heart", self.rng.choice(("Add to wishlist", "Save", "Favourite")))
            if self.rng.random() < 0.5
            else ""
        )
        return f'<article data-row {self.cls("card")}><a href="#" aria-label="{escape(name)}">{self.picture(self.rng.choice((0.6, 0.75)), name)}</a><div style="padding:.5em"><a href="#" data-name style="color:inherit">{escape(name)}</a><div class="x-bold">{self.money()}</div><div class="x-row x-tight">{buy}{heart}</div></div></article>'

    def scene_shop(self) -> str:
        """Shelf of products with filters."""
        bar = f'<div class="x-row x-between">{self.search("Search products")}{self.select(["Most popular", "Newest first", "Price: low to high"], name="Sort by")}{self.toolbar(2, ("grid", "list_view"))}</div>'
        return (
            bar
            + self.grid([self.product() for _ in range(self.rng.randint(4, 10))], self.rng.choice((150, 190, 240)))
            + self.pagination()
        )

    def scene_product(self) -> str:
        """Product with options, or a cart."""
        rng = self.rng
        if rng.random() < 0.4:
            lines = "".join(
                f'<li data-row {self.cls("item")} style="display:flex;gap:1em;align-items:center"><div style="width:64px">{self.picture(1)}</div><span data-name class="x-grow">{escape(p)}</span>{self.icon_button("remove", "Decrease quantity")}<span>{rng.randint(1, 5)}</span>{self.icon_button("add", "Increase quantity")}<b>{self.money()}</b>{self.icon_button("trash", "Remove")}</li>'
                for p in self.some(PRODUCTS, 2, 5)
            )
            return f'<ul {self.cls("list")} style="padding:0;list-style:none">{lines}</ul>' + self.card(
                self.field("Voucher code", form="input")
                + self.button("Apply", "button", 0)
                + self.button("Check out", "primary"),
                "Order summary",
            )
        sizes = "".join(self.button(s, "button", 0, True) for s in ("XS", "S", "M", "L", "XL")[: rng.randint(3, 5)])
        info = f"<h2>{escape(rng.choice(PRODUCTS))}</h2><p>{escape(self.sentence(20))}</p><div class='x-bold' style='font-size:1.4em'>{self.money()}</div><div class='x-row x-tight'>{sizes}</div>{self.field('Quantity', '1', 'input')}<div class='x-row'>{self.button('Add to cart', 'primary', 0.5)}{self.button('Buy now', 'button')}{self.icon_button('heart', 'Add to wishlist')}{self.icon_button('share')}</div>"
        return self.grid([f"<div>{self.picture(0.8, 'Product photo')}</div>", f"<div>{info}</div>"], 300) + self.tabs(
            ["Description", "Specifications", "Reviews", "Questions"]
        )

    def scene_settings(self) -> str:
        """Settings with a list of their pages."""
        panels = "".join(
            self.switches()
            if self.rng.random() < 0.65
            else self.form(self.rng.choice(SETTING_PAGES), self.rng.randint(2, 5))
            for _ in range(self.rng.randint(1, 3))
        )
        if self.width < 800 or self.rng.random() < 0.4:
            return panels
        links = "".join(
            f'<a href="#" class="x-sidelink {"x-active" if i == 0 else ""}">{escape(s)}</a>'
            for i, s in enumerate(self.some(SETTING_PAGES, 5, 10))
        )
        return f'<div class="x-row x-start x-nowrap"><nav style="width:170px;flex:none">{links}</nav><div class="x-grow x-col">{panels}</div></div>'

    def scene_docs(self) -> str:
        """Text with links, code and a list of contents."""
        parts = []
        for _ in range(self.rng.randint(2, 5)):
            text = self.english.paragraph(self.rng.randint(2, 5)).split()
            for _ in range(self.rng.randint(0, 3)):
                at = self.rng.randrange(len(text) - 2)
                text[at] = self.link(f"{text[at]} {self.english.word()}") if "<" not in text[at] else text[at]
            parts.append(
                f"<h2 style='font-size:1.3em'>{escape(self.english.bs().capitalize())}</h2><p>{' '.join(text)}</p>"
            )
            if self.rng.random() < 0.4:
                parts.append(
                    f'<div style="position:relative"><pre style="padding:1em;background:color-mix(in srgb,var(--fg) 8%,var(--bg));overflow:hidden"><code>{self.rng.choice(("pip install", "npm run", "git push", "docker run"))} {self.english.word()} --{self.english.word()}</code></pre><div style="position:absolute;right:6px;top:6px">{self.icon_button("copy", "Copy")}</div></div>'
                )
        turn = f'<div class="x-row x-between">{self.link("← Previous")}{self.link("Edit this page")}{self.link("Next →")}</div>'
        index = "".join(
            f'<li><a href="#" class="x-link">{escape(self.english.bs().capitalize()[:32])}</a></li>'
            for _ in range(self.rng.randint(4, 12))
        )
        side = (
            f'<aside style="width:210px;flex:none"><h4>{self.rng.choice(("On this page", "Contents", "Guides"))}</h4><ul>{index}</ul></aside>'
            if self.width > 900
            else ""
        )
        return f'<div class="x-row x-start x-nowrap" style="padding:var(--pad)"><div class="x-grow">{"".join(parts)}{turn}</div>{side}</div>'

    def scene_sign_in(self) -> str:
        """Sign in, sign up, reset a password, or enter a code."""
        rng = self.rng
        title, labels, button = rng.choice(
            (
                ("Sign in", ("Email address", "Password"), "Sign in"),
                ("Welcome back", ("Username", "Password"), "Log in"),
                (
                    "Create your account",
                    ("Full name", "Email address", "Password", "Confirm password"),
                    "Create account",
                ),
                ("Forgot your password?", ("Email address",), "Send reset link"),
                ("Two-step verification", ("Verification code",), "Verify"),
            )
        )
        fields = "".join(self.field(x, None, "input") for x in labels)
        social = "".join(
            self.button(f"Continue with {p}", "button", 0.8)
            for p in self.some(("Google", "GitHub", "Apple", "Facebook", "Microsoft", "SSO"), 0, 3)
        )
        icons = self.toolbar(3) if rng.random() < 0.3 else ""
        extra = (
            (
                self.choice(rng.choice(("Remember me", "Keep me signed in", "I agree to the terms")))
                if rng.random() < 0.7
                else ""
            )
            + f'<div class="x-row x-between">{self.link(rng.choice(("Forgot password?", "Need help?", "Reset password")))}{self.link(rng.choice(("Create an account", "Sign up", "Back to sign in")))}</div>'
        )
        box = self.card(
            f'<div {self.cls("form")}>{fields}{extra}<p>{self.button(button, "primary", 0.1)}</p><div class="x-col x-start">{social}</div>{icons}</div>',
            title,
        )
        return f'<div style="max-width:{rng.choice((320, 380, 460))}px;margin:{rng.randint(10, 90)}px auto">{box}</div>'

    def scene_board(self) -> str:
        """Columns of cards."""
        columns = []
        for state in self.domain.states[: self.rng.randint(2, 5)]:
            cards = "".join(
                f'<div {self.cls("card")} data-row data-role="listitem" tabindex="0" style="margin:0 0 8px;padding:.6em"><div data-name>{escape(self.english.bs().capitalize())}</div><div class="x-row x-between">{self.badge()}{self.avatar()}</div></div>'
                for _ in range(self.rng.randint(1, 5))
            )
            columns.append(
                f'<section class="x-grow" style="min-width:150px"><div class="x-row x-between x-nowrap"><h4 style="font-size:1em">{escape(state)}</h4><span>{self.icon_button("add", self.rng.choice(("Add card", "Add task", "New")))}{self.icon_button("more")}</span></div>{cards}</section>'
            )
        return f'<div class="x-row x-start x-nowrap">{"".join(columns)}</div>'

    def scene_calendar(self) -> str:
        """Month of days with events."""
        rng = self.rng
        bar = f'<div class="x-row">{self.button("Today", "button", 0)}{self.icon_button("back", "Previous month")}{self.icon_button("forward", "Next month")}<h2 style="font-size:1.2em;margin:0">{self.english.month_name()} 2026</h2><div class="x-grow"></div>{self.tabs(["Day", "Week", "Month", "Agenda"])}</div>'
        heads = "".join(f"<th>{d}</th>" for d in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))
        tall = rng.choice((54, 70, 84))

        def day(number: int) -> str:
            friend = self.fake.first_name()
            what = rng.choice(("Stand-up", "Dentist", f"Lunch with {friend}", "Review", f"Call {friend}", "Training"))
            event = f'<a href="#" class="x-badge" style="max-width:100%;overflow:hidden">{escape(what)}</a>'
            shown = event if rng.random() < 0.3 else ""
            return f'<td style="height:{tall}px;vertical-align:top"><div class="x-smalltext">{number}</div>{shown}</td>'

        weeks = "".join(
            "<tr>" + "".join(day(w * 7 + d + 1) for d in range(7)) + "</tr>" for w in range(rng.randint(3, 4))
        )
        return f'{bar}<table {self.cls("table")} style="table-layout:fixed;width:100%"><thead><tr>{heads}</tr></thead><tbody>{weeks}</tbody></table>'

    def scene_chat(self) -> str:
        """Conversations, messages and a line to write."""
        rng = self.rng
        talk = "".join(
            f'<div style="display:flex;justify-content:{rng.choice(("flex-start", "flex-end"))};margin:6px 0"><div style="max-width:70%;padding:8px 12px;border-radius:12px;background:var(--soft)"><div>{escape(self.sentence(9))}</div><div class="x-smalltext x-muted">{self.fake.time("%H:%M")}</div></div></div>'
            for _ in range(rng.randint(4, 8))
        )
        top = f'<div class="x-row x-nowrap">{self.avatar()}<b class="x-grow">{escape(self.fake.name())}</b>{self.toolbar(rng.randint(2, 5), ("phone", "video", "search", "more", "info", "pin"))}</div>'
        line = f'<div class="x-row x-tight x-nowrap">{self.icon_button("attach")}{self.icon_button("emoji")}<input placeholder="{rng.choice(("Write a message", "Type a message…", "Message"))}" {self.cls("input", "x-grow")} style="width:auto;margin:0">{self.icon_button("microphone") if rng.random() < 0.5 else ""}{self.icon_button("send")}</div>'
        chat = f'<div class="x-grow x-col">{top}<div>{talk}</div>{line}</div>'
        return (
            chat
            if self.width < 800
            else f'<div class="x-row x-start x-nowrap"><div style="width:260px;flex:none">{self.search("Search people")}{self.people_list(rng.randint(4, 8), False)}</div>{chat}</div>'
        )

    def scene_files(self) -> str:
        """Files as a table or as tiles."""
        bar = f'<div class="x-row">{self.button("Upload", "primary", 0.6)}{self.button("New folder", "button", 0.6)}{self.toolbar(self.rng.randint(3, 8), ("grid", "list_view", "sort", "share", "trash", "download", "info", "copy", "cut", "paste"))}{self.search("Search files")}</div>'
        names = self.some(FILES, 6, 20)
        if self.rng.random() < 0.5:
            tiles = [
                f'<div data-role="listitem" tabindex="0" {self.cls("card")} style="text-align:center;padding:.8em"><div style="font-size:2.4em">{self.icon("file" if "." in n else "folder").svg}</div><div class="x-clip">{escape(n)}</div></div>'
                for n in names
            ]
            return bar + self.grid(tiles, self.rng.choice((110, 140)))
        rows = "".join(
            f'<tr><td>{self.icon("file" if "." in n else "folder").svg} <a href="#" data-name>{escape(n)}</a></td><td>{self.date()}</td><td>{self.rng.randint(1, 900)} {self.rng.choice(("KB", "MB"))}</td><td><div class="x-row x-tight x-nowrap">{self.icon_button(self.known("download"))}{self.icon_button(self.known("more"))}</div></td></tr>'
            for n in names
        )
        return f"{bar}<table {self.cls('table')}><thead><tr><th>Name</th><th>Modified</th><th>Size</th><th></th></tr></thead><tbody>{rows}</tbody></table>"

    def scene_player(self) -> str:
        """Video or music with its controls."""
        rng = self.rng
        keys = (
            [self.icon_button(c) for c in ("shuffle", "previous_track", "play", "next_track", "repeat")]
            + [
                f'<input type="range" aria-label="{rng.choice(("Seek", "Position", "Progress"))}" class="x-grow" style="width:auto" value="{rng.randint(5, 95)}">',
                f'<span class="x-smalltext">{rng.randint(0, 9)}:{rng.randint(10, 59)}</span>',
            ]
            + [
                self.icon_button(c)
                for c in self.some(
                    ("volume", "subtitles", "settings", "window_maximize", "heart", "cast_screen", "playlist"), 2, 5
                )
            ]
        )
        if rng.random() < 0.5:
            keys.append('<input type="range" aria-label="Volume" style="width:80px">')
        bar = f'<div class="x-row x-tight">{"".join(keys)}</div>'
        stage = f'<div style="max-width:{rng.choice((480, 640, 760))}px">{self.picture(0.56, "Video")}{bar}</div>'
        after = (
            self.table(rng.randint(4, 8), ["Title", "Artist", "Duration"])
            if rng.random() < 0.5
            else self.people_list(rng.randint(3, 6))
        )
        about = f'<div class="x-row">{self.button("Subscribe", "primary")}{self.icon_button("thumbs_up", "Like")}{self.icon_button("thumbs_down", "Dislike")}{self.icon_button("share", "Share")}{self.icon_button("bookmark")}</div>'
        return stage + about + after

    def scene_wizard(self) -> str:
        """Form in steps."""
        steps = self.some(("Account", "Address", "Delivery", "Payment", "Review", "Details", "Confirm", "Finish"), 3, 5)
        line = "".join(
            f'<li class="x-row x-tight"><span class="x-avatar" style="background:{"var(--accent)" if i == 0 else "#777"}">{i + 1}</span><span>{s}</span></li>'
            for i, s in enumerate(steps)
        )
        bar = f'<div {self.cls("progress")}><div {self.cls("bar", "x-bar2")} style="width:{100 // len(steps)}%;height:100%"></div></div>'
        options = "".join(
            self.choice(c, "radio", "w", i == 0)
            for i, c in enumerate(
                self.some(
                    (
                        "Standard delivery",
                        "Express delivery",
                        "Collect in store",
                        "Credit card",
                        "Bank transfer",
                        "Invoice",
                    ),
                    2,
                    4,
                )
            )
        )
        return f'<ol class="x-row x-nolist">{line}</ol>{bar}{self.form(steps[0])}{self.card(options, "Options")}<div class="x-row x-between">{self.button("Back", "button", 0.3)}{self.button("Next", "primary", 0.3)}</div>'

    def scene_profile(self) -> str:
        """Person with posts or details."""
        name = self.fake.name()
        top = f'<div class="x-row"><span style="font-size:2em">{self.avatar(name)}</span><div class="x-grow"><h2 style="margin:0">{escape(name)}</h2><div class="x-muted">{escape(self.english.job())}</div></div>{self.button(self.rng.choice(("Follow", "Connect", "Edit profile")), "primary")}{self.button("Message")}{self.icon_button("more")}</div>'
        posts = "".join(
            self.card(
                f'<div class="x-row x-nowrap">{self.avatar()}<b data-name>{escape(self.fake.name())}</b></div><p>{escape(self.sentence(16))}</p>{self.picture(0.4) if self.rng.random() < 0.3 else ""}{self.toolbar(4, ("heart", "chat", "share", "bookmark"))}'
            ).replace("<section", "<section data-row", 1)
            for _ in range(self.rng.randint(2, 4))
        )
        return top + self.tabs() + posts

    def scene_editor(self) -> str:
        """Document, drawing or code with dense toolbars."""
        rng = self.rng
        menus = "".join(
            f'<button type="button" role="menuitem" class="x-ghost">{m}</button>'
            for m in ("File", "Edit", "View", "Insert", "Format", "Tools", "Help")[: rng.randint(3, 7)]
        )
        bars = "".join(
            f'<div class="x-row x-tight">{self.select(["Inter", "Georgia", "Courier"], name="Font") if rng.random() < 0.4 else ""}{self.toolbar(rng.randint(8, 18), EDITOR if rng.random() < 0.6 else ())}</div>'
            for _ in range(rng.randint(1, 2))
        )
        side = (
            f'<div class="x-col" style="flex:none">{"".join(self.icon_button(self.concept_label()[0]) for _ in range(rng.randint(5, 11)))}</div>'
            if rng.random() < 0.5
            else ""
        )
        text = "".join(f"<p>{escape(self.english.paragraph(4))}</p>" for _ in range(rng.randint(1, 3)))
        panel = (
            f'<div style="width:240px;flex:none">{self.card("".join(self.field() for _ in range(rng.randint(2, 5))), rng.choice(TABS))}</div>'
            if self.width > 1000 and rng.random() < 0.5
            else ""
        )
        return f'<div class="x-row x-tight" role="menubar">{menus}</div>{bars}<div class="x-row x-start x-nowrap">{side}<div class="x-grow" style="border:1px solid var(--line);padding:var(--pad)">{text}</div>{panel}</div>'

    def scene_icons(self) -> str:
        """Many icon buttons in groups, with few words."""
        big = self.rng.choice(("1em", "1.2em", "1.5em", "2em"))
        groups = "".join(
            self.card(
                f'<div style="font-size:{big}">{self.toolbar(self.rng.randint(6, 20))}</div>',
                self.rng.choice((*TABS, *self.domain.pages)),
            )
            for _ in range(self.rng.randint(2, 6))
        )
        tiles = "".join(
            f'<button type="button" {self.cls("button")} style="flex-direction:column;display:inline-flex;align-items:center;height:auto;width:90px">{self.icon(c).svg}<span class="x-smalltext">{escape(n)}</span></button>'
            for c, n in (self.concept_label() for _ in range(self.rng.randint(0, 10)))
        )
        return f'{groups}<div class="x-row">{tiles}</div>'

    def scene_tree(self) -> str:
        """Tree beside details."""
        rows, depth = [], 0
        for n in self.some((*FILES, *self.domain.pages), 8, 18):
            depth = max(0, min(4, depth + self.rng.choice((-1, 0, 0, 1))))
            rows.append(
                f'<div role="treeitem" tabindex="0" style="padding:3px 6px 3px {8 + 18 * depth}px">{self.icon(self.rng.choice(("folder", "file", "forward"))).svg} <span>{escape(n)}</span></div>'
            )
        tree = f'<div role="tree" style="width:240px;max-width:100%;flex:none">{"".join(rows)}</div>'
        return f'<div class="x-row x-start {"x-nowrap" if self.width > 800 else ""}">{tree}<div class="x-grow">{self.form()}</div></div>'

    def scene_faq(self) -> str:
        """Questions that open, with check boxes below."""
        asks = "".join(
            f'<details{" open" if i == 1 else ""} style="margin:.5em 0"><summary style="padding:.4em">{escape(self.rng.choice(("How do I ", "Why can I not ", "Where can I ", "When will I ")) + self.english.bs())}?</summary><p>{escape(self.sentence(18))}</p></details>'
            for i in range(self.rng.randint(4, 8))
        )
        return asks + self.card("".join(self.choice(s) for s in self.some(SETTINGS, 3, 6)), "Preferences")
