//! Random numbers that are the same everywhere: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).

use serde::{Deserialize, Serialize};

/// A stream of random numbers; its whole state is one word, so that a snapshot goes on where it stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Random(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The stream of a seed. `part` gives each tree a stream of its own, so that they can be grown in any order.
    pub(crate) fn new(seed: u64, part: u64) -> Self {
        Random(Random(seed).next() ^ Random(part.wrapping_mul(STEP)).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, or 0 when there is none (Lemire's multiplication; its bias is below 2⁻³² here).
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// A number in [0, 1), with 53 bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Brings a random choice of `count` elements to the front, in random order.
    pub(crate) fn choose<T>(&mut self, elements: &mut [T], count: usize) {
        for position in 0..count.min(elements.len()) {
            let other = position + self.below(elements.len() - position);
            elements.swap(position, other);
        }
    }
}
