//! Splits a log message into tokens and masks the variable ones, in one pass over its bytes.
//!
//! A token is a run of letters, digits and `_ - . + ~`; what stands between tokens (blanks, brackets, `=`, `:`, `,`
//! and other punctuation) is the *skeleton* of the message. So `<*>` covers the variable core and leaves the
//! punctuation around it: `(uid=0)` becomes `(uid=<*>)`, `10.0.0.1:80` becomes `<*>:<*>`. What has an inner
//! syntax of its own is one token whatever it is made of: paths, URLs, e-mail addresses, times and
//! dates, IPv6 and MAC addresses, sizes (`5.1 KB`), quoted phrases.
//!
//! Nothing is copied: tokens are spans of the message with a hash each. The common case, a message whose template
//! is known, needs no more than these hashes.

mod mask;
mod shape;
#[cfg(test)]
mod tests;

use xxhash_rust::xxh3::xxh3_64;

use mask::piece;
pub(crate) use shape::Shape;

/// What stands for a variable in the text of a template.
pub(crate) const WILDCARD: &str = "<*>";

/// The hash of a masked token. Any constant does, as a literal hashes to it with a chance of 2⁻⁶⁴.
pub(crate) const MASKED: u64 = 0x3c2a_3e00_3c2a_3e00;

/// Tokens beyond this many become one wildcard at the end: a set of positions is the bits of one `u128`.
pub(crate) const MAX_TOKENS: usize = 128;

/// Bytes beyond this many become part of the last wildcard, so that the memory of a template is bounded and its
/// offsets fit 16 bits.
const MAX_BYTES: usize = 2048;

/// The tokens of one message. Made to be reused: reading the next message allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    /// In the order of the message.
    pub(crate) tokens: Vec<Token>,
    /// The positions of the masked tokens.
    pub(crate) masked: u128,
    /// The hash of what stands between the tokens, runs of white space counting as one blank.
    pub(crate) skeleton: u64,
}

/// One token: where it is in the message, and its hash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) span: Span,
    pub(crate) hash: u64,
}

/// Byte offsets of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Span {
    pub(crate) start: u16,
    pub(crate) end: u16,
}

impl Span {
    /// The piece of `text` that the span tells; empty where the text is shorter.
    pub(crate) fn of(self, text: &str) -> &str {
        text.get(usize::from(self.start)..usize::from(self.end)).unwrap_or("")
    }
}

impl Tokens {
    /// Reads a message, replacing what was read before.
    pub(crate) fn read(&mut self, message: &str) {
        let limit = limit(message);
        let bytes = &message.as_bytes()[..limit];
        self.tokens.clear();
        self.masked = 0;
        let mut skeleton = Skeleton::default();
        let mut blank = false;
        // Whether the last thing read was a masked token.
        let mut list = false;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let class = CLASS[usize::from(byte)];
            if class == SPACE {
                blank = skeleton != Skeleton::default();
                at += 1;
                continue;
            }
            let piece = piece(bytes, at, class);
            // Variables in a row are one: how long a list is varies like what is in it.
            if let Some(piece) = piece
                && list
                && piece.masked
                && piece.start == at
                && let Some(last) = self.tokens.last_mut()
            {
                last.span.end = piece.end as u16;
                at = piece.end;
                blank = false;
                continue;
            }
            if blank {
                skeleton.glue(b' ');
                blank = false;
            }
            let Some(piece) = piece else {
                skeleton.glue(byte);
                list = false;
                at += 1;
                continue;
            };
            for &glue in &bytes[at..piece.start] {
                skeleton.glue(glue);
            }
            at = piece.end;
            list = piece.masked;
            skeleton.token();
            if self.tokens.len() + 1 == MAX_TOKENS {
                self.push(bytes, piece.start, limit, true);
                list = true;
                break;
            }
            self.push(bytes, piece.start, at, piece.masked);
        }
        if limit < message.len() && !list {
            match self.tokens.last_mut() {
                // A word cut in two is no word.
                Some(last) if usize::from(last.span.end) == limit => {
                    last.hash = MASKED;
                    self.masked |= 1 << (self.tokens.len() - 1);
                }
                _ => {
                    if blank {
                        skeleton.glue(b' ');
                    }
                    skeleton.token();
                    self.push(bytes, limit, limit, true);
                }
            }
        }
        self.skeleton = skeleton.0;
    }

    /// The key of the message: a template with the same key is its template.
    pub(crate) fn key(&self) -> u64 {
        key(self.skeleton, self.tokens.iter().map(|token| token.hash))
    }

    /// The key of the message with `<*>` at these positions, given the key without.
    pub(crate) fn opened(&self, key: u64, positions: u128) -> u64 {
        let mut key = key;
        let mut left = positions & !self.masked;
        while left != 0 {
            let position = left.trailing_zeros();
            left &= left - 1;
            let Some(token) = self.tokens.get(position as usize) else {
                break;
            };
            let factor = STEP.wrapping_mul(u64::from(position) + 1) | 1;
            key = key.wrapping_add(MASKED.wrapping_sub(token.hash).wrapping_mul(factor));
        }
        key
    }

    fn push(&mut self, bytes: &[u8], start: usize, end: usize, masked: bool) {
        let hash = if masked {
            self.masked |= 1 << self.tokens.len();
            MASKED
        } else {
            hash(&bytes[start..end])
        };
        // The offsets fit because no message is read beyond `MAX_BYTES`.
        let span = Span {
            start: start as u16,
            end: end as u16,
        };
        self.tokens.push(Token { span, hash });
    }

    /// Writes the masked message to `text`, with single blanks, and where its tokens are there.
    pub(crate) fn write(&self, message: &str, text: &mut String, spans: &mut Vec<Span>) {
        let mut from = 0;
        for (position, token) in self.tokens.iter().enumerate() {
            glue(text, &message[from..usize::from(token.span.start)], position == 0);
            let start = text.len() as u16;
            if self.masked >> position & 1 == 1 {
                text.push_str(WILDCARD);
            } else {
                text.push_str(token.span.of(message));
            }
            spans.push(Span {
                start,
                end: text.len() as u16,
            });
            from = usize::from(token.span.end);
        }
        glue(text, message[from..limit(message)].trim_end(), self.tokens.is_empty());
    }
}

