#!/usr/bin/env bash
# Runs promtool, which judges alert rules as Prometheus would: the one that PROMTOOL names, the one of this machine, or
# the one of Debian's package, which it fetches the first time and keeps in .tools/ without installing anything.
#
#     scripts/promtool.sh check rules helm/fairlead/alerts/*.yaml

set -euo pipefail

tools="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.tools"
kept="$tools/promtool"

if [ -n "${PROMTOOL:-}" ]; then
  exec "$PROMTOOL" "$@"
elif [ -x "$kept" ]; then
  exec "$kept" "$@"
elif command -v promtool >/dev/null; then
  exec promtool "$@"
fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo 'there is no promtool: install Prometheus, or set PROMTOOL to its path' >&2
  exit 1
fi
mkdir -p "$tools"
work="$(mktemp -d "$tools/fetch-XXXXXX")"
trap 'rm -rf "$work"' EXIT
fetch() { (cd "$work" && apt-get download -qq prometheus >/dev/null 2>&1); }
if ! fetch; then
  become=""
  [ "$(id -u)" -eq 0 ] || become="sudo -n"
  $become apt-get update -qq >&2
  fetch || { echo 'the package prometheus cannot be fetched: set PROMTOOL to the path of a promtool' >&2; exit 1; }
fi
dpkg-deb --fsys-tarfile "$work"/prometheus_*.deb | tar -x -C "$work" ./usr/bin/promtool
mv "$work/usr/bin/promtool" "$kept"
rm -rf "$work"
trap - EXIT
exec "$kept" "$@"
