//! A bounded table whose entries keep their place: the one that was not asked for the longest makes room.

use std::hash::BuildHasherDefault;

use hashbrown::HashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::node::Node;
use crate::keys::KeyHasher;

/// A node and what only its kind has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry<T> {
    pub(super) node: Node,
    pub(super) of: T,
}

/// Entries in the order of their places, found by the keys of their nodes.
#[derive(Debug, Clone)]
pub(super) struct Table<T> {
    entries: Vec<Entry<T>>,
    places: HashMap<u64, u32, BuildHasherDefault<KeyHasher>>,
}

impl<T> Table<T> {
    pub(super) fn new() -> Self {
        Table {
            entries: Vec::new(),
            places: HashMap::default(),
        }
    }

    pub(super) fn place(&self, key: u64) -> Option<usize> {
        self.places.get(&key).map(|place| *place as usize)
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.places.contains_key(&key)
    }

    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut Entry<T>> {
        let place = self.place(key)?;
        self.entries.get_mut(place)
    }

    /// Adds an entry that is not there yet, and returns the one that had to go for it.
    pub(super) fn insert(&mut self, entry: Entry<T>, max: usize) -> Option<Entry<T>> {
        let key = entry.node.key;
        if self.entries.len() < max.max(1) {
            self.places.insert(key, self.entries.len() as u32);
            self.entries.push(entry);
            return None;
        }
        let (place, oldest) = self
            .entries
            .iter_mut()
            .enumerate()
            .min_by_key(|(_, entry)| entry.node.last)?;
        let evicted = std::mem::replace(oldest, entry);
        self.places.remove(&evicted.node.key);
        self.places.insert(key, place as u32);
        Some(evicted)
    }

    pub(super) fn at(&self, place: usize) -> Option<&Entry<T>> {
        self.entries.get(place)
    }

    pub(super) fn at_mut(&mut self, place: usize) -> Option<&mut Entry<T>> {
        self.entries.get_mut(place)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry<T>> {
        self.entries.iter_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<T: Serialize> Serialize for Table<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entries.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Vec::<Entry<T>>::deserialize(deserializer)?;
        let places = entries
            .iter()
            .zip(0..)
            .map(|(entry, place)| (entry.node.key, place))
            .collect();
        Ok(Table { entries, places })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: u64, last: i64) -> Entry<u32> {
        Entry {
            node: Node::new(key, Vec::new(), last),
            of: 0,
        }
    }

    #[test]
    fn who_was_not_asked_for_the_longest_makes_room_and_the_others_keep_their_places() {
        let mut table = Table::new();
        for key in 0..3 {
            assert!(table.insert(entry(key, 10 + key as i64), 3).is_none());
        }
        table.get_mut(0).unwrap().node.last = 20;
        let evicted = table.insert(entry(7, 21), 3).unwrap();
        assert_eq!(evicted.node.key, 1);
        assert!(!table.contains(1));
        assert_eq!([0, 7, 2].map(|key| table.place(key)), [Some(0), Some(1), Some(2)]);
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn there_is_always_room_for_one() {
        let mut table = Table::new();
        assert!(table.insert(entry(1, 0), 0).is_none());
        assert_eq!(table.insert(entry(2, 1), 0).map(|entry| entry.node.key), Some(1));
        assert_eq!((table.len(), table.place(2)), (1, Some(0)));
    }
}
