#!/bin/bash
# run.sh ROOT.tar unpacks a bare Debian 12, clones the last commit into it, and has a
# user without rights do there what the README says. Go is this machine's, and so are
# the network and its certificates. As root, on Debian 12 or later.
set -eu
[ "$(id -u)" = 0 ] || { echo "run.sh: only root can start a container" >&2; exit 1; }
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
tar xf "$1" -C "$root" --numeric-owner
echo '127.0.0.1 localhost' >"$root/etc/hosts" # an installer writes it
chroot "$root" useradd --create-home newcomer
git clone -q --no-hardlinks "$(dirname "$0")/../.." "$root/home/newcomer/gpumeter"
chroot "$root" chown -R newcomer: /home/newcomer
systemd-nspawn -q -D "$root" --keep-unit --register=no --console=pipe --resolv-conf=bind-host --user=newcomer \
	--bind-ro="$(go env GOROOT):/usr/local/go" --bind-ro=/etc/ssl/certs \
	--setenv=PATH=/usr/local/go/bin:/usr/bin:/bin --setenv=GOPROXY="$(go env GOPROXY)" \
	/bin/bash /home/newcomer/gpumeter/e2e/debian12/newcomer.sh
