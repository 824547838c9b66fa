"""Draw the example screenshots of vision/data: programs that do not exist, so that nobody's rights are in them.

python scripts/draw_examples.py vision/data
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIZE = (1280, 800)
INK, GREY, LINE, PAPER, BLUE = "#1f2933", "#66737f", "#d5dbe1", "#ffffff", "#1a64c8"


def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as the system has it; only its drawn shapes end up in the picture."""
    return ImageFont.truetype("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf", size)


class Screen:
    """A picture at twice the size, so that lines and icons come out smooth when it is halved."""

    def __init__(self, back: str) -> None:
        self.image = Image.new("RGB", (SIZE[0] * 2, SIZE[1] * 2), back)
        self.pen = ImageDraw.Draw(self.image)

    def box(
        self, x: float, y: float, w: float, h: float, fill: str | None, edge: str | None = None, r: float = 0
    ) -> None:
        """Draw a box with round corners."""
        self.pen.rounded_rectangle([2 * x, 2 * y, 2 * (x + w) - 1, 2 * (y + h) - 1], 2 * r, fill, edge, 2)

    def text(
        self, x: float, y: float, text: str, size: int = 14, ink: str = INK, bold: bool = False, at: str = "lm"
    ) -> None:
        """Write one line; ``at`` is PIL's anchor."""
        self.pen.text((2 * x, 2 * y), text, ink, font(2 * size, bold), at)

    def line(self, *points: float, ink: str = INK, width: float = 1.6) -> None:
        """Draw a line through x, y, x, y..."""
        self.pen.line([2 * p for p in points], ink, round(2 * width), "curve")

    def ring(self, x: float, y: float, r: float, ink: str = INK, fill: str | None = None, width: float = 1.6) -> None:
        """Draw a circle."""
        self.pen.ellipse([2 * (x - r), 2 * (y - r), 2 * (x + r), 2 * (y + r)], fill, ink, round(2 * width))

    def icon(self, name: str, x: float, y: float, ink: str = INK) -> None:
        """Draw a 20-pixel icon around a place."""
        for shape, *numbers in ICONS[name]:
            places = [v + (x, y)[i % 2] for i, v in enumerate(numbers)]
            if shape == "line":
                self.line(*places, ink=ink)
            elif shape == "box":
                self.box(places[0], places[1], numbers[2] - numbers[0], numbers[3] - numbers[1], None, ink, 1.5)
            else:
                self.ring(places[0], places[1], numbers[2], ink=ink)

    def button(self, x: float, y: float, w: float, text: str, main: bool = False) -> None:
        """Draw a push button."""
        self.box(x, y, w, 34, BLUE if main else PAPER, None if main else LINE, 6)
        self.text(x + w / 2, y + 17, text, 13, PAPER if main else INK, at="mm")

    def switch(self, x: float, y: float, on: bool) -> None:
        """Draw a toggle switch."""
        self.box(x, y - 11, 42, 22, BLUE if on else "#b8c1ca", r=11)
        self.ring(x + (31 if on else 11), y, 8, PAPER, PAPER)

    def save(self, path: Path) -> None:
        """Halve and write."""
        self.image.resize(SIZE, Image.Resampling.LANCZOS).save(path, optimize=True)


