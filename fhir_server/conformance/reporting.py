"""The results of a run: as text for people, as JSON, and as JUnit XML for a continuous integration."""

import json
from collections import Counter
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, tostring

from fhir_server.conformance.exchange import Resource
from fhir_server.conformance.running import Result, Verdict

_SIGNS = {Verdict.PASSED: "ok", Verdict.FAILED: "FAIL", Verdict.ADVISED: "advice", Verdict.SKIPPED: "skipped"}


def as_text(result: Result) -> str:
    """Return one result: a line, and for what does not hold the request, the answer and what was expected."""
    wanted = result.requirement
    lines = [f"{_SIGNS[result.verdict]:<8}{wanted.name:<25} {wanted.statement}"]
    if result.reason:
        lines.append(f"        {result.reason}")
    if result.expected:
        lines += [f"        {wanted.level} by {wanted.source}", f"        expected: {result.expected}", *_told(result)]
    return "\n".join(lines)


def _told(result: Result) -> list[str]:
    if not result.last:
        return []
    request, answer = result.last
    sent, got = request.told(), answer.told()
    shown = [f"        request:  {sent['method']} {sent['url']}", f"        answered: {got['status']}"]
    return [*shown, *(f"                  {line}" for line in str(got["body"])[:500].splitlines()[:8])]


def summary(results: Iterable[Result]) -> str:
    """Return one line with the number of each verdict."""
    counted = Counter(result.verdict for result in results)
    return ", ".join(f"{counted[verdict]} {verdict.value}" for verdict in Verdict)


def as_json(base: str, results: Iterable[Result]) -> str:
    """Return all results as one JSON object: `base`, `results`, each with its request and its answer."""
    return json.dumps({"base": base, "results": [_object(result) for result in results]}, indent=2, ensure_ascii=False)


def _object(result: Result) -> Resource:
    wanted = result.requirement
    told: Resource = {
        "name": wanted.name,
        "guide": wanted.guide,
        "source": wanted.source,
        "level": wanted.level,
        "statement": wanted.statement,
        "verdict": result.verdict.value,
    }
    told |= {name: text for name, text in (("expected", result.expected), ("reason", result.reason)) if text}
    return told | ({"request": result.last[0].told(), "response": result.last[1].told()} if result.last else {})


def as_junit(base: str, results: Iterable[Result]) -> str:
    """Return all results as JUnit XML: one test suite, a test case for each requirement; advice is no failure."""
    every = list(results)
    counted = Counter(result.verdict for result in every)
    numbers = {"tests": len(every), "failures": counted[Verdict.FAILED], "skipped": counted[Verdict.SKIPPED]}
    suite = Element("testsuite", {"name": base, **{name: str(number) for name, number in numbers.items()}})
    for result in every:
        case = SubElement(suite, "testcase", {"classname": result.requirement.guide, "name": result.requirement.name})
        if result.verdict is Verdict.SKIPPED:
            SubElement(case, "skipped", {"message": result.reason})
        elif result.verdict is Verdict.FAILED:
            SubElement(case, "failure", {"message": result.expected}).text = as_text(result)
    return tostring(suite, encoding="unicode", xml_declaration=True)
