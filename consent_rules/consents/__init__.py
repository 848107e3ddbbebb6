"""What people record, mark, file and review: who may do it and what comes of it; never who sees a document."""
