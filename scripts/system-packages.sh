#!/usr/bin/env bash
# Install the Debian packages that Kilonova, its tests and its guest image need: only those that are missing.
# Root installs; anybody else is told the exact command. `--check` only reports, and fails when something is missing.
#
# No service has to be running afterwards: the tests and `kilonova` start the daemons that they need themselves. So, where
# systemd does not run the machine (a container, CI), none is started here; where it does, Debian's own defaults hold.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
    qemu-system-x86 qemu-utils      # the hypervisor and its disk tools
    libvirt-daemon-system           # libvirtd
    libvirt-clients                 # virsh, for operators and for a look in a failing test
    libvirt-dev pkg-config gcc      # libvirt-python is built against the host's libvirt
    dnsmasq-base nftables iproute2  # the host network
    openssh-client                  # key pairs, and the way into a guest
    postgresql                      # component tests run on SQLite and on PostgreSQL
    rabbitmq-server                 # the bus of a fleet; component tests run on it too
    systemd systemd-container dbus  # the shipped units are tried under a real systemd, in a container
)
mapfile -t guest_packages < <(grep -v '^#' guest/packages.txt)
packages+=("${guest_packages[@]}")

python_works() { # a venv can be made, and C code built, with the interpreter that the Makefile chose
    "${PYTHON:-python3}" -c '
import ensurepip, pathlib, sysconfig, venv
assert pathlib.Path(sysconfig.get_path("include"), "Python.h").exists()' 2>/dev/null
}
python_works || packages+=(python3 python3-venv python3-dev)

if ! command -v apt-get >/dev/null; then
    echo "This is not a Debian system. Install what matches these Debian packages, then run 'make setup' again:" >&2
    echo "  ${packages[*]}" >&2
    exit 1
fi

missing=()
for package in $(printf '%s\n' "${packages[@]}" | sort --unique); do
    status=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done

if [ ${#missing[@]} -eq 0 ]; then
    echo "System packages: all there."
    exit 0
fi
if [ "${1:-}" = --check ] || [ "$(id -u)" -ne 0 ]; then
    echo "System packages are missing. Run this, then 'make setup' again:" >&2
    echo "  sudo apt-get update && sudo apt-get install --no-install-recommends --yes ${missing[*]}" >&2
    exit 1
fi

policy=/usr/sbin/policy-rc.d
if [ ! -d /run/systemd/system ] && [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi

echo "System packages: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
wait_for_lock=(-o DPkg::Lock::Timeout=600)
apt-get "${wait_for_lock[@]}" --quiet --quiet update
apt-get "${wait_for_lock[@]}" --quiet --quiet install --no-install-recommends --yes "${missing[@]}" >/dev/null
echo "System packages: done. No service was started by this script."
