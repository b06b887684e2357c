//! A phrase as people write it: with a slip, or in other words and another order.

use super::literal::LEAST_LITERAL;

/// A phrase to be found in a line, in either case.
#[derive(Debug, Clone)]
pub(super) enum Phrase {
    /// Up to so many bytes are missing, added or others.
    Spelled(Box<Spelled>),
    /// At least so many of its words are there, in any order.
    Worded {
        /// In lower case, each once.
        words: Vec<String>,
        least: usize,
    },
}

/// One row of the table of edit distances, as bits (Myers, "A fast bit-vector algorithm for approximate string matching
/// based on dynamic programming", JACM 1999): a few operations for a byte, whatever the phrase.
#[derive(Debug, Clone)]
pub(super) struct Spelled {
    /// At which places of the phrase a byte stands, by the byte.
    places: [u64; 256],
    length: u32,
    distance: u32,
}

impl Phrase {
    /// A phrase of 1 to 64 bytes.
    pub(super) fn spelled(phrase: &str, distance: u32) -> Self {
        let mut places = [0; 256];
        for (index, byte) in phrase.bytes().take(64).enumerate() {
            for byte in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
                if let Some(place) = places.get_mut(usize::from(byte)) {
                    *place |= 1 << index;
                }
            }
        }
        Phrase::Spelled(Box::new(Spelled {
            places,
            length: phrase.len().min(64) as u32,
            distance,
        }))
    }

    /// A share of the words of a phrase.
    pub(super) fn worded(phrase: &str, similarity: f64) -> Self {
        let mut words: Vec<String> = Vec::new();
        for word in parts(phrase).map(str::to_ascii_lowercase) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let least = libm::ceil(similarity * words.len() as f64 - 1e-9) as usize;
        Phrase::Worded {
            words,
            least: least.max(1),
        }
    }

    /// Texts of which one stands in every line that the phrase is found in.
    pub(super) fn literals(&self, phrase: &str) -> Option<Vec<String>> {
        let texts: Vec<String> = match self {
            // So many slips cannot spoil one piece more.
            Phrase::Spelled(spelled) => {
                let lower = phrase.to_ascii_lowercase();
                let pieces = spelled.distance as usize + 1;
                let cut = |piece: usize| lower.floor_char_boundary(lower.len() * piece / pieces);
                (0..pieces)
                    .map(|piece| Some(lower.get(cut(piece)..cut(piece + 1))?.to_owned()))
                    .collect::<Option<_>>()?
            }
            // So many words can be missing: of one more, one is there.
            Phrase::Worded { words, least } => {
                let mut longest: Vec<String> = Vec::new();
                for word in words {
                    let at = longest.partition_point(|before| before.len() >= word.len());
                    longest.insert(at, word.clone());
                }
                longest.truncate(words.len() - least.min(&words.len()) + 1);
                longest
            }
        };
        texts.iter().all(|text| text.len() >= LEAST_LITERAL).then_some(texts)
    }

    pub(super) fn is_in(&self, line: &str) -> bool {
        match self {
            Phrase::Spelled(spelled) => spelled.is_in(line.as_bytes()),
            Phrase::Worded { words, least } => {
                let mut seen = 0_u64;
                for part in parts(line) {
                    if let Some(place) = words.iter().position(|word| word.eq_ignore_ascii_case(part)) {
                        seen |= 1_u64.checked_shl(place as u32).unwrap_or(0);
                    }
                }
                seen.count_ones() as usize >= *least
            }
        }
    }
}

impl Spelled {
    fn is_in(&self, line: &[u8]) -> bool {
        let last = 1_u64 << (self.length - 1);
        let (mut more, mut less) = (u64::MAX, 0_u64);
        let mut distance = self.length;
        for byte in line {
            let equal = self.places.get(usize::from(*byte)).copied().unwrap_or(0);
            let vertical = equal | less;
            let horizontal = ((equal & more).wrapping_add(more) ^ more) | equal;
            let mut up = less | !(horizontal | more);
            let mut down = more & horizontal;
            if up & last != 0 {
                distance += 1;
            } else if down & last != 0 {
                distance -= 1;
            }
            if distance <= self.distance {
                return true;
            }
            // What comes before the phrase costs nothing: no bit is carried in.
            up <<= 1;
            down <<= 1;
            more = down | !(vertical | up);
            less = up & vertical;
        }
        false
    }
}

/// The words of a text.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
}
