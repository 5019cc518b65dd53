#!/bin/sh
# Deploy a folder into dated releases on a server, or go back to the release before.
#
#   deploy.sh deploy FOLDER HOST BASE [CHECK]   CHECK runs in the new release before the switch
#   deploy.sh rollback HOST BASE
#   deploy.sh releases HOST BASE
#
# KEEP (default 5) releases stay; RSYNC_RSH replaces `ssh`. HOST `-` means this machine.
set -eu
KEEP=${KEEP:-5}
RSH=${RSYNC_RSH:-ssh}

die() { printf 'deploy.sh: %s\n' "$1" >&2; exit "${2:-1}"; }

# Runs the script on standard input at the target with the given arguments.
there() {
  host=$1; shift
  quoted=
  for word in "$@"; do
    quoted="$quoted '$(printf %s "$word" | sed "s/'/'\\\\''/g")'"
  done
  if [ "$host" = - ]; then eval "sh -s --$quoted"; else
    # RSYNC_RSH may hold options, so it is split on purpose.
    # shellcheck disable=SC2086
    $RSH "$host" "sh -s --$quoted"
  fi
}

absolute() { case $1 in /?*) ;; *) die "BASE has to be an absolute folder, not '$1'." 2 ;; esac; }

deploy() {
  folder=$1 host=$2 base=$3 check=${4:-true}
  absolute "$base"
  [ -n "$(ls -A "$folder" 2>/dev/null)" ] || die "'$folder' is no folder or is empty."
  stamp=$(date -u +%Y%m%d%H%M%S)
  linked=$(there "$host" "$base" "$stamp" <<'SH'
set -eu
mkdir -p "$1/releases" "$1/shared"
[ ! -e "$1/releases/$2" ] || { echo "Release $2 is there already; try again in a second." >&2; exit 1; }
[ -e "$1/current" ] && [ ! -L "$1/current" ] && { echo "$1/current is not a link." >&2; exit 1; }
[ ! -L "$1/current" ] || echo yes
SH
  )
  target=$base/releases/$stamp/
  [ "$host" = - ] || target=$host:$target
  rsync -a -e "$RSH" ${linked:+--link-dest=../../current/} "$folder/" "$target"
  there "$host" "$base" "$stamp" "$check" "$KEEP" <<'SH'
set -eu
cd "$1/releases/$2"
if ! sh -c "$3" </dev/null; then
  echo "The check failed; release $2 is removed and nothing was switched." >&2
  rm -rf -- "$1/releases/${2:?}"
  exit 1
fi
cd "$1"
ln -sfn "releases/$2" current.new
mv -T current.new current
echo "current -> $(readlink current)"
now=$(basename "$(readlink current)")
ls releases | sort -r | tail -n "+$(($4 + 1))" | while IFS= read -r old; do
  [ "$old" = "$now" ] || rm -rf -- "releases/${old:?}"
done
SH
}

rollback() {
  absolute "$2"
  there "$1" "$2" <<'SH'
set -eu
cd "$1"
now=$(basename "$(readlink current)")
before=$(ls releases | sort | awk -v now="$now" '$0 == now {print last} {last = $0}')
[ -n "$before" ] || { echo "There is no release before $now." >&2; exit 1; }
ln -sfn "releases/$before" current.new
mv -T current.new current
echo "current -> $(readlink current)"
SH
}

releases() {
  absolute "$2"
  there "$1" "$2" <<'SH'
cd "$1" && now=$(basename "$(readlink current)") && for r in releases/*; do
  r=${r##*/}; [ "$r" = "$now" ] && echo "$r  <- current" || echo "$r"
done
SH
}

case ${1:-} in
  deploy) [ $# -ge 4 ] || die "usage: deploy.sh deploy FOLDER HOST BASE [CHECK]" 2; shift; deploy "$@" ;;
  rollback | releases) [ $# -eq 3 ] || die "usage: deploy.sh $1 HOST BASE" 2; "$1" "$2" "$3" ;;
  *) die "usage: deploy.sh deploy|rollback|releases …" 2 ;;
esac
