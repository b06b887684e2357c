//! Where templates are found that have not the key of a message: by the open positions of their skeleton, and by their
//! outer words.
//!
//! The index follows from the templates alone, whatever happened before, so that it need not be saved.

use std::collections::BTreeSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::Template;
use crate::log::token::{MASKED, STEP};
use crate::order;
use hashbrown::HashMap;

/// How many templates with the same outer words are compared with a new message, the youngest first. It bounds the
/// work for a message; a program that has more messages which differ only in between is rare.
const NEAR: usize = 64;

/// How many sets of open positions are tried for a message, those with the fewest first.
const SETS: usize = 64;

/// What finds templates by something other than their key.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// By skeleton: the sets of open positions, fewest first, with how many templates have each.
    sets: HashMap<u64, Vec<OpenSet>, BuildHasherDefault<Keyed>>,
    /// By skeleton and outer word: age and slot, oldest first. One tree of all, as many templates can share a word.
    near: BTreeSet<(u64, u64, u32)>,
    /// By the key of the loose reading: the slots of templates that are not read loosely yet.
    variants: HashMap<u64, u32, BuildHasherDefault<Keyed>>,
}

#[derive(Debug)]
struct OpenSet {
    positions: u128,
    templates: u32,
}

impl OpenSet {
    fn order(positions: u128) -> (u32, u128) {
        (positions.count_ones(), positions)
    }
}

impl Index {
    /// The sets of open positions that templates of a skeleton have.
    pub(super) fn open_sets(&self, skeleton: u64) -> impl Iterator<Item = u128> {
        let sets = self.sets.get(&skeleton).map_or(&[][..], Vec::as_slice);
        sets.iter().take(SETS).map(|set| set.positions)
    }

    /// The slots of templates of a skeleton whose first literal, or last, is that of `hashes`.
    pub(super) fn near(&self, skeleton: u64, hashes: impl DoubleEndedIterator<Item = u64> + Clone) -> Vec<u32> {
        let mut slots = Vec::new();
        for end in ends(skeleton, hashes) {
            let near = self.near.range((end, 0, 0)..=(end, u64::MAX, u32::MAX));
            slots.extend(near.rev().take(NEAR).map(|&(_, _, slot)| slot));
        }
        order::sort_by_key(&mut slots, |slot| u64::from(*slot));
        slots.dedup();
        slots
    }

    /// The template that reads like this loosely, but is not read so yet.
    pub(super) fn variant(&self, loose_key: u64) -> Option<u32> {
        self.variants.get(&loose_key).copied()
    }

    pub(super) fn insert(&mut self, slot: u32, template: &Template) {
        if let Some(key) = template.loose_key() {
            self.variants.entry(key).or_insert(slot);
        }
        if template.open != 0 {
            let sets = self.sets.entry(template.skeleton).or_default();
            let order = OpenSet::order(template.open);
            match sets.binary_search_by_key(&order, |set| OpenSet::order(set.positions)) {
                Ok(at) => sets[at].templates += 1,
                Err(at) => {
                    let set = OpenSet {
                        positions: template.open,
                        templates: 1,
                    };
                    sets.insert(at, set);
                }
            }
        }
        for end in ends(template.skeleton, template.hashes.iter().copied()) {
            self.near.insert((end, template.born, slot));
        }
    }

    pub(super) fn remove(&mut self, slot: u32, template: &Template) {
        if let Some(key) = template.loose_key()
            && self.variants.get(&key) == Some(&slot)
        {
            self.variants.remove(&key);
        }
        if template.open != 0
            && let Some(sets) = self.sets.get_mut(&template.skeleton)
        {
            for set in &mut *sets {
                if set.positions == template.open {
                    set.templates -= 1;
                }
            }
            sets.retain(|set| set.templates > 0);
            if sets.is_empty() {
                self.sets.remove(&template.skeleton);
            }
        }
        for end in ends(template.skeleton, template.hashes.iter().copied()) {
            self.near.remove(&(end, template.born, slot));
        }
    }
}

/// The keys of the first and the last literal, so that templates which differ in one position share one of them.
fn ends(skeleton: u64, hashes: impl DoubleEndedIterator<Item = u64> + Clone) -> [u64; 2] {
    let mut literals = hashes.filter(|&hash| hash != MASKED);
    let last = literals.clone().next_back().unwrap_or(MASKED);
    let first = literals.next().unwrap_or(MASKED);
    [
        skeleton.wrapping_add(first.wrapping_mul(STEP)),
        skeleton.wrapping_add(last.wrapping_mul(STEP.wrapping_mul(3))),
    ]
}

/// The hasher of keys that are hashes already.
#[derive(Debug, Default)]
pub(super) struct Keyed(u64);

impl Hasher for Keyed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Keys are u64 and come by `write_u64`; this keeps the contract for all else.
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
