"""`$invitations`: the one-time codes in force, which name documents only to the person who chose them."""

OPEN = ("/Patient/{space}/$invitations",)

TOLD = (("codes in force", "/Patient/{space}/$invitations"),)
