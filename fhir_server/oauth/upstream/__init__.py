"""Sign-in elsewhere: Habilis as a relying party of Pro Santé Connect and FranceConnect."""
