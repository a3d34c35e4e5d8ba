"""Pictures for people: each module draws one kind from plain data and returns a matplotlib figure."""
