"""Backups of the stores while they are in use, and putting them back."""
