#!/usr/bin/env bash
# Resolve pyproject.toml into requirements/*.txt: exact versions, with the hashes of every file the index offers,
# and no index's address. `--universal` makes one lock for every supported Python, by environment markers.
# Versions already locked are kept while they fit; `scripts/lock.sh --upgrade` takes the newest that pyproject.toml allows.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=.venv-lock/bin/uv
if [ ! -x "$uv" ]; then
    "${PYTHON:-python3}" -m venv .venv-lock
    .venv-lock/bin/pip install --quiet uv
fi

compile() { # OUTPUT OPTIONS...: local settings of pip and uv must not leak into the lock, so none are read
    local output=$1
    shift
    env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL -u PIP_INDEX_URL -u UV_FIND_LINKS -u UV_EXTRA_INDEX_URL \
        "$uv" --no-config pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" \
        --output-file "requirements/$output" "$@" pyproject.toml
    echo "requirements/$output: $(grep -c '==' "requirements/$output") packages"
}

# The widest set first; the narrower ones take their versions from it.
compile dev.txt --extra libvirt --group dev "$@"
compile libvirt.txt --extra libvirt --constraints requirements/dev.txt
compile base.txt --constraints requirements/dev.txt
