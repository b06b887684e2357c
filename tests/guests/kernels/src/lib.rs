//! Parts of the detector that other programs have too, alone, so that they can be measured beside those programs:
//! linked in, and in wasm as a module without imports.

#[cfg(target_family = "wasm")]
mod exports;

use std::borrow::Cow;
use std::num::NonZeroU32;

use watchpost_detector::Miner;

/// As many templates as the goal for speed names.
const MOST: NonZeroU32 = NonZeroU32::new(50_000).unwrap();

/// Mines the templates of lines.
#[derive(Debug)]
pub struct Mine(Miner);

impl Default for Mine {
    fn default() -> Self {
        Mine(Miner::new(MOST))
    }
}

impl Mine {
    /// Takes whole lines, and tells how many templates there are then.
    pub fn lines(&mut self, lines: &[u8]) -> usize {
        // All of them at once are sooner known to be text than one by one.
        let lines = match str::from_utf8(lines) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(lines),
        };
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', lines.as_bytes()) {
            self.0.observe(&lines[from..end]);
            from = end + 1;
        }
        if from < lines.len() {
            self.0.observe(&lines[from..]);
        }
        self.0.len()
    }
}
