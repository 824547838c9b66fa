#!/bin/bash
# Install the desktop programs, themes, icon sets and fonts that foveate.grounding.synthetic.desktop captures.
#
# For Debian 12, as root: scripts/fetch_desktop_programs.sh [base] [looks] [gtk] [qt] [more]; all groups by default.
# Packages that the distribution does not have are told and left out. Run it again to complete a broken install.
set -u
export DEBIAN_FRONTEND=noninteractive

base="xvfb openbox dbus-x11 at-spi2-core libatk-adaptor libgail-common gir1.2-atspi-2.0 gir1.2-wnck-3.0 gir1.2-gtk-3.0
    gir1.2-gdkpixbuf-2.0 python3-gi xdotool x11-utils x11-xserver-utils dconf-gsettings-backend shared-mime-info
    dconf-cli feh l3afpad pluma mate-calc mate-system-monitor engrampa qpdfview"
looks="arc-theme numix-gtk-theme greybird-gtk-theme materia-gtk-theme breeze-gtk-theme blackbird-gtk-theme
    bluebird-gtk-theme orchis-gtk-theme gnome-themes-extra gtk2-engines gtk2-engines-murrine gtk2-engines-pixbuf
    mate-themes murrine-themes qt5-style-kvantum qt5-style-kvantum-themes adwaita-qt qt5ct qt5-style-plugins
    kde-style-breeze kde-style-oxygen-qt5
    papirus-icon-theme numix-icon-theme numix-icon-theme-circle tango-icon-theme elementary-icon-theme
    elementary-xfce-icon-theme oxygen-icon-theme adwaita-icon-theme breeze-icon-theme gnome-icon-theme mate-icon-theme
    mate-icon-theme-faenza humanity-icon-theme obsidian-icon-theme suru-icon-theme deepin-icon-theme lxde-icon-theme
    fonts-dejavu-core fonts-liberation fonts-roboto fonts-ubuntu fonts-cantarell fonts-open-sans fonts-lato
    fonts-freefont-ttf fonts-inter fonts-hack fonts-quicksand fonts-comfortaa fonts-oxygen ttf-bitstream-vera
    fonts-noto-core"
gtk="caja eom atril mate-control-center mate-terminal mate-utils nemo ristretto parole xfburn catfish xfce4-terminal
    xfce4-taskmanager xfce4-appfinder xfce4-screenshooter xfce4-dict orage gigolo quodlibet exaile liferea
    claws-mail gnote zim homebank grisbi planner bluefish file-roller gnome-disk-utility glade devhelp
    remmina gtkhash gprename easytag pavucontrol blueman network-manager-gnome hardinfo gtk-3-examples gnome-mines
    gnome-sudoku aisleriot swell-foop terminator geeqie grsync sylpheed dia pcmanfm gpicview lxtask lxterminal
    lxappearance lxinput obconf gtkam sound-juicer asunder viewnior osmo mirage gramps synaptic gparted mtpaint gtkwave
    gcolor3 font-manager gnome-nettool five-or-more quadrapassel hitori iagno tali four-in-a-row gnome-robots
    gnome-klotski gnome-mahjongg lightsoff ghex gtick gpick menulibre mugshot deja-dup gnome-screenshot
    gthumb brasero cheese gnome-system-log xpad scite xarchiver qalculate-gtk cherrytree drawing"
qt="juffed focuswriter speedcrunch keepassxc qmmp lximage-qt qterminal kolourpaint nomacs texstudio texmaker librecad
    sqlitebrowser qjackctl umbrello qttools5-dev-tools qalculate-qt gwenview ark kcharselect krusader
    smplayer vlc clementine strawberry wireshark lxqt-config obconf-qt pavucontrol-qt screengrab qps kcolorchooser
    kfind kmines kpat ksudoku zeal goldendict stellarium treeline cutemaze tetzle simsu hexalate gottet
    connectagram kapow marble-qt poedit codeblocks wxmaxima hugin bleachbit"
more="gnucash evolution epiphany-browser gajim deluge-gtk virt-manager lollypop system-config-printer gnome-system-monitor
    gnome-logs soundconverter tellico kid3-qt puddletag lyx klavaro qtcreator cantata skrooge kmymoney dolphin retext
    calibre"

install() {
    apt-get -o DPkg::Lock::Timeout=900 install -y -qq --no-install-recommends "$@" >/dev/null
}

known=$(apt-cache pkgnames)
for group in "${@:-base looks gtk qt more}"; do
    for name in $group; do
        wanted=()
        for package in ${!name}; do
            if grep -qx "$package" <<<"$known"; then
                wanted+=("$package")
            else
                echo "not in this distribution: $package"
            fi
        done
        # A whole group fails when two of its packages conflict: small batches keep the rest, single ones tell which.
        for ((first = 0; first < ${#wanted[@]}; first += 12)); do
            batch=("${wanted[@]:first:12}")
            install "${batch[@]}" || for package in "${batch[@]}"; do install "$package" || echo "failed: $package"; done
        done
        apt-get clean
        echo "installed: $name"
    done
done
