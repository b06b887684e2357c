//! Finds many texts in a line at once, in either case: the patterns that a line may match.
//!
//! Only every few bytes are looked at: a text of n bytes holds one of the places that are n − 3 bytes apart, with four
//! bytes of it behind. The idea is that of Wu and Manber (1994); with fixed steps the time that a line takes depends on its
//! length and on what is found, and on nothing else.

use super::literal::LEAST_LITERAL;

/// Texts to look for, each on behalf of somebody.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    /// How far apart the places are that are looked at.
    stride: usize,
    /// Which four bytes stand in a text, by a hash of them: nearly all of a line is done with this.
    marks: Vec<u64>,
    /// Four bytes of a text with the text and their place in it, in the order of their words of `marks`.
    grams: Vec<Gram>,
    /// Where those of a word begin, and those of the last one end.
    starts: Vec<u32>,
    texts: Vec<Text>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Gram {
    bytes: u32,
    text: u32,
    offset: usize,
}

#[derive(Debug, Clone)]
struct Text {
    bytes: Vec<u8>,
    of: usize,
}

/// Bits of the hash of four bytes.
const HASH_BITS: u32 = 14;

impl Filter {
    /// A filter for these texts of at least four bytes each.
    pub(super) fn new<'a>(texts: impl Iterator<Item = (usize, &'a str)>) -> Self {
        let texts: Vec<Text> = texts
            .map(|(of, text)| Text {
                bytes: text.as_bytes().to_vec(),
                of,
            })
            .collect();
        let shortest = texts.iter().map(|text| text.bytes.len()).min().unwrap_or(LEAST_LITERAL);
        let stride = (shortest + 1).saturating_sub(LEAST_LITERAL).max(1);
        let mut grams: Vec<Gram> = texts
            .iter()
            .enumerate()
            .flat_map(|(index, text)| {
                let places = text.bytes.windows(LEAST_LITERAL).take(stride).enumerate();
                places.filter_map(move |(offset, bytes)| {
                    Some(Gram {
                        bytes: folded(bytes)?,
                        text: u32::try_from(index).ok()?,
                        offset,
                    })
                })
            })
            .collect();
        grams.sort_unstable_by_key(|gram| (place(gram.bytes).0, *gram));
        let mut marks = vec![0; 1 << (HASH_BITS - 6)];
        let mut starts = vec![0; marks.len() + 1];
        for gram in &grams {
            let (word, bit) = place(gram.bytes);
            if let Some(word) = marks.get_mut(word) {
                *word |= bit;
            }
            if let Some(next) = starts.get_mut(word + 1) {
                *next += 1;
            }
        }
        let mut before = 0;
        for start in &mut starts {
            before += *start;
            *start = before;
        }
        Filter {
            stride,
            marks,
            grams,
            starts,
            texts,
        }
    }

    /// Tells on whose behalf a text was found, possibly more than once.
    pub(super) fn scan(&self, line: &[u8], mut found: impl FnMut(usize)) {
        if self.grams.is_empty() {
            return;
        }
        let mut at = 0;
        while let Some(bytes) = line.get(at..at + LEAST_LITERAL).and_then(folded) {
            let (word, bit) = place(bytes);
            if self.marks.get(word).is_some_and(|word| word & bit != 0) {
                self.verify(line, at, bytes, &mut found);
            }
            at += self.stride;
        }
    }

    #[inline(never)]
    fn verify(&self, line: &[u8], at: usize, bytes: u32, found: &mut impl FnMut(usize)) {
        let (word, _) = place(bytes);
        let Some([first, end]) = self.starts.get(word..word + 2) else {
            return;
        };
        let grams = self.grams.get(*first as usize..*end as usize).unwrap_or_default();
        for gram in grams.iter().filter(|gram| gram.bytes == bytes) {
            let text = usize::try_from(gram.text).ok().and_then(|text| self.texts.get(text));
            if let Some(text) = text
                && let Some(start) = at.checked_sub(gram.offset)
                && let Some(there) = line.get(start..start + text.bytes.len())
                && there.eq_ignore_ascii_case(&text.bytes)
            {
                found(text.of);
            }
        }
    }
}

/// Four bytes as a number in which the case of letters means nothing.
fn folded(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.try_into().ok()?) | 0x2020_2020)
}

fn place(bytes: u32) -> (usize, u64) {
    let hash = bytes.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
    ((hash >> 6) as usize, 1 << (hash & 63))
}
