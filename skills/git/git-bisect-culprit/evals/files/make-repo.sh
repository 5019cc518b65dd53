#!/bin/sh
# Makes the repository `shop`: 60 commits, each adding one number below data/.
# KIND: broken (a wrong number comes in), unbuildable (the same, and some commits do not
# build), fixed (a wrong number goes away).
set -eu
kind=$1
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=Shop GIT_AUTHOR_EMAIL=shop@example.org
export GIT_COMMITTER_NAME=Shop GIT_COMMITTER_EMAIL=shop@example.org
git init -q -b main shop
cd shop
mkdir data
i=1
while [ "$i" -le 60 ]; do
    echo "$((i * 37 % 101))" > "data/$i.txt"
    echo ok > build.txt
    case "$kind $i" in
        "broken 23") echo "1O7" > data/23.txt ;;
        "unbuildable 38") echo "7l" > data/38.txt ;;
        "fixed 1") echo "4S" > data/1.txt ;;
        "fixed 41") echo "45" > data/1.txt ;;
    esac
    if [ "$kind" = unbuildable ]; then
        case $i in 27 | 28 | 29 | 30 | 31 | 44 | 45) rm build.txt ;; esac
    fi
    git add -A
    GIT_AUTHOR_DATE="$((1700000000 + i * 3600)) +0000" \
    GIT_COMMITTER_DATE="$((1700000000 + i * 3600)) +0000" \
        git commit -q -m "Change $i"
    if [ "$i" -eq 4 ]; then git tag v1.0; fi
    i=$((i + 1))
done
