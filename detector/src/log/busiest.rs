//! Which kinds of lines a minute was full of, so that a rise of the lines of a log has a name.

use serde::{Deserialize, Serialize};

use super::template::TemplateIndex;
use crate::event::Level;

/// The kinds of lines that were most often among those of a minute, by the algorithm Space-Saving (Metwally, Agrawal and
/// El Abbadi 2005): a kind that has more than one in `MOST_KINDS` of the lines is among them, and its count is too high by
/// at most that share of the lines.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Busiest {
    kinds: Vec<Busy>,
}

/// A kind of lines, and how many of them there were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Busy {
    pub(crate) template: TemplateIndex,
    pub(crate) level: Level,
    pub(crate) lines: u32,
}

const MOST_KINDS: usize = 8;

impl Busiest {
    /// Counts a line.
    pub(super) fn count(&mut self, template: TemplateIndex, level: Level) {
        if let Some(busy) = self.kinds.iter_mut().find(|busy| busy.template == template) {
            busy.lines = busy.lines.saturating_add(1);
            busy.level = level;
            return;
        }
        let mut busy = Busy {
            template,
            level,
            lines: 1,
        };
        if self.kinds.len() < MOST_KINDS {
            self.kinds.push(busy);
        } else if let Some(least) = self.kinds.iter_mut().min_by_key(|busy| busy.lines) {
            busy.lines = least.lines.saturating_add(1);
            *least = busy;
        }
    }

    /// The kind that there is most of beyond what is `usual` of it a minute, among those that are `of` the lines meant.
    pub(crate) fn most_beyond(&self, usual: impl Fn(Busy) -> f64, of: impl Fn(Level) -> bool) -> Option<Busy> {
        let beyond = |busy: Busy| f64::from(busy.lines) - usual(busy);
        let meant = self.kinds.iter().copied().filter(|busy| of(busy.level));
        let most = meant.reduce(|most, busy| if beyond(busy) > beyond(most) { busy } else { most })?;
        (beyond(most) > 0.0).then_some(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Templates;

    #[test]
    fn what_rose_most_is_named_and_not_what_there_is_most_of() {
        let mut templates = Templates::new(100);
        let mut of = |text: &str| templates.observe(text).index;
        let (often, risen, bad) = (of("alive and well"), of("queue is long"), of("cannot reach the ledger"));
        let mut busiest = Busiest::default();
        for (template, level, lines) in [
            (often, Level::Info, 60),
            (risen, Level::Info, 9),
            (bad, Level::Error, 4),
        ] {
            for _ in 0..lines {
                busiest.count(template, level);
            }
        }
        let usual = |busy: Busy| if busy.template == often { 58.0 } else { 0.5 };
        let found = busiest.most_beyond(usual, |_| true).unwrap();
        assert_eq!((found.template, found.lines), (risen, 9));
        let found = busiest.most_beyond(usual, |level| level >= Level::Error).unwrap();
        assert_eq!((found.template, found.lines), (bad, 4));
        assert_eq!(busiest.most_beyond(|_| 100.0, |_| true), None);
    }

    #[test]
    fn a_kind_of_many_lines_is_found_among_any_number_of_kinds() {
        let mut templates = Templates::new(1_000);
        let mut busiest = Busiest::default();
        let words = [
            "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty", "knoll",
        ];
        let many = templates.observe("the one line that comes all the time").index;
        for (n, word) in words.iter().cycle().take(400).enumerate() {
            busiest.count(templates.observe(&format!("{word} is {word}")).index, Level::Info);
            if n % 3 == 0 {
                busiest.count(many, Level::Info);
            }
        }
        let found = busiest.most_beyond(|_| 0.0, |_| true).unwrap();
        assert_eq!(found.template, many);
        assert!((134..=134 + 534 / 8).contains(&found.lines), "{}", found.lines);
    }
}
