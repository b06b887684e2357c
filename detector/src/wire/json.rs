//! JSON objects to flat pairs, in one pass over the bytes: the names of nested objects are joined with dots, and what
//! is no object is refused.
//!
//! serde_json judges what is JSON: this reader accepts and refuses the same texts (a property test compares them), and
//! where it refuses one, serde_json is asked why. It is here because it is what most inputs spend their time in: no tree,
//! no allocation, and strings stay where they are unless they hold escapes.

#[cfg(test)]
mod tests;

/// A string of the line, or of the texts that had to be written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    start: u32,
    /// The highest bit tells which of the two it is. Small, since pairs are copied a lot.
    end: u32,
}

const ANEW: u32 = 1 << 31;

impl Piece {
    /// A piece of the line.
    #[inline]
    pub(super) fn of_line(start: usize, end: usize) -> Self {
        Piece {
            start: start as u32,
            end: end as u32,
        }
    }

    fn anew(start: usize, end: usize) -> Self {
        Piece {
            start: start as u32,
            end: end as u32 | ANEW,
        }
    }

    #[inline]
    fn is_anew(self) -> bool {
        self.end & ANEW != 0
    }

    #[inline]
    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..(self.end & !ANEW) as usize
    }

    /// The text of a piece of the line.
    pub(super) fn of(self, line: &str) -> Option<&str> {
        if self.is_anew() { None } else { line.get(self.range()) }
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// The number, and how it is written.
    Number(f64, Piece),
    Text(Piece),
    /// A list, with its brackets, or an object that is nested too deep to be flattened, with its braces.
    List(Piece),
}

/// One pair of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    /// The names on the way to it, joined with dots.
    pub(super) name: Piece,
    pub(super) value: Value,
}

/// The pairs of one object; what is kept from object to object is only memory.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) pairs: Vec<Pair>,
    anew: String,
    path: String,
    /// The name in the outermost object whose value is being read: the one to blame when that fails.
    blame: Option<Piece>,
}

/// Deeper objects are not flattened.
const DEEPEST_NAME: usize = 8;

/// serde_json's own limit.
const DEEPEST: usize = 127;

impl Scan {
    /// Reads the object that a text begins with; `None` when there is none. The rest of the text is not looked at: it
    /// begins where this says.
    pub(super) fn read(&mut self, text: &str) -> Option<usize> {
        const LONGEST: usize = 1 << 30;
        if text.len() > LONGEST {
            return None;
        }
        self.pairs.clear();
        self.anew.clear();
        self.path.clear();
        self.blame = None;
        let mut scanner = Scanner {
            text,
            bytes: text.as_bytes(),
            at: 0,
            into: self,
        };
        scanner.expect(b'{')?;
        scanner.object(1)?;
        Some(scanner.at)
    }

    /// Forgets what was read.
    pub(super) fn clear(&mut self) {
        self.pairs.clear();
        self.anew.clear();
    }

    /// Begins a text that is written anew.
    pub(super) fn begin(&self) -> usize {
        self.anew.len()
    }

    /// Goes on with it.
    pub(super) fn write(&mut self, character: char) {
        self.anew.push(character);
    }

    /// Ends it.
    pub(super) fn end(&self, begin: usize) -> Piece {
        Piece::anew(begin, self.anew.len())
    }

    /// The text of a piece. `line` is the text that was read.
    pub(super) fn text<'a>(&'a self, piece: Piece, line: &'a str) -> &'a str {
        let from = if piece.is_anew() { self.anew.as_str() } else { line };
        from.get(piece.range()).unwrap_or_default()
    }

    /// The field at fault, after a text has been refused.
    pub(super) fn at_fault<'a>(&'a self, line: &'a str) -> Option<&'a str> {
        self.blame.map(|piece| self.text(piece, line))
    }
}

struct Scanner<'t, 's> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    into: &'s mut Scan,
}

