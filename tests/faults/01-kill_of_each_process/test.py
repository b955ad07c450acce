#!/usr/bin/python3
"""Twenty rounds of tests/faults/kill_rounds.py: every process is killed under load at least once, nothing acknowledged is lost."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from kill_rounds import case
from world import run

KillOfEachProcess = case(20)

if __name__ == "__main__":
    run()
