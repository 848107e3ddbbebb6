"""Look-ups of identities: they lead to no document, and each is in the journal of whom it names."""

_INS = "urn:oid:1.2.250.1.213.1.4.10"

OPEN = (
    f"/Patient/$ihe-pix?sourceIdentifier={_INS}|210039999900255",
    f"/Patient/$ihe-pix?sourceIdentifier={_INS}|284039999900148",
    "/Patient?family=Ines&given=x&birthdate=2010-06-01",
)  # fmt: skip
