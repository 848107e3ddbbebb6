"""The page from which a copy of the whole space is taken along."""

from fhir_server.http.pages.frame.roles import Role

ROLE = Role.PATIENT
PAGES = ("/account/spaces/{space}/copy",)
FORMS = ()
NO_SPACE = {"portal.take_copy": "its archive is compared file by file by test_copies_tell_nothing.py"}
