"""The small shop that is recorded: real processes that answer, log, and can be made to fail."""
