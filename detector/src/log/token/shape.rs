//! What two messages share that are read alike: everything but the digits of their values.

use super::{ALPHA, CLASS, HEX, MAX_BYTES, SPACE, STEP};

/// As much is copied at once, so that few copies need a second one.
const STRIDE: usize = 32;

/// A digit takes one bit of a word.
const WORD: usize = 64;

/// For a message and whole words beyond its end. Positions are taken modulo `LAST`, which changes none of them, so that
/// the compiler need not have them checked.
const ROOM: usize = 2 * LAST;
const LAST: usize = 2 * MAX_BYTES;

/// Lengths of runs of digits from here on are all the same.
const LONG: usize = 6;

/// In place of a run of digits: a byte that no text has. One whose length is part of the shape adds it.
const RUN: u8 = 0xf8;

/// In place of a run that is a single digit of a name, which is part of the name: the digit.
const NAMED: u8 = 0;

/// What stands in place of a run of digits: by the kind of the byte before it, whether a colon follows, and its length.
///
/// Of what lengths are read, the tokens with a syntax tell: minutes have two digits and a port no more than five, hours
/// one or two, milliseconds behind a comma have three, a year four. One digit behind a letter can be part of a name.
static RUNS: [u8; 128] = {
    let mut runs = [RUN; 128];
    let mut at = 0;
    while at < runs.len() {
        let (kind, colon, length) = (at / 16 * 16, at & 8 != 0, at % 8);
        let told = match kind {
            COLON => length == 2 || length == LONG,
            COMMA => length == 3 || length == 4,
            BLANK => length == 4,
            _ => false,
        };
        if kind == LETTER && length == 1 {
            runs[at] = NAMED;
        } else if told || colon && length <= 2 {
            runs[at] += length as u8;
        }
        at += 1;
    }
    runs
};

const COLON: usize = 16;
const COMMA: usize = 32;
const BLANK: usize = 48;
const LETTER: usize = 64;

/// The kinds of bytes that may stand before a run of digits.
static BEFORE: [u8; 256] = {
    let mut before = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        before[byte] = match byte as u8 {
            b':' => COLON,
            b',' => COMMA,
            _ if CLASS[byte] == SPACE => BLANK,
            _ if CLASS[byte] & (ALPHA | HEX) != 0 => LETTER,
            _ => 0,
        } as u8;
        byte += 1;
    }
    before
};

/// Reads the shapes of messages. Messages of one shape have the same tokens, but for the digits of masked ones: to have
/// seen a shape once is to know how to read it, and to find it takes a fraction of the work.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The message, and zeros behind it.
    padded: Box<[u8; ROOM]>,
    /// What is left of it.
    shape: Box<[u8; ROOM]>,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            padded: Box::new([0; ROOM]),
            shape: Box::new([0; ROOM]),
        }
    }
}

impl Shape {
    /// The hash of a message's shape; none for one that is not read to its end.
    #[inline]
    pub(crate) fn of(&mut self, message: &str) -> Option<u64> {
        let length = message.len();
        if length > MAX_BYTES {
            return None;
        }
        self.padded[..length].copy_from_slice(message.as_bytes());
        self.padded[length..length + WORD].fill(0);
        let length = self.leave_out_digits(length);
        Some(self.hash(length))
    }

