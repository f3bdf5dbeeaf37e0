#!/bin/sh
# Shuts the node's user in where sshd lets it in; deploy/install.sh runs this. May be run again at any time, and is to be
# after QUEUE_DIR, STATE_DIR or PEER_RPC has changed. `--remove` takes everything back.
#
# The line by which the peer's key is let in stands in ~/.ssh/authorized_keys, a file of the node's user, and says what
# the key may do, but not where: a peer that was broken into could write over that very line, or move a key of this node to
# where links are served. So sshd is told the same in its own configuration, and shown a directory (JAIL) in which
# pending/ is all there is, under the path that it has outside.
set -eu

USER_NAME=parelha
CONFIG_FILE=/etc/parelha/node.conf
DEFAULT_STATE_DIR=/var/lib/parelha
# sshd wants each directory on the way to it to be root's.
JAIL=/var/lib/parelha.jail
UNIT_DIR=/etc/systemd/system
SSHD_CONFIG=/etc/ssh/sshd_config.d/parelha.conf
# As in the line of authorized_keys (node/pairing/authorized-keys.ts).
REQUESTS=open,close,write,fsync,posix-rename,remove
# What scp(1) asks for besides: a Python node (PEER_RPC=off) drops its files with that.
SCP_REQUESTS=realpath,stat,lstat,fstat,setstat,fsetstat

say() {
  printf '%s\n' "$*"
}

# A setting as the configuration has it, without blanks, comment and quotes; nothing where it has none.
setting() {
  [ -r "$CONFIG_FILE" ] || return 0
  sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$CONFIG_FILE" |
    sed -e 's/[[:space:]][[:space:]]*#.*$//' -e 's/[[:space:]]*$//' -e 's/^"\(.*\)"$/\1/' -e "s/^'\(.*\)'\$/\1/" | head -n 1
}

