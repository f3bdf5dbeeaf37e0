#!/bin/sh
# Installs a Parelha node on this host, or upgrades it: deploy/README_DEPLOY.md tells the whole way.
# May be run again at any time; it never touches /etc/parelha/node.conf once that is there.
set -eu

USER_NAME=parelha
STATE_DIR=/var/lib/parelha
CONFIG_DIR=/etc/parelha
CONFIG_FILE=$CONFIG_DIR/node.conf
UNIT_DIR=/etc/systemd/system
LINK=/usr/local/bin/node-ctl
# What a host needs of a checkout, and no more: a configuration or a key that lies there is not to be copied.
PARTS="package.json package-lock.json .npmrc LICENSE README.md node protocol config/*.example certs/README.md deploy docs"

usage() {
  cat <<USAGE
Usage: deploy/install.sh audio|audio2 [--prefix DIR] [--restart] [--dry-run]

Installs the node from this checkout, or upgrades it. Run as root.

  audio, audio2   which example becomes $CONFIG_FILE, where there is none yet
                  (config/audio.conf.example, config/audio2.conf.example)
  --prefix DIR    where the code goes (default: /opt/parelha)
  --restart       restart the daemon at the end, where it runs; nothing is changed where it
                  would not start with the $CONFIG_FILE that is there
  --dry-run       say what would be done, and do nothing

Exit codes: 0 installed, 1 a step failed (what ran before runs on), 2 wrong usage, 3 the host lacks something
USAGE
}

die() {
  code=$1
  shift
  echo "install.sh: $*" >&2
  exit "$code"
}

say() {
  printf '%s\n' "$*"
}

# Does something, or says that it would.
run() {
  if [ "$dry_run" = yes ]; then
    say "  would run: $*"
  else
    "$@"
  fi
}

read_arguments() {
  role=
  prefix=/opt/parelha
  restart=no
  dry_run=no
  while [ $# -gt 0 ]; do
    case $1 in
      audio | audio2)
        [ -z "$role" ] || die 2 "one of audio and audio2, not both"
        role=$1
        ;;
      --prefix)
        [ $# -ge 2 ] || die 2 "--prefix needs a directory"
        prefix=$2
        shift
        ;;
      --prefix=*) prefix=${1#--prefix=} ;;
      --restart) restart=yes ;;
      --dry-run) dry_run=yes ;;
      -h | --help)
        usage
        exit 0
        ;;
      *)
        usage >&2
        die 2 "unknown argument: $1"
        ;;
    esac
    shift
  done
  if [ -z "$role" ]; then
    usage >&2
    die 2 "say which node this is: audio or audio2"
  fi
  prefix=${prefix%/}
  # The prefix stands in the unit, where other characters would mean something.
  case $prefix in
    */../* | */..) die 2 "--prefix must not hold .." ;;
    *[!A-Za-z0-9/._-]*) die 2 "--prefix may have letters, digits, / . _ and - only" ;;
    /?*) ;;
    *) die 2 "--prefix must be an absolute path, and not /" ;;
  esac
}

# Whether a directory is one that this script may replace: ours, empty or not there.
is_ours() {
  [ ! -e "$1" ] && return 0
  [ -d "$1" ] || return 1
  [ -z "$(ls -A "$1")" ] && return 0
  grep -q '"name": "parelha"' "$1/package.json" 2>/dev/null
}

# Says everything that is missing at once.
check_host() {
  lacking=
  lacks() {
    lacking=yes
    echo "install.sh: $*" >&2
  }
  [ "$dry_run" = yes ] || [ "$(id -u)" = 0 ] || lacks "this must be run as root"
  [ -f "$checkout/package-lock.json" ] || lacks "$checkout is not a checkout of Parelha"
  [ "$checkout" != "$prefix" ] || lacks "the checkout must lie elsewhere than $prefix, which is replaced; /usr/src/parelha is a good place"
  is_ours "$prefix" || lacks "$prefix holds something else; name another directory with --prefix"
  case $(uname -s)/$(uname -m) in
    Linux/x86_64 | Linux/aarch64) ;;
    *) lacks "the runtime comes for Linux on x86_64 and aarch64; this is $(uname -s) on $(uname -m)" ;;
  esac
  [ -f /etc/debian_version ] || say "This is not a Debian system. That may do; what follows names Debian packages."
  command -v systemctl >/dev/null || lacks "systemd is missing: there is no systemctl"
  command -v useradd >/dev/null || lacks "useradd is missing: apt-get install passwd"
  command -v npm >/dev/null || lacks "npm is missing: apt-get install --no-install-recommends npm (any npm from 7 on; Node 26 itself comes with the packages)"
  # ldconfig is not on every PATH; the runtime that was installed is asked again below.
  if command -v ldconfig >/dev/null && ! ldconfig -p | grep -q 'libatomic\.so\.1'; then
    lacks "libatomic.so.1, which the runtime needs, is missing: apt-get install libatomic1"
  fi
  [ -z "$lacking" ] || exit 3
  command -v sshd >/dev/null || say "No sshd here: the peer could then not drop requests by SCP when RPC does not work (apt-get install openssh-server)."
}

