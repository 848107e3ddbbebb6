"""People who sign in elsewhere: Habilis as the relying party of Pro Santé Connect and FranceConnect."""
