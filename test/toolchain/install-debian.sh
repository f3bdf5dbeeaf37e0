#!/bin/sh
# Installs Debian packages for the tests and leaves the machine's services as they were: nothing is started, nothing
# already installed is removed (a mail server of the host's own would be), nothing new starts at the next boot.
# Usage, as root: install-debian.sh PACKAGE...
set -eu
policy=${POLICY_RC_D:-/usr/sbin/policy-rc.d}
kept=$policy.kept-by-parelha
export DEBIAN_FRONTEND=noninteractive

enabled_units() {
  [ -d /run/systemd/system ] || return 0
  systemctl list-unit-files --state=enabled,generated --no-legend --plain | cut -d ' ' -f 1 | sort
}

# A run that was killed has left its file in the place of the one it kept: that one is kept still.
restore() {
  rm -f "$policy"
  if [ -e "$kept" ]; then mv "$kept" "$policy"; fi
}
trap restore EXIT
trap 'exit 130' HUP INT TERM

if [ -e "$policy" ] && [ ! -e "$kept" ]; then mv "$policy" "$kept"; fi
# invoke-rc.d asks this file before it starts a service; 101 forbids it (/usr/share/doc/init-system-helpers).
printf '#!/bin/sh\nexit 101\n' > "$policy"
chmod 755 "$policy"

before=$(enabled_units)
apt-get -q -o DPkg::Lock::Timeout=120 update
apt-get -q -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends --no-remove "$@"
for unit in $(enabled_units); do
  printf '%s\n' "$before" | grep -qxF "$unit" || systemctl disable "$unit" || true
done
