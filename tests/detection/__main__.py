"""`make bench-detection`: plays generated months of a hospital to the rules, and prints the table of statement V21.

Run as `python -m tests.detection [--months held-back|earlier|tuning] [--processes N]`. Months of the tuning seeds are
for choosing the numbers of the rule profile; the table that counts is that of the seeds held back.
"""

import argparse
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from consent_rules.rule_profile import profile
from tests.detection.misuse import KINDS
from tests.detection.scoring import EARLIER, HELD_BACK, TUNING, Score, score

_FR = "fr"
_MONTHS = {"held-back": HELD_BACK, "earlier": EARLIER, "tuning": TUNING}


def main() -> None:
    """Print the table; the exit status is 1 when an aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.detection")
    parser.add_argument("--months", choices=_MONTHS, default="held-back", help="which months are played")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    seeds, begun = _MONTHS[options.months], time.monotonic()
    total = Score()
    with ProcessPoolExecutor(options.processes) as pool:
        for part in pool.map(partial(_played), seeds):
            total.add(part)
    print(f"{options.months} seeds {', '.join(map(str, seeds))}: {total.accesses:,} ordinary accesses")
    failed = [line for line in _aims(total) if line.startswith("MISSED")]
    print("\n".join(_aims(total)))
    print("\n".join(_kinds(total)))
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"{time.monotonic() - begun:.0f} s with {options.processes} processes, at most {most} MiB each")
    sys.exit(1 if failed else 0)


def _played(seed: int) -> Score:
    return score(seed, profile(_FR))


def _aims(total: Score) -> list[str]:
    rows: list[tuple[str, str, str, bool]] = [
        _share("accesses explained by evidence of somebody else", total.share_explained, 0.95),
        _share(f"planted misuse found within 24 h, of {len(total.found)}", total.share_found, 0.90),
        _share("  at least, with 95 % probability", total.likely_found[0], 0.0),
        _share("  at most, with 95 % probability", total.likely_found[1], 0.0),
        _share("  by the rules alone, without a patient's word", total.share_by_rules, 0.0),
        _most("false alarms per 10,000 accesses", total.false_per_10_000, 1),
        _most("spaces that a scraper reads before it stops, at most", total.most_read, 100),
        _most("accesses on better evidence that a ceiling refuses", total.better_met, 0),
        _most(f"% of {total.declared:,} ordinary declared accesses that meet one", 100 * total.share_met, 0.1),
        _most(f"emergencies that a ceiling refuses, of {total.emergencies}", total.emergencies_met, 0),
    ]
    return [f"{'ok    ' if is_met else 'MISSED'} {name:<58} {value:>8}  {aim}" for name, value, aim, is_met in rows]


def _share(name: str, share: float, least: float) -> tuple[str, str, str, bool]:
    return name, f"{share:.1%}", f"≥ {least:.0%}" if least else "", share >= least


def _most(name: str, count: float, most: float) -> tuple[str, str, str, bool]:
    return name, f"{count:.2f}".removesuffix(".00"), f"≤ {most:g}", count <= most


def _kinds(total: Score) -> list[str]:
    lines = []
    for kind in KINDS:
        of = [one for one in total.found if one.kind == kind]
        rules, both = sum(one.by_rules for one in of), sum(one.in_time for one in of)
        lines.append(f"{kind:<15} {rules} of {len(of)} by the rules, {both} with the patients' contests")
    alarms = ", ".join(f"{rule} {count}" for rule, count in total.false.most_common())
    missed = [
        f"missed: {one.kind} ({one.how}), month {one.seed}: "
        + ("never" if one.case is None else f"a case after {one.case}")
        for one in total.found
        if not one.in_time
    ]
    return [*lines, f"{total.cases} cases; false alarms: {alarms}", *missed]


if __name__ == "__main__":
    main()
