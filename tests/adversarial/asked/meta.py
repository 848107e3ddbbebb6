"""`$meta`: the labels of one resource."""

BY_ID = ("/DocumentReference/{%s}/$meta",)
BY_LOT = ("/List/{%s}/$meta",)
BY_RECORD = ("/Provenance/{%s}/$meta",)
OPEN = ("/DocumentReference/{plain}/$meta", "/List/{lot}/$meta", "/Patient/{space}/$meta")
TOLD = (("meta of a document", "/DocumentReference/{plain}/$meta"), ("meta of a list", "/List/{lot}/$meta"))
