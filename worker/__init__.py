"""One connection: stream, match, enrich, deliver."""
