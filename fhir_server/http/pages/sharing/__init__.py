"""Pages with which a patient shares documents with one professional, and sees all that is shared; no lists."""
