//! Which template a message is of, when it was seen before, and how often: all that most messages need.
//!
//! However many templates there are, a message touches one entry of a table and one of the slots: with tens of thousands
//! of templates what costs is the memory that is not at hand.

use std::hash::BuildHasherDefault;

use hashbrown::HashMap;

use super::index::Keyed;
use crate::order;

/// The live slots: by key, by the shapes of messages, and in the order in which they were last seen.
#[derive(Debug, Default)]
pub(super) struct Sights {
    keys: HashMap<u64, u32, BuildHasherDefault<Keyed>>,
    slots: Vec<Sight>,
    /// How often any template was seen, which orders sights.
    now: u64,
    /// The slots that were live a while ago, the one that was not seen for longest at the end: one that has been seen
    /// since then is newer than all that have not.
    queue: Vec<(u64, u32)>,
    shapes: Vec<Shaped>,
    /// How often a template was put into a slot, or a general one taken out of one.
    changes: u32,
    /// That number when it last was a general one.
    general: u32,
}

/// What is counted for a slot.
#[derive(Debug, Clone, Copy, Default)]
struct Sight {
    /// When it was last seen; never where there is no template.
    last: u64,
    count: u64,
    id: u64,
    /// The change that put the template there.
    change: u32,
}

/// What a shape was found to be.
#[derive(Debug, Clone, Copy, Default)]
struct Shaped {
    shape: u64,
    slot: u32,
    /// The changes there had been, twice; odd where its key is that of the template, which no other change alters.
    since: u32,
}

/// Shapes are kept in pairs, the later one first.
const PAIR: usize = 2;

/// Values of one template have several shapes, by how many digits they have.
const SHAPES_EACH: usize = 4;

const FEWEST_SHAPES: usize = 8192;

impl Sights {
    /// How many templates there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The slot with this key.
    pub(super) fn find(&self, key: u64) -> Option<u32> {
        self.keys.get(&key).copied()
    }

    /// The slot of messages with this shape, as far as that is remembered and holds.
    pub(super) fn recall(&self, shape: u64) -> Option<u32> {
        let pair = self.pair(shape);
        let known = self.shapes.get(pair..pair + PAIR)?;
        let known = known.iter().find(|known| known.shape == shape)?;
        let since = known.since / 2;
        let sight = self.slots.get(known.slot as usize)?;
        let exact = known.since & 1 == 1;
        (sight.last > 0 && sight.change <= since && (exact || self.general <= since)).then_some(known.slot)
    }

    /// Remembers that messages of this shape are of this slot; `exact` when they have its key.
    pub(super) fn remember(&mut self, shape: u64, slot: u32, exact: bool) {
        let pair = self.pair(shape);
        let Some(known) = self.shapes.get_mut(pair..pair + PAIR) else {
            return;
        };
        if known[0].shape != shape {
            known[1] = known[0];
        }
        known[0] = Shaped {
            shape,
            slot,
            since: self.changes * 2 + u32::from(exact),
        };
    }

    /// Counts a sight of a slot.
    pub(super) fn see(&mut self, slot: u32) {
        self.now += 1;
        if let Some(sight) = self.slots.get_mut(slot as usize) {
            sight.last = self.now;
            sight.count = sight.count.saturating_add(1);
        }
    }

    /// How often the template in a slot was seen.
    pub(super) fn count(&self, slot: u32) -> u64 {
        self.slots.get(slot as usize).map_or(0, |sight| sight.count)
    }

    /// The identity of the template in a slot, or of the last one that was.
    pub(super) fn id(&self, slot: u32) -> u64 {
        self.slots.get(slot as usize).map_or(0, |sight| sight.id)
    }

    /// Puts a template into a slot; `general` where messages with another key can be of it.
    pub(super) fn insert(&mut self, slot: u32, key: u64, id: u64, count: u64, general: bool) {
        self.change(general);
        self.now += 1;
        if self.slots.len() <= slot as usize {
            self.slots.resize(slot as usize + 1, Sight::default());
        }
        self.slots[slot as usize] = Sight {
            last: self.now,
            count,
            id,
            change: self.changes,
        };
        self.keys.insert(key, slot);
        self.make_room();
    }

    /// Takes a template out of its slot; what was counted for it stays until the next one.
    pub(super) fn remove(&mut self, slot: u32, key: u64, general: bool) {
        if general {
            self.change(true);
        }
        if self.keys.remove(&key).is_some()
            && let Some(sight) = self.slots.get_mut(slot as usize)
        {
            sight.last = 0;
        }
    }

    /// The slot that was not seen for longest.
    pub(super) fn oldest(&mut self) -> Option<u32> {
        loop {
            while let Some((last, slot)) = self.queue.pop() {
                if self.slots.get(slot as usize).is_some_and(|sight| sight.last == last) {
                    return Some(slot);
                }
            }
            if self.keys.is_empty() {
                return None;
            }
            self.queue = self.oldest_first();
            self.queue.reverse();
        }
    }

    /// The live slots, each with when it was last seen.
    pub(super) fn oldest_first(&self) -> Vec<(u64, u32)> {
        let live = self.slots.iter().zip(0..).filter(|(sight, _)| sight.last > 0);
        let mut live: Vec<_> = live.map(|(sight, slot)| (sight.last, slot)).collect();
        order::sort_by_key(&mut live, |(last, _)| *last);
        live
    }

    fn change(&mut self, general: bool) {
        // Once in two thousand million changes all shapes are forgotten, so that none is ever taken for a later one.
        if self.changes == u32::MAX / 2 {
            self.changes = 0;
            self.shapes.fill(Shaped::default());
            self.slots.iter_mut().for_each(|sight| sight.change = 0);
        }
        self.changes += 1;
        if general {
            self.general = self.changes;
        }
    }

    /// Keeps room for the shapes of all templates.
    fn make_room(&mut self) {
        let room = (self.keys.len() * SHAPES_EACH).next_power_of_two().max(FEWEST_SHAPES);
        if room <= self.shapes.len() {
            return;
        }
        let known = std::mem::replace(&mut self.shapes, vec![Shaped::default(); room]);
        // The later one of a pair goes last, so that it is first again.
        for known in known.into_iter().rev().filter(|known| known.since > 0) {
            let pair = self.pair(known.shape);
            self.shapes[pair + 1] = self.shapes[pair];
            self.shapes[pair] = known;
        }
    }

    fn pair(&self, shape: u64) -> usize {
        // The number of shapes is a power of two.
        shape as usize & self.shapes.len().wrapping_sub(PAIR)
    }
}
