"""Who may record a consent, mark or file a document, or review a break-glass; `decision` says who sees a document."""
