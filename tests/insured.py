"""Files of insured persons for `habilis enrol`, and the command as a process of its own."""

import sys

from seed.many_patients import person

COMMAND = (sys.executable, "-c", "import sys; from fhir_server.cli import main; sys.exit(main())", "enrol")
HEAD = "number;family;given;birth_date;sex;system\n"


def line(number: int, **changed: str) -> str:
    """Return the line of an invented person, who is the same each time. changed: values of the line, by column."""
    one = person(number)
    values = {"number": one.ins_value, "family": one.family, "given": one.given, "birth": one.birth, "sex": one.gender}
    return ";".join((values | changed).values()) + ";1.2.250.1.213.1.4.10\n"