# No password and no shell. The password field is * and not !, by which sshd knows a locked account and, without PAM,
# keeps its keys out; the forced internal-sftp of the peer's key needs no shell.
make_user() {
  getent group "$USER_NAME" >/dev/null || run groupadd --system "$USER_NAME"
  if getent passwd "$USER_NAME" >/dev/null; then
    home=$(getent passwd "$USER_NAME" | cut -d: -f6)
    [ "$home" = "$STATE_DIR" ] || say "The home of the user $USER_NAME is $home, not $STATE_DIR: see to it that the peer's key gets into $home/.ssh/authorized_keys."
  else
    run useradd --system --gid "$USER_NAME" --home-dir "$STATE_DIR" --no-create-home --shell /usr/sbin/nologin \
      --password '*' --comment 'Parelha node' "$USER_NAME"
  fi
  run install -d -m 0700 -o "$USER_NAME" -g "$USER_NAME" "$STATE_DIR"
}

copy_parts() (
  cd "$checkout" || exit 1
  for part in $PARTS; do
    install -d -m 0755 "$new/$(dirname "$part")" || exit 1
    cp -RP "$part" "$new/$(dirname "$part")/" || exit 1
  done
)

# The new code is made ready beside the old, and takes its place when it runs; the old stays as PREFIX.old.
install_code() {
  new=$prefix.new
  old=$prefix.old
  if [ "$dry_run" = yes ]; then
    say "  would copy: $checkout to $new, and run there: npm ci --omit=dev"
    say "  would move: $prefix, where there is one, to $old, and $new to $prefix"
    return
  fi
  is_ours "$new" || die 1 "$new holds something else"
  is_ours "$old" || die 1 "$old holds something else"
  rm -rf "$new"
  install -d -m 0755 "$new"
  copy_parts || die 1 "the checkout could not be copied; nothing was changed"
  say "npm ci --omit=dev (fetches the packages and Node 26; about a minute)"
  (cd "$new" && npm ci --omit=dev --prefer-offline) || die 1 "npm ci failed; nothing was changed"
  # npm 9 (Debian 12) takes this link away again with the runtime of the other architecture, which has the same name.
  for runtime in "$new"/node_modules/node-linux-*/bin/node; do
    [ -e "$new/node_modules/.bin/node" ] || ln -s "../${runtime#"$new"/node_modules/}" "$new/node_modules/.bin/node"
  done
  chmod -R u=rwX,go=rX "$new"
  (cd / && "$new/node_modules/.bin/node" "$new/node/main.ts" --help >/dev/null) ||
    die 1 "the new runtime does not run on this host (see above); nothing was changed"
  check_config
  rm -rf "$old"
  [ ! -e "$prefix" ] || mv "$prefix" "$old"
  install -d -m 0755 "$(dirname "$prefix")"
  mv "$new" "$prefix"
}

# A new version may need a key that the old one did not know, and a daemon with a wrong configuration ends for good. So
# the new code reads the file of before, as the service will, before it takes the place of code that runs.
check_config() {
  [ -e "$CONFIG_FILE" ] || return 0
  if (cd / && env -i PATH="$PATH" runuser -u "$USER_NAME" -- \
    "$new/node_modules/.bin/node" "$new/node/main.ts" --config "$CONFIG_FILE" --check); then
    return 0
  fi
  [ "$restart" = no ] ||
    die 1 "the new version would not start with this $CONFIG_FILE (see above; $checkout/config/node.conf.example has every key); nothing was changed: mend the file, then run this again"
  bad_config=yes
}

install_config() {
  [ -d "$CONFIG_DIR" ] || run install -d -m 0750 -o root -g "$USER_NAME" "$CONFIG_DIR"
  if [ -e "$CONFIG_FILE" ]; then
    say "$CONFIG_FILE stays as it is"
  else
    fresh_config=yes
    run install -m 0640 -o root -g "$USER_NAME" "$checkout/config/$role.conf.example" "$CONFIG_FILE"
  fi
}

