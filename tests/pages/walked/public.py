"""The pages that everybody may open."""

PAGES = {
    "": [
        "/",
        "/journal",
        "/journal?person=camille",
        "/journal?person=camille&own=1",
        "/api",
        "/api/try",
        "/status",
        "/transparency",
        "/matrix",
        "/matrix?profession=70",
        "/accessibility",
        "/developer",
        "/keys",
        "/security",
        "/who-reads",
        "/nothing",
    ]
}
NOT_WALKED = {
    "Matrix.cells": "JSON or CSV for programs",
    "Matrix.changes": "JSON for programs",
    "pages.security_txt": "text for programs (RFC 9116)",
    "pages._icon": "a picture",
    "pages.static": "the sheet, the pictures and the script of passkeys",
}
