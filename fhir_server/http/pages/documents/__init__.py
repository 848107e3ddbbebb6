"""What pages of several roles show of documents: their words, filters and contents; no page lives here."""