# RECORDINGS_DIR as the configuration has it; nothing where it has none.
recordings_dir() {
  file=$CONFIG_FILE
  [ -r "$file" ] || file=$checkout/config/$role.conf.example
  sed -n 's/^[[:space:]]*RECORDINGS_DIR[[:space:]]*=[[:space:]]*//p' "$file" |
    sed -e 's/[[:space:]][[:space:]]*#.*$//' -e 's/[[:space:]]*$//' -e 's/^"\(.*\)"$/\1/' -e "s/^'\(.*\)'\$/\1/" | head -n 1
}

# Recordings belong to the PBX; where its group may read them, the service joins that group.
grant_recordings() {
  directory=$(recordings_dir)
  [ -n "$directory" ] || return 0
  if [ ! -d "$directory" ]; then
    say "RECORDINGS_DIR, $directory, is not there (yet)."
    return 0
  fi
  # Before the user exists (--dry-run) nobody can be asked.
  getent passwd "$USER_NAME" >/dev/null || return 0
  if reads_as "$directory" "$USER_NAME"; then return 0; fi
  group=$(stat -c %G "$directory")
  if [ "$group" != root ] && reads_as "$directory" "$group"; then
    drop_in=$UNIT_DIR/parelha.service.d/recordings.conf
    say "The service joins the group $group, to read $directory ($drop_in)"
    run install -d -m 0755 "$UNIT_DIR/parelha.service.d"
    [ "$dry_run" = yes ] || printf '[Service]\nSupplementaryGroups=%s\n' "$group" >"$drop_in"
  else
    say "WARNING: $USER_NAME cannot read $directory, nor could its group $group. Searches will find nothing before it can,"
    say "  for example by: setfacl -R -m u:$USER_NAME:rX -m d:u:$USER_NAME:rX $directory"
  fi
}

# Whether the node's user, with a group besides its own, can list a directory.
reads_as() {
  [ "$(id -u)" = 0 ] || return 0
  runuser -u "$USER_NAME" -G "$2" -- test -r "$1" -a -x "$1"
}

# What sshd itself holds the peer's key to. Nothing else depends on it, and it says what it could not do.
shut_in() {
  run sh "$checkout/deploy/install-sshd.sh" || say "WARNING: deploy/install-sshd.sh failed (see above): run it again when that is mended."
}

install_unit() {
  # In one directory with its target: the unit is the old one or the new one, never a part.
  if [ "$dry_run" = yes ]; then
    say "  would write: $UNIT_DIR/parelha.service"
  else
    sed "s|/opt/parelha|$prefix|g" "$checkout/deploy/parelha.service" >"$UNIT_DIR/.parelha.service.new"
    chmod 0644 "$UNIT_DIR/.parelha.service.new"
    mv "$UNIT_DIR/.parelha.service.new" "$UNIT_DIR/parelha.service"
  fi
  if [ -e "$LINK" ] && [ ! -L "$LINK" ]; then
    say "$LINK is a file of somebody else's and stays; node-ctl is $prefix/deploy/node-ctl"
  else
    run ln -sfn "$prefix/deploy/node-ctl" "$LINK"
  fi
  if [ -d /run/systemd/system ]; then
    run systemctl daemon-reload
    [ "$restart" = no ] || run systemctl try-restart parelha
  else
    say "systemd does not run here (a chroot, an image that is being built): it reads the unit when it starts."
  fi
}

next_steps() {
  say ""
  if [ "$dry_run" = yes ]; then
    say "Nothing was done (--dry-run)."
  elif [ "$fresh_config" = yes ]; then
    say "Installed in $prefix. What is left:"
    say "  1. fill in $CONFIG_FILE"
    say "  2. systemctl enable --now parelha && node-ctl status"
    say "  3. once, when both nodes run:  node-ctl pair invite  on one host,  node-ctl pair accept LINE  on the other"
    say "$prefix/deploy/README_DEPLOY.md tells it in full."
  elif [ "$restart" = yes ]; then
    say "Installed in $prefix, and restarted if it was running: node-ctl status"
  else
    say "Installed in $prefix. The running daemon is the old one until: systemctl restart parelha"
    [ "$bad_config" = no ] ||
      say "WARNING: it would not start again with this $CONFIG_FILE (see above): mend that first. $prefix/config/node.conf.example has every key."
  fi
}

read_arguments "$@"
umask 022
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
fresh_config=no
bad_config=no

check_host
make_user
install_code
install_config
grant_recordings
shut_in
install_unit
next_steps
