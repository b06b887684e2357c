//! Log lines in an envelope that says how to read them.
