"""One training: data goes in, epochs and weights come out. Nothing here knows of tracking or of a search."""
