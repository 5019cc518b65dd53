#!/bin/sh
# Run inside the repository: adds the numbers up. 2 when it does not build, 1 on a bad sum.
set -u
test -f build.txt || { echo "does not build" >&2; exit 2; }
sum=0
for file in data/*.txt; do
    number=$(cat "$file")
    case $number in *[!0-9]* | '') exit 1 ;; esac
    sum=$((sum + number))
done
echo "$sum"
