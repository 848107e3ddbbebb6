"""One page of a search: read in either direction, or cut out of matches that are compared one by one."""
