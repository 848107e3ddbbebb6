"""The pages with which a patient shares with one professional."""

_SPACE = "/account/spaces/{patients[camille]}"
PAGES = {"camille": [f"{_SPACE}/sharing", f"{_SPACE}/check-up"]}