read_settings() {
  state_dir=$(setting STATE_DIR)
  queue_dir=$(setting QUEUE_DIR)
  pending=${queue_dir:-${state_dir:-$DEFAULT_STATE_DIR}/queue}/pending
  requests=$REQUESTS
  case $(setting PEER_RPC | tr '[:upper:]' '[:lower:]') in
    off | no | false | 0 | nao | não) requests=$REQUESTS,$SCP_REQUESTS ;;
  esac
  # It stands in sshd's configuration and in a unit, where other characters would mean something.
  case $pending in
    *[!A-Za-z0-9/._-]* | */../* | */./* | *//*) return 1 ;;
    /?*) return 0 ;;
    *) return 1 ;;
  esac
}

runs_systemd() {
  [ -d /run/systemd/system ]
}

# Mounts of earlier runs, for another QUEUE_DIR; with "all" also the one of this.
drop_mounts() {
  for old in "$UNIT_DIR"/var-lib-parelha.jail-*.mount; do
    [ -e "$old" ] || continue
    [ "$1" = all ] || [ "$old" != "$UNIT_DIR/$unit" ] || continue
    if runs_systemd; then systemctl disable --now "$(basename "$old")"; fi
    rm -f "$old"
  done
}

# Device and inode: the same for a directory and where it is mounted.
place_of() {
  stat -c %d:%i "$1"
}

# pending/ as the jail has it: a mount, kept by systemd from boot on.
install_mount() {
  # By the user itself: below its home root does not follow what that may have put there.
  # shellcheck disable=SC2016 # $1 is for the inner shell
  runuser -u "$USER_NAME" -- sh -c 'umask 077 && mkdir -p "$1"' sh "$pending" || return 1
  mkdir -p "$JAIL$pending"
  unit=$(systemd-escape --path --suffix=mount "$JAIL$pending")
  drop_mounts others
  cat >"$UNIT_DIR/.parelha-jail.new" <<UNIT
# Made by deploy/install-sshd.sh of Parelha: what its peer sees of this host over SFTP.
[Unit]
Description=pending/ of Parelha, where its peer puts files

[Mount]
What=$pending
Where=$JAIL$pending
Type=none
Options=bind,nosuid,nodev,noexec

[Install]
WantedBy=multi-user.target
UNIT
  chmod 0644 "$UNIT_DIR/.parelha-jail.new"
  mv "$UNIT_DIR/.parelha-jail.new" "$UNIT_DIR/$unit"
  if runs_systemd; then systemctl daemon-reload; fi
  systemctl enable "$unit" || return 1
  # Mounted anew where it shows another directory than is there now, as after a backup was put back.
  if runs_systemd && [ "$(place_of "$JAIL$pending")" != "$(place_of "$pending")" ]; then
    systemctl restart "$unit" || return 1
  fi
}

print_sshd_config() {
  cat <<CONFIG
# Made by deploy/install-sshd.sh of Parelha, which writes it anew. The account that its peer's key lets in: it puts files
# into pending/, and does nothing else, whatever ~/.ssh/authorized_keys says.
Match User $USER_NAME
    AuthenticationMethods publickey
    ChrootDirectory $JAIL
    ForceCommand internal-sftp -p $requests -d $pending
    DisableForwarding yes
    PermitTTY no
    PermitUserRC no
Match all
CONFIG
}

# sshd's separate directory is made when its service starts, which need not have happened.
sshd_accepts() {
  install -d -m 0755 /run/sshd
  sshd -t
}

# Put in place only where sshd takes it; what was there before comes back otherwise.
install_rules() {
  if ! sshd_accepts; then
    say "WARNING: sshd does not accept its own configuration (see above), which stays as it is: mend it and run $0 again."
    return 0
  fi
  install -d -m 0755 "$(dirname "$SSHD_CONFIG")"
  new=$(dirname "$SSHD_CONFIG")/.parelha.new
  old=$(dirname "$SSHD_CONFIG")/.parelha.old
  print_sshd_config >"$new"
  chmod 0644 "$new"
  rm -f "$old"
  [ ! -e "$SSHD_CONFIG" ] || mv "$SSHD_CONFIG" "$old"
  mv "$new" "$SSHD_CONFIG"
  if ! sshd_accepts; then
    rm -f "$SSHD_CONFIG"
    [ ! -e "$old" ] || mv "$old" "$SSHD_CONFIG"
    say "WARNING: sshd does not accept the rules for $USER_NAME (see above); they were taken back."
    return 0
  fi
  rm -f "$old"
  if ! sshd -T -C "user=$USER_NAME,host=peer,addr=127.0.0.1" | grep -qixF "chrootdirectory $JAIL"; then
    say "WARNING: sshd does not go by $SSHD_CONFIG: is there an Include of sshd_config.d in /etc/ssh/sshd_config, or an earlier"
    say "  Match for $USER_NAME? Until it does, the peer's key reaches every file that $USER_NAME may write."
  fi
  reload_sshd
}

reload_sshd() {
  runs_systemd || return 0
  for service in ssh sshd; do
    if systemctl is-active --quiet "$service"; then
      systemctl reload "$service"
      return 0
    fi
  done
}

remove() {
  rm -f "$SSHD_CONFIG"
  drop_mounts all
  runs_systemd && systemctl daemon-reload
  # Empty directories alone: were it mounted still, this would meet the queue.
  [ ! -d "$JAIL" ] || find "$JAIL" -xdev -depth -type d -empty -delete
  command -v sshd >/dev/null && reload_sshd
  return 0
}

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 022
case ${1:-} in
  '') ;;
  --remove)
    unit=
    remove
    exit 0
    ;;
  *)
    echo "Usage: $0 [--remove]" >&2
    exit 2
    ;;
esac
if ! command -v sshd >/dev/null; then exit 0; fi
not_shut_in() {
  say "WARNING: $*. $USER_NAME is not shut in: its peer's key reaches every file that $USER_NAME may write."
  exit 0
}
read_settings || not_shut_in "$pending has characters that sshd or systemd would misread"
install_mount || not_shut_in "$pending could not be mounted in $JAIL (see above)"
install_rules
