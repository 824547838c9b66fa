"""The desktop programs that are captured: their toolkit, how they are started, and the files they are shown with."""

import random
import shutil
import sqlite3
import wave
import zipfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

# Never captured in any version: these are the programs that evaluation screens come from.
KEEP_OUT = frozenset(
    [
        "abiword",
        "audacity",
        "d-feet",
        "evince",
        "featherpad",
        "filezilla",
        "galculator",
        "geany",
        "gedit",
        "gimp",
        "gnumeric",
        "gucharmap",
        "hexchat",
        "inkscape",
        "kate",
        "kwrite",
        "libreoffice",
        "meld",
        "mousepad",
        "pidgin",
        "rhythmbox",
        "seahorse",
        "shotwell",
        "simple-scan",
        "thunar",
        "transmission",
        "xfce4-settings",
        "xournalpp",
    ]
)
_PROGRAMS = """
pluma|gtk3|pluma {text} {py}
caja|gtk3|caja --no-desktop --browser {dir}
eom|gtk3|eom {png}
atril|gtk3|atril {pdf}
engrampa|gtk3|engrampa {zip}
mate-calc|gtk3|mate-calc
mate-system-monitor|gtk3|mate-system-monitor
mate-terminal|gtk3|mate-terminal
mate-control-center|gtk3|mate-control-center
mate-appearance|gtk3|mate-appearance-properties
mate-keyboard|gtk3|mate-keyboard-properties
mate-mouse|gtk3|mate-mouse-properties
mate-defaults|gtk3|mate-default-applications-properties
mate-keybinding|gtk3|mate-keybinding-properties
mate-network|gtk3|mate-network-properties
mate-window|gtk3|mate-window-properties
mate-dictionary|gtk3|mate-dictionary
mate-disk-usage|gtk3|mate-disk-usage-analyzer {dir}
mate-screenshot|gtk3|mate-screenshot --interactive
mate-search|gtk3|mate-search-tool
mate-log|gtk3|mate-system-log
nemo|gtk3|nemo --no-desktop {dir}
l3afpad|gtk3|l3afpad {text}
ristretto|gtk3|ristretto {png}
parole|gtk3|parole
xfburn|gtk3|xfburn
catfish|gtk3|catfish {dir}
xfce4-terminal|gtk3|xfce4-terminal
xfce4-terminal-preferences|gtk3|xfce4-terminal --preferences
xfce4-taskmanager|gtk3|xfce4-taskmanager
xfce4-appfinder|gtk3|xfce4-appfinder
xfce4-screenshooter|gtk3|xfce4-screenshooter
xfce4-dict|gtk3|xfce4-dict
orage|gtk3|orage
orage-preferences|gtk3|orage -p
gigolo|gtk3|gigolo
quodlibet|gtk3|quodlibet
exaile|gtk3|exaile
liferea|gtk3|liferea
claws-mail|gtk3|claws-mail
gnote|gtk3|gnote
zim|gtk3|zim {dir}
homebank|gtk3|homebank {homebank}
grisbi|gtk3|grisbi
planner|gtk3|planner
bluefish|gtk3|bluefish {html} {py}
file-roller|gtk3|file-roller {zip}
gnome-disks|gtk3|gnome-disks
glade|gtk3|glade
devhelp|gtk3|devhelp
remmina|gtk3|remmina
gtkhash|gtk3|gtkhash {text}
gprename|gtk3|gprename
easytag|gtk3|easytag {dir}
pavucontrol|gtk3|pavucontrol
blueman|gtk3|blueman-manager
nm-connection-editor|gtk3|nm-connection-editor
hardinfo|gtk3|hardinfo
gtk3-demo|gtk3|gtk3-demo
gtk3-demo-application|gtk3|gtk3-demo-application
gtk3-icon-browser|gtk3|gtk3-icon-browser
gtk3-widget-factory|gtk3|gtk3-widget-factory
gnome-mines|gtk3|gnome-mines
gnome-sudoku|gtk3|gnome-sudoku
aisleriot|gtk3|sol
swell-foop|gtk3|swell-foop
terminator|gtk3|terminator
geeqie|gtk3|geeqie {dir}
grsync|gtk3|grsync
sylpheed|gtk2|sylpheed
dia|gtk2|dia --integrated
pcmanfm|gtk2|pcmanfm --no-desktop {dir}
gpicview|gtk2|gpicview {png}
lxtask|gtk2|lxtask
lxterminal|gtk2|lxterminal
lxappearance|gtk2|lxappearance
lxinput|gtk2|lxinput
obconf|gtk3|obconf
gtkam|gtk2|gtkam
sound-juicer|gtk3|sound-juicer
asunder|gtk2|asunder
viewnior|gtk3|viewnior {png}
osmo|gtk3|osmo
mirage|gtk3|mirage {png}
gramps|gtk3|gramps
synaptic|gtk3|synaptic
gparted|gtk3|gpartedbin
mtpaint|gtk2|mtpaint {png}
gtkwave|gtk2|gtkwave
gcolor3|gtk3|gcolor3
font-manager|gtk3|font-manager
gnome-nettool|gtk3|gnome-nettool
five-or-more|gtk3|five-or-more
quadrapassel|gtk3|quadrapassel
hitori|gtk3|hitori
iagno|gtk3|iagno
tali|gtk3|tali
four-in-a-row|gtk3|four-in-a-row
gnome-robots|gtk3|gnome-robots
gnome-klotski|gtk3|gnome-klotski
gnome-mahjongg|gtk3|gnome-mahjongg
lightsoff|gtk3|lightsoff
ghex|gtk3|ghex {png}
gtick|gtk2|gtick
gpick|gtk3|gpick
menulibre|gtk3|menulibre
mugshot|gtk3|mugshot
deja-dup|gtk3|deja-dup
gnome-screenshot|gtk3|gnome-screenshot --interactive
gthumb|gtk3|gthumb {dir}
brasero|gtk3|brasero
cheese|gtk3|cheese
gnome-system-log|gtk3|gnome-system-log
xpad|gtk3|xpad
scite|gtk3|SciTE {py}
xarchiver|gtk3|xarchiver {zip}
qalculate-gtk|gtk3|qalculate-gtk
cherrytree|gtk3|cherrytree
drawing|gtk3|drawing {png}
bleachbit|gtk3|bleachbit
gnucash|gtk3|gnucash --nofile
evolution|gtk3|evolution
epiphany|gtk3|epiphany {html}
gajim|gtk3|gajim
deluge|gtk3|deluge-gtk
virt-manager|gtk3|virt-manager --no-fork
lollypop|gtk3|lollypop
system-config-printer|gtk3|system-config-printer
gnome-system-monitor|gtk3|gnome-system-monitor
gnome-logs|gtk3|gnome-logs
soundconverter|gtk3|soundconverter
qpdfview|qt5|qpdfview {pdf}
juffed|qt5|juffed {py} {text}
focuswriter|qt5|focuswriter {text}
speedcrunch|qt5|speedcrunch
keepassxc|qt5|keepassxc
qmmp|qt5|qmmp --ui qsui
lximage-qt|qt5|lximage-qt {png}
qterminal|qt5|qterminal
kolourpaint|qt5|kolourpaint {png}
nomacs|qt5|nomacs {png}
texstudio|qt5|texstudio {tex}
texmaker|qt5|texmaker {tex}
librecad|qt5|librecad
sqlitebrowser|qt5|sqlitebrowser {db}
qjackctl|qt5|qjackctl
umbrello|qt5|umbrello5
designer|qt5|/usr/lib/qt5/bin/designer
linguist|qt5|/usr/lib/qt5/bin/linguist
assistant|qt5|/usr/lib/qt5/bin/assistant
qalculate-qt|qt5|qalculate-qt
gwenview|qt5|gwenview {dir}
ark|qt5|ark {zip}
kcharselect|qt5|kcharselect
krusader|qt5|krusader
smplayer|qt5|smplayer
clementine|qt5|clementine
strawberry|qt5|strawberry
wireshark|qt5|wireshark
lxqt-appearance|qt5|lxqt-config-appearance
lxqt-locale|qt5|lxqt-config-locale
lxqt-input|qt5|lxqt-config-input
lxqt-files|qt5|lxqt-config-file-associations
lxqt-config|qt5|lxqt-config
obconf-qt|qt5|obconf-qt
pavucontrol-qt|qt5|pavucontrol-qt
screengrab|qt5|screengrab
qps|qt5|qps
kcolorchooser|qt5|kcolorchooser
kfind|qt5|kfind {dir}
kmines|qt5|kmines
kpat|qt5|kpat
ksudoku|qt5|ksudoku
zeal|qt5|zeal
goldendict|qt5|goldendict
treeline|qt5|treeline
cutemaze|qt5|cutemaze
tetzle|qt5|tetzle
simsu|qt5|simsu
hexalate|qt5|hexalate
gottet|qt5|gottet
connectagram|qt5|connectagram
kapow|qt5|kapow
marble|qt5|marble-qt
tellico|qt5|tellico
kid3|qt5|kid3-qt {dir}
puddletag|qt5|puddletag {dir}
lyx|qt5|lyx
klavaro|gtk3|klavaro
qtcreator|qt5|qtcreator
cantata|qt5|cantata
skrooge|qt5|skrooge
kmymoney|qt5|kmymoney
dolphin|qt5|dolphin {dir}
retext|qt5|retext {text}
calibre|qt5|calibre
poedit|wx|poedit {po}
codeblocks|wx|codeblocks
wxmaxima|wx|wxmaxima
hugin|wx|hugin
"""
_PEOPLE = (
    "Anna Bruno Chiara Dario Elena Farid Greta Hugo Ines Jonas Katja Luis Mara Nils Olga Pavel Rosa Sven Tina Viktor"
)
_THINGS = (
    "budget garden kitchen holiday report invoice recipe meeting travel letter concert library harbour museum bicycle"
)