# Strokes of icons, from their middle: line through points, box from corner to corner, ring with a radius.
ICONS: dict[str, list[tuple]] = {
    "reply": [("line", -3, -7, -9, -1, -3, 5), ("line", -9, -1, 4, -1, 8, 2, 9, 8)],
    "forward": [("line", 3, -7, 9, -1, 3, 5), ("line", 9, -1, -4, -1, -8, 2, -9, 8)],
    "trash": [
        ("line", -8, -6, 8, -6),
        ("line", -6, -6, -5, 9, 5, 9, 6, -6),
        ("line", -3, -6, -3, -9, 3, -9, 3, -6),
        ("line", -2, -2, -2, 5),
        ("line", 2, -2, 2, 5),
    ],
    "archive": [("box", -9, -8, 9, -3), ("line", -8, -3, -8, 8, 8, 8, 8, -3), ("line", -3, 1, 3, 1)],
    "flag": [("line", -6, 9, -6, -8, 7, -8, 4, -3, 7, 2, -6, 2)],
    "search": [("ring", -2, -2, 6), ("line", 3, 3, 9, 9)],
    "gear": [
        ("ring", 0, 0, 3),
        ("ring", 0, 0, 7),
        ("line", 0, -10, 0, -7),
        ("line", 0, 7, 0, 10),
        ("line", -10, 0, -7, 0),
        ("line", 7, 0, 10, 0),
        ("line", -7, -7, -5, -5),
        ("line", 5, 5, 7, 7),
        ("line", -7, 7, -5, 5),
        ("line", 5, -5, 7, -7),
    ],
    "bell": [("line", -8, 5, -6, 2, -6, -3, -3, -8, 3, -8, 6, -3, 6, 2, 8, 5, -8, 5), ("line", -2, 8, 2, 8)],
    "user": [("ring", 0, -4, 4), ("line", -8, 9, -7, 4, -3, 2, 3, 2, 7, 4, 8, 9)],
    "folder": [("line", -9, -6, -2, -6, 0, -3, 9, -3, 9, 7, -9, 7, -9, -6)],
    "file": [("line", -6, -9, 2, -9, 6, -5, 6, 9, -6, 9, -6, -9), ("line", 2, -9, 2, -5, 6, -5)],
    "download": [("line", 0, -9, 0, 4), ("line", -5, -1, 0, 4, 5, -1), ("line", -8, 8, 8, 8)],
    "upload": [("line", 0, 4, 0, -9), ("line", -5, -4, 0, -9, 5, -4), ("line", -8, 8, 8, 8)],
    "plus": [("line", 0, -8, 0, 8), ("line", -8, 0, 8, 0)],
    "close": [("line", -6, -6, 6, 6), ("line", -6, 6, 6, -6)],
    "pencil": [("line", -8, 8, -7, 3, 5, -9, 9, -5, -3, 7, -8, 8)],
    "share": [
        ("ring", -6, 0, 2.5),
        ("ring", 6, -6, 2.5),
        ("ring", 6, 6, 2.5),
        ("line", -4, -1, 4, -5),
        ("line", -4, 1, 4, 5),
    ],
    "menu": [("line", -8, -5, 8, -5), ("line", -8, 0, 8, 0), ("line", -8, 5, 8, 5)],
    "moon": [("line", 3, -8, -2, -7, -6, -3, -6, 3, -2, 7, 3, 8, 7, 5, 2, 4, -1, 0, 0, -5, 3, -8)],
    "star": [("line", 0, -9, 2.5, -3, 9, -2.5, 4, 2, 5.5, 8, 0, 5, -5.5, 8, -4, 2, -9, -2.5, -2.5, -3, 0, -9)],
}


