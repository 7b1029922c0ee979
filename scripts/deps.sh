#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs the Debian packages that hvsim is built, tested and used with, when something is missing.
#
#   scripts/deps.sh           installs what is missing; does nothing, fast, when all is there
#   scripts/deps.sh --use     the same without what only tests want
#   scripts/deps.sh --check   one sentence about what the build lacks, and exit code 1; installs nothing
set -euo pipefail

# Package, what wants it, and the command or header that shows that it is there. A probe, rather than a question to
# dpkg, also accepts a library that was built by hand, and works where there is no dpkg.
table='
gcc             build  gcc
g++             build  g++
libc6-dev       build  <stdio.h>
libsystemc-dev  build  <systemc>
libyaml-dev     build  <yaml.h>
libjansson-dev  build  <jansson.h>
libzstd-dev     build  <zstd.h>
liblzma-dev     build  <lzma.h>
zlib1g-dev      build  <zlib.h>
libcmocka-dev   test   <cmocka.h>
munge           test   munged
slurmctld       test   slurmctld
slurmd          test   slurmd
slurm-client    test   sbatch
procps          test   pgrep
ca-certificates run    update-ca-certificates
pkg-config      run    pkg-config
gnuplot-nox     run    gnuplot
valgrind        run    valgrind
sqlite3         run    sqlite3
zstd            run    zstd
xz-utils        run    xz
jq              run    jq
'

# One preprocessor run answers for all headers: it prints "package" for each one that it does not find.
missing_headers() {
    if ! command -v gcc >/dev/null; then
        awk '$3 ~ /^</ { print $1 }'
        return
    fi
    awk '$3 ~ /^</ { printf "#if !__has_include(%s)\n@%s\n#endif\n", $3, $1 }' | gcc -E -P -x c - | tr -d '@ '
}

missing_commands() {
    while read -r package _ probe; do
        if [[ -n $package && $probe != "<"* ]] && ! command -v "$probe" >/dev/null; then
            echo "$package"
        fi
    done
}

# The missing packages of the given rows, on one line.
missing() {
    { missing_commands <<<"$1"; missing_headers <<<"$1"; } | sort | paste -sd' ' -
}

# update-ca-certificates and its like live where an ordinary user's PATH does not look.
PATH="$PATH:/usr/sbin:/sbin"

if [[ ${1-} == --check ]]; then
    lacking=$(missing "$(awk '$2 == "build"' <<<"$table")")
    if [[ -n $lacking ]]; then
        echo "hvsim needs ${lacking// /, }: run \`make deps\`." >&2
        exit 1
    fi
    exit 0
fi

if [[ ${1-} == --use ]]; then
    table=$(awk '$2 != "test"' <<<"$table")
fi
lacking=$(missing "$table")
if [[ -z $lacking ]]; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "hvsim needs ${lacking// /, } (Debian's names) and this machine has no apt-get: install them by hand." >&2
    exit 1
fi
as_root=()
if [[ $(id -u) -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
        echo "hvsim needs ${lacking// /, }: run \`make deps\` as root, since this machine has no sudo." >&2
        exit 1
    fi
    as_root=(sudo)
fi

echo "Installing ${lacking// /, }." >&2
# stdout is the result of whichever command came here, so apt-get talks on stderr.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
# shellcheck disable=SC2086  # the list is words on purpose
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $lacking >&2

lacking=$(missing "$table")
if [[ -n $lacking ]]; then
    echo "apt-get tried to install ${lacking// /, } without success: see its output above." >&2
    exit 1
fi
