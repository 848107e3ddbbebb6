"""Who may record a consent, mark or file a document, or review a break-glass; not who sees a document."""
