//! Where an object that is spread over several lines ends.

/// The brackets that are open. Strings end on their line, so that a line can be told without those before it.
#[derive(Debug, Default)]
pub(super) struct Brackets {
    /// A bit for each open bracket, set for `[`, the innermost last.
    open: u128,
    depth: u32,
    /// The last byte that is no blank.
    last: u8,
}

impl Brackets {
    /// Goes on with a line: where in it the outermost object ends, or `None` when it goes on. An error where this line
    /// cannot be part of it.
    pub(super) fn feed(&mut self, line: &str) -> Result<Option<usize>, ()> {
        let bytes = line.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {
                    at += 1;
                    continue;
                }
                b'{' | b'[' => {
                    let in_list = self.open & 1 == 1;
                    let fits = self.depth == 0 || self.last == b':' || in_list && matches!(self.last, b'[' | b',');
                    if !fits || self.depth >= u128::BITS {
                        return Err(());
                    }
                    self.open = self.open << 1 | u128::from(*byte == b'[');
                    self.depth += 1;
                }
                b'}' | b']' => {
                    if self.depth == 0 || (self.open & 1 == 1) != (*byte == b']') {
                        return Err(());
                    }
                    self.open >>= 1;
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Ok(Some(at + 1));
                    }
                }
                b'"' => at = end_of_string(bytes, at + 1).ok_or(())?,
                b',' | b':' | b'0'..=b'9' | b'+' | b'-' | b'.' | b'E' => {}
                // The letters of `true`, `false`, `null` and of exponents.
                b'a' | b'e' | b'f' | b'l' | b'n' | b'r' | b's' | b't' | b'u' => {}
                _ => return Err(()),
            }
            self.last = *byte;
            at += 1;
        }
        Ok(None)
    }
}

/// Where the closing quote is.
fn end_of_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(found) == Some(&b'"') {
            return Some(found);
        }
        at = found + 2;
    }
}
