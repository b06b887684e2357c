//! A hasher for keys that are hashes already.

use std::hash::Hasher;

/// Passes a 64-bit key on as it is: the keys are xxh3 hashes, the same on every target. Tables with it are
/// looked up and walked in the order of use, never in the order of their hashes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only keys of eight bytes are used; anything else still has to land somewhere.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