impl Scanner<'_, '_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next byte that is no blank.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        while let Some(byte) = self.peek() {
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then(|| self.at += 1)
    }

    /// After the brace; ends after the closing one.
    fn object(&mut self, depth: usize) -> Option<()> {
        if self.next()? == b'}' {
            self.at += 1;
            return Some(());
        }
        let outer = self.into.path.len();
        loop {
            self.expect(b'"')?;
            let name = self.string()?;
            if depth == 1 {
                self.into.blame = Some(name);
            }
            self.expect(b':')?;
            self.member(name, depth)?;
            self.into.path.truncate(outer);
            if depth == 1 {
                self.into.blame = None;
            }
            match self.next()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    fn member(&mut self, name: Piece, depth: usize) -> Option<()> {
        if self.next()? == b'{' && depth < DEEPEST_NAME {
            self.at += 1;
            // Both are borrowed from the scan, which the path is a part of.
            let mut path = std::mem::take(&mut self.into.path);
            path.push_str(self.into.text(name, self.text));
            path.push('.');
            self.into.path = path;
            return self.object(depth + 1);
        }
        let value = self.value(depth)?;
        let name = if self.into.path.is_empty() {
            name
        } else {
            self.joined(name)
        };
        self.into.pairs.push(Pair { name, value });
        Some(())
    }

    /// The path to a name, as one text.
    fn joined(&mut self, name: Piece) -> Piece {
        let Scan { anew, path, .. } = &mut *self.into;
        let start = anew.len();
        anew.push_str(path);
        let range = name.range();
        if !name.is_anew() {
            anew.push_str(self.text.get(range).unwrap_or_default());
        } else if anew.get(range.clone()).is_some() {
            // What is copied was written there before.
            anew.extend_from_within(range);
        }
        Piece::anew(start, anew.len())
    }

    #[inline]
    fn value(&mut self, depth: usize) -> Option<Value> {
        let first = self.next()?;
        let start = self.at;
        Some(match first {
            b'"' => {
                self.at += 1;
                Value::Text(self.string()?)
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word("true", Value::Bool(true))?,
            b'f' => self.word("false", Value::Bool(false))?,
            b'n' => self.word("null", Value::Null)?,
            b'[' | b'{' => {
                self.skip(depth)?;
                Value::List(Piece::of_line(start, self.at))
            }
            _ => return None,
        })
    }

    fn word(&mut self, word: &str, value: Value) -> Option<Value> {
        let rest = self.bytes.get(self.at..)?;
        rest.starts_with(word.as_bytes()).then(|| self.at += word.len())?;
        Some(value)
    }

    /// A value that is only checked.
    fn skip(&mut self, depth: usize) -> Option<()> {
        let open = self.next()?;
        if !matches!(open, b'[' | b'{') {
            let kept = self.into.anew.len();
            self.value(depth)?;
            self.into.anew.truncate(kept);
            return Some(());
        }
        if depth >= DEEPEST {
            return None;
        }
        self.at += 1;
        let close = if open == b'[' { b']' } else { b'}' };
        if self.next()? == close {
            self.at += 1;
            return Some(());
        }
        loop {
            if open == b'{' {
                self.expect(b'"')?;
                let kept = self.into.anew.len();
                self.string()?;
                self.into.anew.truncate(kept);
                self.expect(b':')?;
            }
            self.skip(depth + 1)?;
            match self.next()? {
                b',' => self.at += 1,
                byte if byte == close => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// After the opening quote; ends after the closing one.
    #[inline]
    fn string(&mut self) -> Option<Piece> {
        let start = self.at;
        self.at = end_of_plain(self.bytes, start);
        if self.peek()? == b'"' {
            self.at += 1;
            return Some(Piece::of_line(start, self.at - 1));
        }
        self.escaped(start)
    }

    /// A string with something in it that ends its plain part.
    fn escaped(&mut self, start: usize) -> Option<Piece> {
        let from = self.into.anew.len();
        self.into.anew.push_str(self.text.get(start..self.at)?);
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(Piece::anew(from, self.into.anew.len()));
                }
                b'\\' => {
                    self.at += 1;
                    let character = self.escape()?;
                    self.into.anew.push(character);
                }
                // A control character, which JSON wants to be escaped.
                _ => return None,
            }
            let start = self.at;
            self.at = end_of_plain(self.bytes, start);
            self.into.anew.push_str(self.text.get(start..self.at)?);
        }
    }

    /// After the backslash.
    fn escape(&mut self) -> Option<char> {
        let byte = self.peek()?;
        self.at += 1;
        Some(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first);
                }
                self.bytes.get(self.at..)?.starts_with(b"\\u").then(|| self.at += 2)?;
                let second = self.hex()?;
                if !(0xdc00..0xe000).contains(&second) {
                    return None;
                }
                char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        self.at += 4;
        digits
            .iter()
            .try_fold(0, |number, digit| Some(number * 16 + char::from(*digit).to_digit(16)?))
    }

    fn digits(&mut self, mut mantissa: u64) -> u64 {
        while let Some(byte @ b'0'..=b'9') = self.peek() {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            self.at += 1;
        }
        mantissa
    }

    fn number(&mut self) -> Option<Value> {
        // Integers below 2^53 and these powers of ten are exact floats, so that one division rounds correctly.
        const MOST_DIGITS: usize = 15;
        const TENS: [f64; MOST_DIGITS + 1] = [
            1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
        ];
        let start = self.at;
        let negative = self.peek()? == b'-';
        self.at += usize::from(negative);
        let first = self.at;
        let mut mantissa = match self.peek()? {
            b'0' => {
                self.at += 1;
                if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                0
            }
            b'1'..=b'9' => self.digits(0),
            _ => return None,
        };
        let mut count = self.at - first;
        let mut decimals = 0;
        if self.peek() == Some(b'.') {
            self.at += 1;
            let point = self.at;
            mantissa = self.digits(mantissa);
            decimals = self.at - point;
            if decimals == 0 {
                return None;
            }
            count += decimals;
        }
        let mut exact = count <= MOST_DIGITS;
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            let exponent = self.at;
            self.digits(0);
            if self.at == exponent {
                return None;
            }
            exact = false;
        }
        let number = if exact {
            let size = mantissa as f64 / TENS.get(decimals)?;
            if negative { -size } else { size }
        } else {
            self.text.get(start..self.at)?.parse().ok()?
        };
        let written = Piece::of_line(start, self.at);
        number.is_finite().then_some(Value::Number(number, written))
    }
}

/// The first byte from here that ends a string's plain part: a quote, a backslash or a control character.
#[inline]
fn end_of_plain(bytes: &[u8], start: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let mut at = start;
    // Eight bytes at a time: a byte of `value ^ searched` is zero where it was found. A borrow can only reach bytes
    // behind the first one found, which is the one that counts.
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        let found = (word.wrapping_sub(ONES * 0x20) & !word
            | quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash)
            & HIGHS;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            return at;
        }
        at += 1;
    }
    at
}
