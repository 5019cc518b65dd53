#!/usr/bin/env python3
"""Time two shell commands alternately and say whether they differ by more than the noise.

Usage: compare_runs.py [--runs N] COMMAND_A COMMAND_B
Prints the median and spread in seconds of each, the ratio with a 95 % bootstrap interval, and
a verdict. Exit code 1 if a command fails.
"""

import argparse
import random
import statistics
import subprocess
import sys
import time

WARM_UPS = 2
SMALLEST = 0.02
"""A ratio closer to 1 than this is called no difference."""


def run(command: str) -> float:
    begun = time.perf_counter()
    done = subprocess.run(command, shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    taken = time.perf_counter() - begun
    if done.returncode:
        sys.exit(f"{command!r} failed: {done.stderr.decode(errors='replace')[-300:]}")
    return taken


def interval(a: "list[float]", b: "list[float]") -> "tuple[float, float]":
    """The 95 % bootstrap interval of median(b) / median(a)."""
    dice = random.Random(0)
    ratios = sorted(
        statistics.median(dice.choices(b, k=len(b))) / statistics.median(dice.choices(a, k=len(a)))
        for _ in range(2000)
    )
    return ratios[49], ratios[1949]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("commands", nargs=2, metavar="COMMAND")
    options = parser.parse_args()
    times = {command: [] for command in (0, 1)}
    for turn in range(options.runs + WARM_UPS):
        for which in (0, 1) if turn % 2 else (1, 0):
            taken = run(options.commands[which])
            if turn >= WARM_UPS:
                times[which].append(taken)
    for which, label in enumerate("AB"):
        ordered = sorted(times[which])
        print(f"{label}: median {statistics.median(ordered):.4f} s, "
              f"min {ordered[0]:.4f}, max {ordered[-1]:.4f}")  # fmt: skip
    low, high = interval(times[0], times[1])
    ratio = statistics.median(times[1]) / statistics.median(times[0])
    print(f"B / A: {ratio:.3f}  (95 %: {low:.3f} to {high:.3f})")
    if high < 1 - SMALLEST:
        verdict = "B is faster"
    elif low > 1 + SMALLEST:
        verdict = "B is slower"
    else:
        verdict = "no difference"
    print(f"verdict: {verdict}")


if __name__ == "__main__":
    main()
