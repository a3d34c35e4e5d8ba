"""fitgap beside its peers: the same search, run as each one's own documentation would write it."""