def mail() -> Screen:
    """A mail program with three panes."""
    s = Screen("#f4f6f8")
    s.box(0, 0, 1280, 56, "#22364d")
    s.icon("menu", 28, 28, PAPER)
    s.text(56, 28, "Tidepost", 18, PAPER, bold=True)
    s.box(330, 12, 480, 32, "#3a506a", r=6)
    s.icon("search", 350, 28, "#c8d3df")
    s.text(372, 28, "Search mail", 13, "#c8d3df")
    for i, name in enumerate(("bell", "gear", "user")):
        s.icon(name, 1140 + 50 * i, 28, PAPER)
    s.box(16, 76, 188, 40, BLUE, r=8)
    s.icon("pencil", 46, 96, PAPER)
    s.text(68, 96, "New message", 14, PAPER, bold=True)
    for i, (name, count) in enumerate(
        (("Inbox", "4"), ("Starred", ""), ("Sent", ""), ("Drafts", "2"), ("Archive", ""), ("Trash", ""))
    ):
        y = 146 + 38 * i
        if i == 0:
            s.box(8, y - 17, 204, 34, "#dce7f5", r=6)
        s.text(28, y, name, 14, INK, bold=i == 0)
        s.text(196, y, count, 12, GREY, at="rm")
    s.box(220, 56, 380, 744, PAPER)
    mails = (
        ("Nora Lindqvist", "Harbour walk on Sunday", "9:41", "Shall we start at the lighthouse"),
        ("Marek Dubois", "Invoice for October", "9:12", "Please find the invoice attached"),
        ("City library", "Your books are due soon", "8:30", "Two books should come back by"),
        ("Ines Okafor", "Photos from the workshop", "Mon", "I have put the best ones in the"),
        ("Rail tickets", "Booking confirmed", "Mon", "Coach 7, seats 41 and 42"),
        ("Tom Becker", "Re: garden plan", "Sun", "The apple tree could stand by"),
        ("Choir", "Rehearsal moved to Thursday", "Sat", "The hall is taken on Wednesday"),
    )
    for i, (who, what, when, how) in enumerate(mails):
        y = 62 + 92 * i
        if i == 0:
            s.box(220, y, 380, 88, "#eaf2fc")
            s.box(220, y, 4, 88, BLUE)
        s.text(240, y + 20, who, 14, INK, bold=i < 4)
        s.text(584, y + 20, when, 12, GREY, at="rm")
        s.text(240, y + 44, what, 13)
        s.text(240, y + 66, how, 12, GREY)
        s.line(236, y + 90, 584, y + 90, ink=LINE, width=0.5)
    s.line(600, 56, 600, 800, ink=LINE, width=0.5)
    s.box(601, 56, 679, 48, PAPER)
    for i, name in enumerate(("reply", "forward", "archive", "flag", "trash")):
        s.icon(name, 634 + 52 * i, 80)
    s.icon("star", 1244, 80, GREY)
    s.line(601, 104, 1280, 104, ink=LINE, width=0.5)
    s.text(632, 140, "Harbour walk on Sunday", 20, bold=True)
    s.ring(652, 190, 20, "#7d5ba6", "#7d5ba6")
    s.text(652, 190, "NL", 13, PAPER, bold=True, at="mm")
    s.text(686, 182, "Nora Lindqvist", 14, bold=True)
    s.text(686, 202, "to me", 12, GREY)
    body = (
        "Hello,",
        "",
        "shall we start at the lighthouse at ten and walk along the water to the old",
        "shipyard? There is a small café behind it that opens on Sundays.",
        "",
        "If it rains we could take the tram and see the museum instead.",
        "",
        "See you soon",
        "Nora",
    )
    for i, row in enumerate(body):
        s.text(632, 246 + 24 * i, row, 14)
    s.box(632, 490, 220, 54, "#f4f6f8", LINE, 6)
    s.icon("file", 656, 517)
    s.text(678, 508, "route-map.pdf", 13)
    s.text(678, 527, "1.2 MB", 11, GREY)
    s.icon("download", 830, 517)
    s.button(632, 580, 110, "Reply", main=True)
    s.button(752, 580, 110, "Reply all")
    s.button(872, 580, 110, "Forward")
    return s


