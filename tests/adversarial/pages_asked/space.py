"""The pages about a space as a whole: emergencies, requests, apps, its state, the journal to keep."""

from fhir_server.http.pages.frame.roles import Role

ROLE = Role.PATIENT
_HERE = "/account/spaces/{space}"
PAGES = (
    f"{_HERE}/emergency",
    f"{_HERE}/emergency?done=break-glass",
    f"{_HERE}/requests",
    f"{_HERE}/apps",
    f"{_HERE}/journal",
    f"{_HERE}/journal/print",
    f"{_HERE}/journal/file?refused=1",  # other events list documents of one date in the order of their random ids
    "/journal?person={space}&from=2020-01-01&app=chu-ehr",
    f"{_HERE}/my-space",
    f"{_HERE}/my-space/receipts/{{unknown}}",
)
FORMS = (
    (f"{_HERE}/emergency/switch", {"switch": "hidden-in-emergency", "on": "yes"}),
    (f"{_HERE}/emergency/switch", {"switch": "break-glass", "on": "no"}),
    (f"{_HERE}/requests/switch", {"on": "yes"}),
    (f"{_HERE}/requests/{{unknown}}/approve", {"span": "day"}),
    (f"{_HERE}/requests/{{unknown}}/refuse", {}),
    (f"{_HERE}/requests/{{unknown}}/undo", {}),
    (f"{_HERE}/apps/{{unknown}}/end", {}),
    (f"{_HERE}/my-space/filing", {"on": "yes"}),
    (f"{_HERE}/my-space/state", {"act": "erase"}),
)
NO_SPACE: dict[str, str] = {}
