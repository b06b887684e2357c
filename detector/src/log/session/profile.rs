//! The profile of a session: which events it has, and about how often each.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::order;

/// Events in the order of their identities, each with the [size](size) of its count.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Profile(pub(super) Vec<(u64, u8)>);

/// Where two profiles differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    pub(super) event: u64,
    /// The size of its count here, and in the other one; 0 where it is lacking.
    pub(super) here: u8,
    pub(super) there: u8,
}

/// Counts are told apart by their number of binary digits: 1, 2 to 3, 4 to 7. How often a session repeats itself varies
/// more the more often it does.
pub(super) fn size(count: u32) -> u8 {
    (u32::BITS - count.leading_zeros()) as u8
}

/// The least and the greatest count of a size.
pub(super) fn counts(size: u8) -> (u32, u32) {
    match size {
        0 => (0, 0),
        size => {
            let least = 1u32.checked_shl(u32::from(size) - 1).unwrap_or(u32::MAX);
            (least, least.saturating_mul(2).saturating_sub(1).max(least))
        }
    }
}

impl Profile {
    pub(super) fn new(counts: &[(u64, u32)]) -> Self {
        let mut events = counts
            .iter()
            .map(|(event, count)| (*event, size(*count)))
            .collect::<Vec<_>>();
        order::sort_by_key(&mut events, |event| event.0);
        Profile(events)
    }

    pub(super) fn key(&self) -> u64 {
        let mut hash = Xxh3::new();
        for (event, size) in &self.0 {
            hash.update(&event.to_le_bytes());
            hash.update(&[*size]);
        }
        hash.digest()
    }

    /// Where it differs from another one, in the order of events.
    pub(super) fn differences<'a>(&'a self, other: &'a Profile) -> impl Iterator<Item = Difference> + 'a {
        let (mut here, mut there) = (self.0.iter().peekable(), other.0.iter().peekable());
        std::iter::from_fn(move || {
            loop {
                let event = match (here.peek(), there.peek()) {
                    (Some((a, _)), Some((b, _))) => *a.min(b),
                    (Some((event, _)), None) | (None, Some((event, _))) => *event,
                    (None, None) => return None,
                };
                let difference = Difference {
                    event,
                    here: here.next_if(|(next, _)| *next == event).map_or(0, |(_, size)| *size),
                    there: there.next_if(|(next, _)| *next == event).map_or(0, |(_, size)| *size),
                };
                if difference.here != difference.there {
                    return Some(difference);
                }
            }
        })
    }

    /// Has one event stand for another as well; the counts add up to about the greater one.
    pub(super) fn merge(&mut self, younger: u64, older: u64) {
        let Some(at) = self.0.iter().position(|(event, _)| *event == younger) else {
            return;
        };
        let (_, size) = self.0.remove(at);
        match self.0.iter_mut().find(|(event, _)| *event == older) {
            Some((_, other)) => *other = size.max(*other),
            None => {
                self.0.push((older, size));
                order::sort_by_key(&mut self.0, |event| event.0);
            }
        }
    }
}
