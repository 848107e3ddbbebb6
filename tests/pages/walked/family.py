"""The pages about people: who is let in and kept out, the directory, carers, representatives, what a minor keeps."""

_SPACE, _CHILD = "/account/spaces/{patients[camille]}", "/account/spaces/{patients[leo]}"
PAGES = {
    "camille": [
        f"{_SPACE}/people/directory?name=roux",
        f"{_SPACE}/carers",
        f"{_CHILD}/guardians",
        "/account/invitation",
    ],
    "ines": ["/account/spaces/{patients[ines]}/documents/{documents[ines-midwife-order]}/for-me"],
}
