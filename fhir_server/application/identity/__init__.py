"""People, apps and what they were granted. Not what they may see, and no protocol."""
