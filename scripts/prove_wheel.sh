#!/usr/bin/env bash
# Build the wheel, install it with plain pip in an empty virtual environment, and use it
# from another folder: run from the checkout, python would find the source tree first.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf dist
uv build --quiet
wheel=$(ls "$PWD"/dist/*.whl)

room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install --quiet "$wheel"

cd "$room"
export HERMES_HOME="$room/home"
hermes="$room/venv/bin/hermes"
"$hermes" --version
"$hermes" doctor --offline
echo "hello from the wheel" > note.txt
"$hermes" run --model rehearsal "read note.txt" </dev/null | tee answer.txt
grep -q "hello from the wheel" answer.txt
python3 - "$wheel" <<'PY'
import sys, zipfile
tops = {name.split("/")[0] for name in zipfile.ZipFile(sys.argv[1]).namelist()}
assert {top for top in tops if not top.endswith(".dist-info")} == {"hermes_tui", "hermes_environments"}, tops
PY
echo "The wheel works."
