//! Templates without a detector, for who wants to know what lines are and not whether they are strange.

use std::num::NonZeroU32;

use super::parameter::Parameter;
use super::template::{TemplateIndex, Templates};

/// Mines templates from log messages, one by one, in bounded memory.
///
/// ```
/// use std::num::NonZeroU32;
/// use watchpost_detector::Miner;
///
/// let mut miner = Miner::new(NonZeroU32::new(1_000).unwrap());
/// let first = miner.observe("took 5 ms");
/// let second = miner.observe("took 7 ms");
/// assert!(first.new && !second.new && first.id == second.id);
/// assert_eq!(miner.text(second), "took <*> ms");
/// ```
#[derive(Debug)]
pub struct Miner {
    templates: Templates,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mined {
    /// The identity of its template: a hash of the text that the template was made with, the same on every host.
    pub id: u64,
    /// Whether the template was made for it.
    pub new: bool,
    /// Whether the template that was least recently seen had to give way.
    pub evicted: bool,
    index: TemplateIndex,
}

impl Miner {
    /// No templates yet, and never more than `most`: the least recently seen gives way.
    pub fn new(most: NonZeroU32) -> Self {
        Miner {
            templates: Templates::new(most.get()),
        }
    }

    /// Finds the template of a message; makes one, or generalises one, where none fits.
    #[inline]
    pub fn observe(&mut self, message: &str) -> Mined {
        let matched = self.templates.observe(message);
        Mined {
            id: self.templates.id(matched.index),
            new: matched.new,
            evicted: matched.evicted,
            index: matched.index,
        }
    }

    /// The text of a template, with `<*>` for what varies; empty once the template was given up.
    pub fn text(&self, mined: Mined) -> &str {
        self.templates.text(mined.index)
    }

    /// What a message of the template has where the template has `<*>`, in the order of the message.
    pub fn parameters<'m>(&self, mined: Mined, message: &'m str) -> Vec<Parameter<'m>> {
        self.templates.parameters(mined.index, message)
    }

    /// How many templates there are.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks whether a miner is empty")]
    pub fn len(&self) -> usize {
        self.templates.len()
    }
}
