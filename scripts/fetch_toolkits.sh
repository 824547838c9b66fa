#!/bin/bash
# Installs the toolkits, themes, icon sets and fonts that foveate.grounding.synthetic.toolkit draws windows with (Debian 12).
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
wait_for_lock=(-o DPkg::Lock::Timeout=900)

toolkits=(xvfb openbox python3-gi gir1.2-gtk-3.0 python3-gi-cairo python3-pyqt5 python3-pyqt5.qtsvg python3-tk)
gtk_themes=(gnome-themes-extra arc-theme numix-gtk-theme greybird-gtk-theme materia-gtk-theme breeze-gtk-theme
  blackbird-gtk-theme bluebird-gtk-theme mate-themes yaru-theme-gtk orchis-gtk-theme darkmint-gtk-theme)
qt_styles=(kde-style-breeze kde-style-oxygen-qt5 qt5-style-plugins qt5-style-kvantum adwaita-qt)
icons=(adwaita-icon-theme papirus-icon-theme numix-icon-theme tango-icon-theme elementary-xfce-icon-theme oxygen-icon-theme
  breeze-icon-theme gnome-icon-theme mate-icon-theme faenza-icon-theme lxde-icon-theme yaru-theme-icon)
fonts=(fonts-dejavu-core fonts-liberation2 fonts-noto-core fonts-cantarell fonts-open-sans fonts-roboto-unhinted
  fonts-lato fonts-droid-fallback fonts-firacode fonts-hack fonts-inter fonts-oxygen fonts-freefont-ttf)

apt-get "${wait_for_lock[@]}" update -q
apt-get "${wait_for_lock[@]}" install -y --no-install-recommends "${toolkits[@]}"
found=()
for package in "${gtk_themes[@]}" "${qt_styles[@]}" "${icons[@]}" "${fonts[@]}"; do
  apt-cache policy "$package" | grep -q 'Candidate: [0-9]' && found+=("$package") || echo "not in this release: $package" >&2
done
apt-get "${wait_for_lock[@]}" install -y --no-install-recommends "${found[@]}"
