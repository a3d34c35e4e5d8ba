"""Measurements of what fitgap claims to be fast at; each module says what it claims and how it measures."""
