#!/bin/sh
# The Debian packages that tests need: installed if we are root, else named in one line with exit code 2.
set -u

packages=""
command -v chromium >/dev/null 2>&1 || packages="$packages chromium"
command -v kcat >/dev/null 2>&1 || packages="$packages kcat"
command -v promtool >/dev/null 2>&1 || packages="$packages prometheus"
command -v amtool >/dev/null 2>&1 || packages="$packages prometheus-alertmanager"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || packages="$packages postgresql"
PATH="$PATH:/usr/sbin"
command -v mosquitto >/dev/null 2>&1 || packages="$packages mosquitto"
command -v vsftpd >/dev/null 2>&1 || packages="$packages vsftpd"
[ -n "$packages" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "Thiếu gói cho kiểm thử / tests need:  sudo apt-get update && sudo apt-get install -y --no-install-recommends$packages" >&2
    exit 2
fi
echo "→ apt-get install$packages"
apt-get update -qq || exit 2
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null || exit 2
