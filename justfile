# List recipes.
default:
    @just --list

# Everything a change has to pass, fastest failure first.
check: lint types imports test

lint:
    uv run ruff format --check .
    uv run ruff check .

types:
    uv run basedpyright

imports:
    uv run lint-imports

# All tests, or those named: just test tests/core -k cancel
test *args:
    uv run pytest -n auto {{args}}

# Fix what can be fixed.
fix:
    uv run ruff check --fix .
    uv run ruff format .

# Measure; AREA is one of the files in bench/ (kernel, memory). Not a test: machines differ.
bench AREA="kernel" *args:
    uv run python -m bench.{{AREA}} {{args}}

# Build, then prove the wheel works with plain pip outside the checkout, which would shadow it.
wheel:
    scripts/prove_wheel.sh

# Redraw the pictures in docs/.
screenshots:
    uv run python scripts/screenshots.py
