"""`$validate` on one resource: a reading, and as silent as one about what the caller does not see."""

BY_ID = ("/DocumentReference/{%s}/$validate", "/DocumentReference/{%s}/$validate?mode=delete")
BY_LOT = ("/List/{%s}/$validate",)
BY_RECORD = ("/Provenance/{%s}/$validate",)
