#!/bin/sh
# In an image that is being made: a lock → an environment below /opt/sparkfleet, as hosts have it; no setuid files.
#   sh install.sh label|review|images|none [base]     base: what the base image brings is used, and not installed
set -eu
# Whoever takes over a program in the image must not become root by way of the base's su or mount.
find / -xdev -type f -perm /6000 -exec chmod a-s {} +
[ "$1" != none ] || exit 0
venv=/opt/sparkfleet/$1
[ "${2:-}" = base ] && shared=--system-site-packages || shared=
# shellcheck disable=SC2086 # a word or none
python3 -m venv $shared "$venv"
# NGC's images pin everything in a constraints file, which a lock with hashes replaces: nothing is resolved here.
unset PIP_CONSTRAINT
install() {
    "$venv/bin/python" -m pip install --require-hashes --no-deps --no-cache-dir --quiet --disable-pip-version-check \
        --no-input --progress-bar=off "$@"
}
# Five packages of Label Studio's are published as source alone: they are built by what requirements/build.txt locks.
if [ "$1" = review ]; then
    install --only-binary=:all: --requirement /context/locks/build.txt
    install --no-build-isolation --use-pep517 --requirement "/context/locks/$1.txt"
else
    install --only-binary=:all: --requirement "/context/locks/$1.txt"
fi
"$venv/bin/python" -m pip --quiet --disable-pip-version-check uninstall --yes pip setuptools