def settings() -> Screen:
    """A settings page with switches and fields."""
    s = Screen("#eef1f4")
    s.box(0, 0, 250, 800, PAPER)
    s.text(28, 40, "Settings", 22, bold=True)
    for i, name in enumerate(("Account", "Appearance", "Notifications", "Privacy", "Keyboard", "Storage", "About")):
        y = 96 + 44 * i
        if i == 1:
            s.box(12, y - 19, 226, 38, "#dce7f5", r=8)
        s.text(32, y, name, 15, BLUE if i == 1 else INK, bold=i == 1)
    s.text(290, 48, "Appearance", 24, bold=True)
    s.icon("search", 1160, 48)
    s.icon("close", 1236, 48)
    rows = (
        ("Dark mode", "Light text on a dark page", False),
        ("Large text", "Make all letters a quarter larger", False),
        ("Animations", "Move panels instead of swapping them", True),
        ("Compact lists", "Show more rows on a page", True),
    )
    s.box(290, 88, 950, 304, PAPER, LINE, 10)
    for i, (name, about, on) in enumerate(rows):
        y = 126 + 75 * i
        s.text(316, y - 11, name, 15, bold=True)
        s.text(316, y + 12, about, 13, GREY)
        s.switch(1170, y, on)
        if i:
            s.line(290, y - 37, 1240, y - 37, ink=LINE, width=0.5)
    s.text(290, 430, "Language and region", 18, bold=True)
    s.box(290, 456, 950, 196, PAPER, LINE, 10)
    for i, (name, value) in enumerate(
        (("Language", "English"), ("Time zone", "Europe, Lisbon"), ("First day of the week", "Monday"))
    ):
        y = 490 + 62 * i
        s.text(316, y, name, 15)
        s.box(940, y - 18, 272, 36, PAPER, LINE, 6)
        s.text(956, y, value, 14)
        s.line(1186, y - 3, 1192, y + 3, 1198, y - 3, ink=GREY)
    s.button(290, 690, 150, "Restore defaults")
    s.button(1000, 690, 110, "Cancel")
    s.button(1124, 690, 116, "Save", main=True)
    return s


def file_manager() -> Screen:
    """A dark file manager with a toolbar of icons."""
    ink, grey, line = "#e6e9ee", "#98a2b0", "#3a414d"
    s = Screen("#23272f")
    s.box(0, 0, 1280, 52, "#2d323c")
    s.text(24, 26, "Shelf", 17, ink, bold=True)
    for i, name in enumerate(("plus", "upload", "download", "share", "pencil", "trash")):
        s.icon(name, 270 + 54 * i, 26, ink)
    s.box(900, 10, 290, 32, "#1b1e24", line, 6)
    s.icon("search", 920, 26, grey)
    s.text(942, 26, "Find a file", 13, grey)
    s.icon("gear", 1236, 26, ink)
    s.box(0, 52, 220, 748, "#282d36")
    for i, name in enumerate(("Home", "Documents", "Pictures", "Music", "Shared", "Bin")):
        y = 88 + 42 * i
        if i == 1:
            s.box(8, y - 18, 204, 36, "#3b4a63", r=6)
        s.icon("folder", 32, y, ink)
        s.text(56, y, name, 14, ink)
    for x, name in ((284, "Name"), (800, "Changed"), (1010, "Size"), (1120, "Kind")):
        s.text(x, 78, name, 12, grey, bold=True)
    names = (
        ("Contracts", "12 Nov", "", "Folder"),
        ("Travel", "9 Nov", "", "Folder"),
        ("budget-2026.xls", "18 Nov", "48 kB", "Table"),
        ("cover-letter.doc", "17 Nov", "22 kB", "Text"),
        ("floor-plan.pdf", "2 Nov", "1.4 MB", "PDF"),
        ("interview.mp3", "30 Oct", "31 MB", "Sound"),
        ("notes.txt", "21 Nov", "3 kB", "Text"),
        ("poster.png", "8 Oct", "2.2 MB", "Picture"),
        ("thesis-draft.pdf", "20 Nov", "5.1 MB", "PDF"),
    )
    for i, (name, when, size, kind) in enumerate(names):
        y = 116 + 46 * i
        if i == 4:
            s.box(232, y - 21, 1036, 42, "#34507d", r=6)
        s.icon("folder" if kind == "Folder" else "file", 258, y, ink)
        for x, value in ((284, name), (800, when), (1010, size), (1120, kind)):
            s.text(x, y, value, 14, ink if x == 284 else grey)
    s.line(220, 764, 1280, 764, ink=line, width=0.5)
    s.text(244, 782, "9 items, 1 selected", 12, grey)
    s.text(1256, 782, "38.2 GB free", 12, grey, at="rm")
    return s


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "vision/data")
    target.mkdir(parents=True, exist_ok=True)
    for name, make in (("mail", mail), ("settings", settings), ("files", file_manager)):
        make().save(target / f"{name}.png")
        print(target / f"{name}.png")
