"""`python -m tests.golden record FILE`: what the demonstration answers; `compare FILE [OTHER]`: what has changed."""

import argparse
import sys
from pathlib import Path

from tests.golden import comparing, drive, playing, recording


def main() -> int:
    """Run the command; return 1 when the answers differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    record = commands.add_parser("record", help="drive the demonstration and write down every answer")
    record.add_argument("file", type=Path)
    record.add_argument("--part", action="append", choices=drive.PARTS, help="only this part; may be repeated")
    record.set_defaults(run=_record)
    compare = commands.add_parser("compare", help="tell what differs from a record: now, or in another record")
    compare.add_argument("file", type=Path)
    compare.add_argument("other", type=Path, nargs="?")
    compare.add_argument("--lines", type=int, default=40, help="most lines that are shown of one difference")
    compare.set_defaults(run=_compare)
    asked = parser.parse_args()
    return asked.run(asked)


def _record(asked: argparse.Namespace) -> int:
    record = playing.play(asked.part)
    record.save(asked.file)
    print(f"{sum(map(len, record.sections.values()))} answers in {asked.file}")
    return 0


def _compare(asked: argparse.Namespace) -> int:
    before = recording.load(asked.file)
    after = recording.load(asked.other) if asked.other else playing.play().told()
    differences = comparing.differences(before, after)
    for difference in differences:
        print(difference.told(asked.lines))
    print(f"{sum(len(one.where) for one in differences)} answers differ, in {len(differences)} ways")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
