#!/bin/sh
# Install the icon themes and fonts that foveate.grounding.synthetic.icons packs into an atlas (Debian, as root).
#
# The icon sets of the web come from scripts/fetch_web_material.sh. Packages that a release lacks are left out.
set -eu
export DEBIAN_FRONTEND=noninteractive
themes="papirus-icon-theme numix-icon-theme numix-icon-theme-circle tango-icon-theme elementary-icon-theme
    elementary-xfce-icon-theme oxygen-icon-theme adwaita-icon-theme breeze-icon-theme gnome-icon-theme mate-icon-theme
    mate-icon-theme-faenza faenza-icon-theme humanity-icon-theme suru-icon-theme deepin-icon-theme yaru-theme-icon
    lxde-icon-theme obsidian-icon-theme"
fonts="fonts-dejavu-core fonts-liberation fonts-roboto-unhinted fonts-open-sans fonts-lato fonts-noto-core fonts-noto-mono
    fonts-inter fonts-ubuntu fonts-cantarell fonts-droid-fallback fonts-crosextra-carlito fonts-croscore fonts-firacode
    fonts-hack fonts-freefont-ttf fonts-oxygen fonts-quicksand fonts-comfortaa ttf-bitstream-vera"
found=""
for package in $themes $fonts; do
    if apt-cache policy "$package" | grep -q 'Candidate: [0-9]'; then
        found="$found $package"
    else
        echo "not in this release: $package" >&2
    fi
done
# The list is a list of words on purpose.
# shellcheck disable=SC2086
apt-get -o DPkg::Lock::Timeout=1800 install -y --no-install-recommends $found
python3 -m pip install resvg-py fonttools
