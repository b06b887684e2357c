//! Chunks cut anywhere to whole lines.

use memchr::memchr;

use super::MAX_LINE_BYTES;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Joins chunks into lines. Only a line that a chunk cuts in two is copied.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    skipping: bool,
    number: u64,
}

/// A line, without its end.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// Its bytes.
    Whole(&'a [u8]),
    /// A line longer than [`MAX_LINE_BYTES`], whose bytes are gone.
    TooLong,
}

impl Lines {
    /// Hands on every line that ends in this chunk, with its number from 1.
    pub(super) fn read(&mut self, mut chunk: &[u8], mut each: impl FnMut(u64, Line<'_>)) {
        while let Some((head, rest)) = memchr(b'\n', chunk).and_then(|end| {
            let (head, rest) = chunk.split_at_checked(end)?;
            Some((head, rest.get(1..)?))
        }) {
            chunk = rest;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            self.number += 1;
            if self.partial.len() + head.len() > MAX_LINE_BYTES {
                self.partial.clear();
                each(self.number, Line::TooLong);
            } else if self.partial.is_empty() {
                each(self.number, whole(self.number, head));
            } else {
                self.partial.extend_from_slice(head);
                each(self.number, whole(self.number, &self.partial));
                self.partial.clear();
            }
        }
        if self.skipping {
            return;
        }
        if self.partial.len() + chunk.len() > MAX_LINE_BYTES {
            self.partial.clear();
            self.skipping = true;
            self.number += 1;
            each(self.number, Line::TooLong);
        } else {
            self.partial.extend_from_slice(chunk);
        }
    }

    /// Hands on the last line, when it has no end.
    pub(super) fn finish(&mut self, mut each: impl FnMut(u64, Line<'_>)) {
        self.skipping = false;
        if !self.partial.is_empty() {
            self.number += 1;
            each(self.number, whole(self.number, &self.partial));
            self.partial.clear();
        }
    }
}

fn whole(number: u64, line: &[u8]) -> Line<'_> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Line::Whole(if number == 1 { without_mark(line) } else { line })
}

/// The start of an input without its byte order mark.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}
