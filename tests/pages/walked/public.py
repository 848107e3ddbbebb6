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
        "/nothing",
    ]
}
NOT_WALKED = {
    "Matrix.cells": "JSON or CSV for programs",
    "Matrix.changes": "JSON for programs",
    "pages._icon": "a picture",
    "pages.static": "the sheet, the pictures and the script of passkeys",
}