    /// Copies what is between the digits, with one byte for a run of them. Returns how many bytes there are then.
    fn leave_out_digits(&mut self, length: usize) -> usize {
        let (padded, shape) = (&*self.padded, &mut *self.shape);
        let (mut from, mut to) = (0, 0);
        for (word, bytes) in padded.as_chunks::<WORD>().0.iter().enumerate().take(length / WORD + 1) {
            let mut digits = digits_of(bytes);
            // The rest of a run that began in the word before.
            if from > word * WORD {
                digits &= u64::MAX.checked_shl((from - word * WORD) as u32).unwrap_or(0);
            }
            while digits != 0 {
                let first = digits.trailing_zeros();
                let run = (digits >> first).trailing_ones();
                // Adding to its first digit carries through all of a run.
                digits &= digits.wrapping_add(1 << first);
                let start = word * WORD + first as usize;
                let mut end = start + run as usize;
                if end.is_multiple_of(WORD) {
                    end += padded[end..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                }
                to += copy(padded, from, start - from, shape, to);
                shape[to % LAST] = told(padded, start, end);
                to += 1;
                from = end;
            }
        }
        to + copy(padded, from, length - from, shape, to)
    }

    fn hash(&mut self, length: usize) -> u64 {
        const BLOCK: usize = 32;
        // What was copied too much is no part of it.
        self.shape[length..length + BLOCK].fill(0);
        // Shifts that differ keep the compiler from vectors, which multiply slowly in wasm.
        const SHIFTS: [u32; 4] = [32, 29, 31, 33];
        let mut lanes = [length as u64, STEP, !STEP, STEP.rotate_left(32)];
        for block in self.shape.as_chunks::<BLOCK>().0.iter().take(length.div_ceil(BLOCK)) {
            for ((lane, word), shift) in lanes.iter_mut().zip(block.as_chunks::<8>().0).zip(SHIFTS) {
                *lane = mix(*lane ^ u64::from_le_bytes(*word), shift);
            }
        }
        let [first, lanes @ ..] = lanes;
        lanes
            .into_iter()
            .fold(first, |hash, lane| mix(hash.rotate_left(23) ^ lane, 32))
    }
}

/// The multiplier and the shift are those of the finaliser of MurmurHash3, as for the skeleton.
fn mix(bits: u64, shift: u32) -> u64 {
    let mixed = bits.wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ mixed >> shift
}

/// Which of the bytes are digits.
fn digits_of(bytes: &[u8; WORD]) -> u64 {
    let parts = bytes.as_chunks::<16>().0.iter().enumerate();
    parts.fold(0, |digits, (at, part)| {
        digits | u64::from(digits_of_part(part)) << (16 * at)
    })
}

#[cfg(target_feature = "simd128")]
#[inline]
fn digits_of_part(bytes: &[u8; 16]) -> u16 {
    use core::arch::wasm32::{u8x16_bitmask, u8x16_lt, u8x16_splat, u8x16_sub, u64x2};
    let word = u128::from_le_bytes(*bytes);
    let values = u8x16_sub(u64x2(word as u64, (word >> 64) as u64), u8x16_splat(b'0'));
    u8x16_bitmask(u8x16_lt(values, u8x16_splat(10)))
}

#[cfg(not(target_feature = "simd128"))]
#[inline]
fn digits_of_part(bytes: &[u8; 16]) -> u16 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let of_half = |half: u64| {
        // A digit is less than ten more than a zero; what is not carries into the highest bit.
        let values = half ^ (EACH * b'0' as u64);
        let others = (values & (EACH * 0x7f)).wrapping_add(EACH * (0x80 - 10)) | values;
        let each = !others >> 7 & EACH;
        // Every byte adds its bit at another place of the highest byte.
        each.wrapping_mul(0x0102_0408_1020_4080) >> 56
    };
    let word = u128::from_le_bytes(*bytes);
    (of_half(word as u64) | of_half((word >> 64) as u64) << 8) as u16
}

/// Copies so many bytes, and perhaps some more; returns how many were asked for.
#[inline]
fn copy(from: &[u8; ROOM], at: usize, length: usize, to: &mut [u8; ROOM], start: usize) -> usize {
    let mut copied = 0;
    loop {
        let (piece, place) = ((at + copied) % LAST, (start + copied) % LAST);
        to[place..place + STRIDE].copy_from_slice(&from[piece..piece + STRIDE]);
        copied += STRIDE;
        if copied >= length {
            return length;
        }
    }
}

/// What stands in the shape for the digits from `start` to `end`.
#[inline]
fn told(bytes: &[u8; ROOM], start: usize, end: usize) -> u8 {
    let before = if start == 0 {
        0
    } else {
        BEFORE[usize::from(bytes[(start - 1) % LAST])]
    };
    let colon = usize::from(bytes[end % LAST] == b':') * 8;
    match RUNS[(usize::from(before) + colon + (end - start).min(LONG)) % RUNS.len()] {
        NAMED => bytes[start % LAST],
        run => run,
    }
}
