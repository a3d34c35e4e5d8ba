"""The report of a sweep as one HTML page that needs nothing beside it: no network, no files, no server."""