@dataclass(frozen=True)
class Program:
    """A desktop program.

    Args:
        name: Short name; the second part of a screen's source.
        toolkit: gtk3, gtk2, qt5 or wx.
        command: Command line with places for sample files, such as {text}.
    """

    name: str
    toolkit: str
    command: str


def all_programs() -> tuple[Program, ...]:
    """List the programs that this machine has installed."""
    found = []
    for line in _PROGRAMS.strip().splitlines():
        name, toolkit, command = line.split("|")
        if name not in KEEP_OUT and shutil.which(command.split()[0]):
            found.append(Program(name, toolkit, command))
    return tuple(found)


def sample_files(folder: Path, rng: random.Random) -> dict[str, str]:
    """Write small files of the kinds that programs open.

    Args:
        folder: Where they go; made when missing.
        rng: Source of names and contents.

    Returns:
        Paths by kind: text, py, html, tex, csv, ini, png, pdf, zip, db, po, wav, homebank and dir.
    """
    folder.mkdir(parents=True, exist_ok=True)
    things, people = rng.sample(_THINGS.split(), 10), rng.sample(_PEOPLE.split(), 8)
    rows = [(p, rng.choice(things), rng.randint(3, 900)) for p in people]
    lines = [f"{p} has {n} notes about the {t}, and the {rng.choice(things)} comes next week." for p, t, n in rows]
    texts = {
        "text": (f"{things[0]}.txt", "\n".join([*lines, "", *lines[::-1]])),
        "py": (
            f"{things[1]}.py",
            "".join(f"def {t}(count: int) -> int:\n    return count * {n}\n\n\n" for _, t, n in rows),
        ),
        "html": (
            f"{things[2]}.html",
            "<html><body><h1>Notes</h1>" + "".join(f"<p>{v}</p>" for v in lines) + "</body></html>",
        ),
        "tex": (
            f"{things[3]}.tex",
            "\\documentclass{article}\n\\begin{document}\n"
            + "".join(f"\\section{{{t.title()} of {p}}}\nThe {t} costs {n}.\n\n" for p, t, n in rows)
            + "\\end{document}\n",
        ),
        "csv": (f"{things[4]}.csv", "person,thing,count\n" + "".join(f"{p},{t},{n}\n" for p, t, n in rows)),
        "ini": (f"{things[5]}.ini", "".join(f"[{t}]\nowner={p}\ncount={n}\n" for p, t, n in rows)),
        "po": (
            f"{things[6]}.po",
            'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Language: de\\n"\n\n'
            + "".join(f'msgid "{v}"\nmsgstr ""\n\n' for v in dict.fromkeys(lines)),
        ),
        "homebank": (f"{things[0]}.xhb", '<?xml version="1.0"?>\n<homebank v="1.4"></homebank>\n'),
    }
    paths = {"dir": str(folder)}
    for kind, (name, content) in texts.items():
        (folder / name).write_text(content, encoding="utf-8")
        paths[kind] = str(folder / name)
    for thing in things[7:]:
        (folder / f"{thing}s").mkdir(exist_ok=True)
        (folder / f"{thing}s" / "notes.txt").write_text("\n".join(lines), encoding="utf-8")
    for number in range(4):
        picture = _picture(rng, (rng.randint(300, 900), rng.randint(240, 700)))
        paths["png"] = str(folder / f"{rng.choice(things)}-{number}.png")
        picture.save(paths["png"])
    paths["pdf"] = str(folder / f"{things[8]}.pdf")
    pages = [Image.new("RGB", (595, 842), "white") for _ in range(3)]
    for page in pages:
        for row, line in enumerate(lines):
            ImageDraw.Draw(page).text((60, 60 + 24 * row), line, fill="black")
    pages[0].save(paths["pdf"], save_all=True, append_images=pages[1:])
    paths["zip"] = str(folder / f"{things[9]}.zip")
    with zipfile.ZipFile(paths["zip"], "w") as archive:
        for kind in ("text", "py", "html", "csv", "ini"):
            archive.write(paths[kind], Path(paths[kind]).name)
    paths["db"] = str(folder / f"{things[7]}.db")
    _database(paths["db"], rows)
    paths["wav"] = str(folder / f"{things[2]}.wav")
    with wave.open(paths["wav"], "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        sound.writeframes(bytes(16000))
    return paths


def _database(path: str, rows: list[tuple[str, str, int]]) -> None:
    Path(path).unlink(missing_ok=True)
    base = sqlite3.connect(path)
    base.execute("create table orders (person text, thing text, count integer)")
    base.execute("create table places (name text, distance real)")
    base.executemany("insert into orders values (?, ?, ?)", rows)
    base.commit()
    base.close()


def _picture(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    tone = [tuple(rng.randrange(256) for _ in range(3)) for _ in range(5)]
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    picture = Image.blend(picture, Image.new("RGB", size, tone[0]), 0.6)
    draw = ImageDraw.Draw(picture)
    for color in tone[1:]:
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        draw.ellipse((x, y, x + rng.randint(30, 300), y + rng.randint(30, 300)), fill=color)
    return picture
