"""Commands and queries, by what they are about; the only code that holds ports. No HTTP, no OAuth, no rule."""
