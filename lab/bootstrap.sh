#!/bin/sh
# A Debian machine with make and python3 → what the lab and the checks need: packages, uv, .venv as the locks say.
# Run by make. Does only what is missing; says what it does on stderr, because `eval "$(make -s env)"` reads stdout.
#
#   lab/bootstrap.sh            packages of the lab and .venv
#   lab/bootstrap.sh monitoring promtool, amtool and their like too: `make test` checks rules and routes with them
set -eu
cd "$(dirname "$0")/.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/sparkfleet"

partial=""
trap '[ -z "$partial" ] || rm -rf "$partial"' EXIT

say() { echo "  · $*" >&2; }
stop() { printf 'bootstrap: %s\n  Next: %s\n' "$1" "$2" >&2; exit 1; }
digest() { sha256sum "$@" | sha256sum | cut -c1-12; }

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    stop "python3 is missing or older than 3.11" "use Debian 12 or newer, or put a newer python3 first on PATH"

missing=""
need() { eval "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need "python3 -c 'import ensurepip'" python3-venv
need "command -v debootstrap" debootstrap
need "command -v systemd-nspawn" systemd-container
need "command -v nft" nftables
need "command -v ip" iproute2
need "command -v ssh-keygen" openssh-client
need "command -v gcc" gcc
need "test -e /usr/include/stdio.h" libc6-dev
need "test -s /etc/ssl/certs/ca-certificates.crt" ca-certificates
if [ "${1:-}" = monitoring ]; then # the tests run the script that checks the key of Grafana's repository
    need "command -v gpg" gnupg
    need "command -v curl" curl
fi
if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] || stop "these packages are missing:$missing" "run it as root, or install them"
    say "apt-get install$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >&2
    # shellcheck disable=SC2086 # a list of words
    apt-get -qq --yes --no-install-recommends install $missing >/dev/null
fi

# uv, checked by hash, by way of the pip that python3 brings. lab/toolchain/go.py looks for it under the same name.
boot="$cache/boot-$(sha256sum requirements/boot.txt | cut -c1-12)"
if [ ! -x "$boot/bin/uv" ]; then
    say "uv"
    mkdir -p "$cache/building"
    partial=$(mktemp -d "$cache/building/boot.XXXXXX")
    python3 -m venv "$partial"
    "$partial/bin/pip" --quiet --disable-pip-version-check install --require-hashes -r requirements/boot.txt >&2
    mv -T "$partial" "$boot" 2>/dev/null || rm -rf "$partial" # another run was faster
fi

# The project's environment: exactly what the lock says, done again only when the lock changed.
wanted=$(digest requirements/dev.txt requirements/build.txt pyproject.toml)
if [ "$(cat .venv/.made-from 2>/dev/null)" != "$wanted" ]; then
    say ".venv from requirements/dev.txt"
    export UV_CACHE_DIR="$cache/uv" UV_PYTHON_DOWNLOADS=never
    [ -x .venv/bin/python ] ||
        "$boot/bin/uv" --quiet venv --python "$(python3 -c 'import sys; print(sys.executable)')" .venv >&2
    VIRTUAL_ENV="$PWD/.venv"
    export VIRTUAL_ENV
    "$boot/bin/uv" --quiet pip sync --require-hashes requirements/dev.txt >&2
    "$boot/bin/uv" --quiet pip install --no-deps --build-constraint requirements/build.txt --editable . >&2
    echo "$wanted" >.venv/.made-from
fi

# Unpacked, not installed: the packages would start a Prometheus on this machine.
if [ "${1:-}" = monitoring ] && [ ! -x "$cache/monitoring/usr/bin/amtool" ]; then
    say "promtool, amtool, blackbox exporter"
    mkdir -p "$cache/building"
    partial=$(mktemp -d "$cache/building/monitoring.XXXXXX")
    chmod 755 "$partial"
    wanted="prometheus prometheus-alertmanager prometheus-blackbox-exporter"
    # shellcheck disable=SC2086 # a list of words
    fetch() { apt-get -qq -o APT::Sandbox::User=root download $wanted; }
    (cd "$partial" && { fetch || { apt-get -qq update && fetch; }; }) >&2
    for package in "$partial"/*.deb; do
        dpkg -x "$package" "$partial"
        rm "$package"
    done
    mv -T "$partial" "$cache/monitoring" 2>/dev/null || rm -rf "$partial"
fi