/// The hash of a literal: most are no longer than sixteen bytes, which two loads take in. The multipliers and the shifts
/// are those of SplitMix64 (Steele, Lea, Flood, 2014).
pub(crate) fn hash(literal: &[u8]) -> u64 {
    let length = literal.len();
    let (low, high) = if length > 16 {
        return xxh3_64(literal);
    } else if let (Some(first), Some(last)) = (literal.first_chunk(), literal.last_chunk()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (literal.first_chunk(), literal.last_chunk()) {
        (
            u64::from(u32::from_le_bytes(*first)),
            u64::from(u32::from_le_bytes(*last)),
        )
    } else {
        let byte = |at: usize| literal.get(at).copied().map_or(0, u64::from);
        (byte(0) | byte(1) << 8 | byte(2) << 16, 0)
    };
    let mixed = (low ^ length as u64)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9)
        .wrapping_add(high.rotate_left(29));
    let mixed = (mixed ^ mixed >> 31).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 32
}

/// The fraction of the golden ratio in 64 bits: its multiples differ in all bits.
pub(crate) const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// One hash of a skeleton and its tokens: linear in the hashes of the tokens (multilinear hashing), so that putting
/// `<*>` in a position is an addition.
pub(crate) fn key(skeleton: u64, hashes: impl Iterator<Item = u64>) -> u64 {
    let mut factor = 0_u64;
    hashes.fold(skeleton, |key, hash| {
        factor = factor.wrapping_add(STEP);
        key.wrapping_add(hash.wrapping_mul(factor | 1))
    })
}

/// Where a message is cut: after a word if possible.
pub(crate) fn limit(message: &str) -> usize {
    if message.len() <= MAX_BYTES {
        return message.len();
    }
    let limit = message.floor_char_boundary(MAX_BYTES);
    let blank = |b: &u8| CLASS[usize::from(*b)] == SPACE;
    let words = message.as_bytes()[..limit].iter().rposition(blank);
    words.map_or(limit, |at| at + 1)
}

/// Copies what stands between two tokens, with one blank for a run of white space.
fn glue(text: &mut String, between: &str, first: bool) {
    let mut blank = false;
    for c in between.chars() {
        if c.is_ascii() && CLASS[c as usize] == SPACE {
            blank = !(first && text.is_empty());
            continue;
        }
        if blank {
            text.push(' ');
            blank = false;
        }
        text.push(c);
    }
    if blank {
        text.push(' ');
    }
}

/// The running hash of what stands between tokens, and of where the tokens are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Skeleton(pub(crate) u64);

impl Skeleton {
    /// One byte of punctuation, or a blank.
    pub(crate) fn glue(&mut self, byte: u8) {
        self.step(u64::from(byte) + 1);
    }

    /// The place of a token.
    pub(crate) fn token(&mut self) {
        self.step(0x200);
    }

    /// What stands between two tokens, runs of white space counting as one blank.
    pub(crate) fn between(&mut self, glue: &str, first: bool) {
        let (mut blank, mut begun) = (false, !first);
        for &byte in glue.as_bytes() {
            if CLASS[usize::from(byte)] == SPACE {
                blank = begun;
                continue;
            }
            if blank {
                self.glue(b' ');
                blank = false;
            }
            self.glue(byte);
            begun = true;
        }
        if blank {
            self.glue(b' ');
        }
    }

    fn step(&mut self, symbol: u64) {
        // The multiplier and the shift are those of the finaliser of MurmurHash3: each symbol reaches all bits.
        let mixed = (self.0 ^ symbol).wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.0 = mixed ^ mixed >> 33;
    }
}

pub(crate) const SPACE: u8 = 0;
/// Punctuation that separates tokens.
const GLUE: u8 = 1;
/// `_ - . + ~`, which separate inside a token.
const INNER: u8 = 2;
/// Letters and every byte beyond ASCII.
const ALPHA: u8 = 4;
/// Letters that are also hexadecimal digits.
const HEX: u8 = 8;
const DIGIT: u8 = 16;
const TOKEN: u8 = INNER | ALPHA | HEX | DIGIT;

pub(crate) static CLASS: [u8; 256] = {
    let mut class = [ALPHA; 256];
    let mut byte = 0;
    while byte < 128 {
        class[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => SPACE,
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => HEX,
            b'g'..=b'z' | b'G'..=b'Z' => ALPHA,
            b'_' | b'-' | b'.' | b'+' | b'~' => INNER,
            0..=0x1f | 0x7f => ALPHA,
            _ => GLUE,
        };
        byte += 1;
    }
    class
};
