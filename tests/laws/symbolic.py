"""The tables of the oracle as formulas over one symbolic state and document, for proofs about every state at once."""

from typing import NamedTuple

import z3

from tests.laws.abstract_spaces import EVERYTHING
from tests.laws.abstract_states import BORN, KINDS, MARKS, OWNERS, YES_NO
from tests.laws.independent_oracle import FACTS, GRADED, GRANTED, REFUSED, SHOWN

DOMAINS = (
    {axis: tuple(values) for axis, values in EVERYTHING.items() if axis not in ("born", "action")}
    | {"age": tuple(dict.fromkeys(BORN.values())), "kind": KINDS, "cell": YES_NO, "sealed": YES_NO}
    | {"owner": tuple(OWNERS)}
    | dict.fromkeys(MARKS, YES_NO)
)
"""Every axis about which a document is read, with its values."""


class Tables(NamedTuple):
    """A policy: the five tables of the oracle, or tables with a fault."""

    facts: tuple = FACTS
    refused: tuple = REFUSED
    granted: tuple = GRANTED
    shown: tuple = SHOWN
    graded: tuple = GRADED


class World:
    """One symbolic state and document under a policy."""

    def __init__(self, name="w", tables=Tables()):  # noqa: B008 - immutable
        self.axes = {axis: z3.Int(f"{name}.{axis}") for axis in DOMAINS}
        self.known = {}
        for fact, conditions in tables.facts:
            self.known[fact] = z3.Or(self.known.get(fact, False), self._all(conditions))
        self.tables = tables

    def limits(self):
        """Return that every axis has one of its values."""
        return [z3.And(self.axes[axis] >= 0, self.axes[axis] < len(values)) for axis, values in DOMAINS.items()]

    def has(self, **conditions):
        """Return that each axis or derived fact has one of the values: `who="physician|coordinating"`."""
        parts = ((axis.replace("_", "-"), frozenset(values.split("|"))) for axis, values in conditions.items())
        return z3.And(*(self._one(axis, values) for axis, values in parts))

    def sees(self):
        """Return that the document is shown."""
        banned = [
            self._all(when) for action, when in self.tables.refused if {"any", "consult"} & set(action.split("|"))
        ]
        ways = (
            z3.And(self._all(when), self._all(conditions))
            for action, way, when in self.tables.granted
            for name, conditions in self.tables.shown
            if action == "consult" and name == way
        )
        return z3.And(z3.Not(z3.Or(*banned)), z3.Or(*ways))

    def graded(self, *grades):
        """Return that an access has one of these grades: that of the first line that holds."""
        before, found = [], []
        for name, conditions in self.tables.graded:
            if name in grades:
                found.append(z3.And(self._all(conditions), z3.Not(z3.Or(*before))))
            before.append(self._all(conditions))
        return z3.Or(*found)

    def _all(self, conditions):
        return z3.And(
            *(self._one(axis, some) if wanted else z3.Not(self._one(axis, some)) for axis, wanted, some in conditions)
        )

    def _one(self, axis, values):
        if axis in DOMAINS:
            return z3.Or(*(self.axes[axis] == DOMAINS[axis].index(value) for value in values if value in DOMAINS[axis]))
        known = self.known.get(axis, z3.Or())
        return known if values == {"yes"} else z3.Not(known)


def impossible(*claims, worlds):
    """Tell whether no state makes all claims true."""
    solver = z3.Solver()
    solver.add(*claims, *(limit for world in worlds for limit in world.limits()))
    return solver.check() == z3.unsat


def never(tables, *, unless=None, **facts):
    """Tell whether nobody of these facts sees; unless: further facts, one of which must hold for seeing."""
    w = World("w", tables)
    allowed = [w.has(**some) for some in unless or ()]
    return impossible(w.has(**facts), w.sees(), z3.Not(z3.Or(*allowed)), worlds=[w])


def never_graded(tables, *grades, unless=None, **facts):
    """Tell whether no access of these facts has one of these grades; unless: as in `never`."""
    w = World("w", tables)
    allowed = [w.has(**some) for some in unless or ()]
    return impossible(w.has(**facts), w.has(mode="care"), w.graded(*grades), z3.Not(z3.Or(*allowed)), worlds=[w])


def every_access_is_graded(tables):
    """Tell whether each access for care has a grade."""
    w = World("w", tables)
    return impossible(w.has(entered="yes"), z3.Not(w.graded("patient", "third_party", "declared")), worlds=[w])


def always(tables, **facts):
    """Tell whether everybody of these facts sees, as long as nothing is withheld from them and all are served."""
    w = World("w", tables)
    return impossible(
        w.has(**({"withheld": "none", "served": "all", "kept": "none"} | facts)), z3.Not(w.sees()), worlds=[w]
    )


def shows_no_more(tables, axis, before, after, **facts):
    """Tell whether a change of one axis, from one of some values to one of others, never shows more."""
    a, b = World("a", tables), World("b", tables)
    same = [a.axes[other] == b.axes[other] for other in DOMAINS if other != axis]
    changed = [a.has(**{axis: before}), b.has(**{axis: after}), a.has(**facts)]
    return impossible(*same, *changed, b.sees(), z3.Not(a.sees()), worlds=[a, b])


def depends_on(tables, *axes, **facts):
    """Tell whether what is seen depends on these axes only, and on whether all are served."""
    a, b = World("a", tables), World("b", tables)
    same = [a.axes[axis] == b.axes[axis] for axis in ("served", *axes, *facts)]
    return impossible(*same, a.has(**facts), a.sees(), z3.Not(b.sees()), worlds=[a, b])
