//! How unlike other kinds of lines a kind of line is, by its words.
//!
//! The words of a template are hashed to a vector of a fixed number of features, each word to four of them and each
//! with a sign of its own, so that words that fall together cancel on average (Weinberger, Dasgupta, Langford, Smola and
//! Attenberg, *Feature Hashing for Large Scale Multitask Learning*, ICML 2009, there with multiple hashing), and weigh
//! by how few templates have them (Spärck Jones 1972: inverse document frequency). Models of rows then say how strange
//! the vector is. With several places for a word there is no feature that only unusual lines have: those are never the
//! same in a sample of usual ones, where a forest could not split.
//!
//! A vector belongs to a template, not to its lines: it is looked at when the template has been seen for the first, the
//! second, the fourth, the eighth time and so on. So a known line costs nothing, what is frequent counts by the
//! logarithm of how frequent it is, and a template that became more general is looked at as it is by then.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::event::Finite;
use crate::joint::{Joint, JointModel};
use crate::number::Bounded;
use crate::order;
use crate::threshold::{PRIOR_EVENTS, Tail, of_deviation, within};

/// The models of the words of lines, for all logs of a detector together: its templates are of all of them, too.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Vectors {
    models: Vec<Calibrated>,
    /// Templates that were seen, and how many of them have a word with this hash. Both are forgotten slowly.
    templates: u32,
    having: Vec<u16>,
}

/// Features of a vector.
pub(crate) const WIDTH: usize = 32;
/// Features that a word counts for.
const PLACES: u32 = 4;
/// Hashes of words that are told apart.
const WORDS: usize = 4096;
/// Words of a template that are looked at.
const MOST_WORDS: usize = 64;
/// From so many templates on, all of them count half.
const MEMORY: u32 = 1 << 15;
/// All that is random comes from here.
const SEED: u64 = 0;
/// Bytes of what is kept beside the models.
pub(crate) const BYTES: usize = 2 * WORDS + 200;

impl Vectors {
    /// How strange the words of a template are: a surprise of at least 0, which is 0 before the models know enough. It is
    /// learned afterwards; `first` where the template was never looked at before. New kinds of lines have new words, so
    /// that they are compared with new ones: that it is new is another's evidence.
    pub(crate) fn look(&mut self, models: &BTreeSet<JointModel>, text: &str, first: bool) -> f64 {
        if models.is_empty() {
            return 0.0;
        }
        if self.models.is_empty() {
            self.models = models.iter().map(|model| Calibrated::new(*model)).collect();
        }
        if first {
            self.count(text);
        }
        let row = self.row(text);
        // They look at the same words, so that the strangest has to make up for how many were asked (Bonferroni).
        let asked = libm::log10(self.models.len() as f64);
        let surprise = self
            .models
            .iter_mut()
            .map(|model| model.look(&row, first))
            .fold(0.0, Bounded::at_least);
        (surprise - asked).at_least(0.0)
    }

    /// The word that makes a template strange, and the model that says so.
    pub(crate) fn strangest<'a>(&self, text: &'a str) -> Option<(&'a str, JointModel)> {
        let row = self.row(text);
        let strange = |model: &Calibrated| model.nominal(model.joint.score(&row).unwrap_or(0.0));
        let model = self.models.iter().max_by(|a, b| strange(a).total_cmp(&strange(b)))?;
        let parts = model.joint.parts(&row);
        // Words that fall together are told apart by how rare they are.
        let part = |word: &str| {
            let hash = hash(word);
            let parts = places(hash).map(|(place, _)| parts.get(place).copied().unwrap_or(0.0));
            parts.sum::<f64>() * self.rarity(hash)
        };
        let word = words(text).max_by(|a, b| part(a).total_cmp(&part(b)))?;
        Some((word, model.joint.model()))
    }

    fn count(&mut self, text: &str) {
        self.having.resize(WORDS, 0);
        if self.templates >= MEMORY {
            self.templates /= 2;
            self.having.iter_mut().for_each(|count| *count /= 2);
        }
        self.templates += 1;
        let mut hashes: Vec<u64> = words(text).map(hash).collect();
        order::sort_by_key(&mut hashes, |hash| *hash);
        hashes.dedup();
        for hash in hashes {
            if let Some(count) = self.having.get_mut(bucket(hash)) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// The inverse document frequency of a word, smoothed: 1 where all templates have it.
    fn rarity(&self, hash: u64) -> f64 {
        let having = self.having.get(bucket(hash)).copied().unwrap_or(0);
        libm::log((1.0 + f64::from(self.templates)) / (1.0 + f64::from(having))) + 1.0
    }

    /// The vector of a text, as deviations in units of what is usual are. However many words it has, it is the longer the
    /// rarer they are; of words that no template had before its mean square is 1.
    fn row(&self, text: &str) -> [Finite; WIDTH] {
        let mut sums = [0.0; WIDTH];
        let mut count = 0.0;
        for word in words(text) {
            let hash = hash(word);
            count += 1.0;
            let rarity = self.rarity(hash);
            for (place, negative) in places(hash) {
                if let Some(sum) = sums.get_mut(place) {
                    *sum += if negative { -rarity } else { rarity };
                }
            }
        }
        let rarest = libm::log(1.0 + f64::from(self.templates)) + 1.0;
        let scale = libm::sqrt(WIDTH as f64 / (f64::from(PLACES) * count.at_least(1.0))) / rarest;
        sums.map(|sum| Finite::new(sum * scale).unwrap_or_default())
    }
}

/// A model, and what its scores usually are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Calibrated {
    joint: Joint,
    seen: f64,
    /// The usual score, and how far scores are from it.
    level: f64,
    spread: f64,
    /// How often that was reached by templates that were known, and by new ones.
    known: Reached,
    new: Reached,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Reached {
    seen: f64,
    tail: Tail,
}

/// Scores are forgotten after about so many.
const SCORES: f64 = 512.0;
/// From so many scores on it is known what is usual, and how often it is reached.
const FIRST_SCORES: f64 = 16.0;
/// How much faster than assumed the measured tail of scores may fall.
const STEEPEST: f32 = 4.0;
/// Scores wander by such a share of what is usual because models are random, and by so much where nothing is usual.
const SHARE: f64 = 0.01;
const FLOOR: f64 = 0.005;
/// What a farther score counts as when it is learned, in usual ones.
const REACH: f64 = 4.0;

impl Calibrated {
    fn new(model: JointModel) -> Self {
        let reached = Reached {
            seen: 0.0,
            tail: Tail::new(STEEPEST, PRIOR_EVENTS),
        };
        Calibrated {
            joint: Joint::new(model, WIDTH, SEED),
            seen: 0.0,
            level: 0.0,
            spread: 0.0,
            known: reached.clone(),
            new: reached,
        }
    }

    /// How surprising a vector is, which is learned then.
    fn look(&mut self, row: &[Finite], first: bool) -> f64 {
        let mut surprise = 0.0;
        if let Some(score) = self.joint.score(row) {
            let nominal = self.nominal(score);
            let of = if first { &mut self.new } else { &mut self.known };
            surprise = of.surprise(nominal);
            if self.seen >= FIRST_SCORES {
                of.learn(nominal);
            }
            self.learn(score);
        }
        self.joint.learn(row, 1.0);
        surprise
    }

    fn learn(&mut self, score: f64) {
        self.seen += 1.0;
        let reach = if self.seen > FIRST_SCORES {
            REACH * self.usual_spread()
        } else {
            f64::INFINITY
        };
        let away = within(score - self.level, -reach, reach);
        let rate = (1.0 / self.seen).at_least(1.0 / SCORES);
        self.level += rate * away;
        self.spread += rate * (away.abs() - self.spread);
    }

    /// Only what is stranger than usual is strange.
    fn nominal(&self, score: f64) -> f64 {
        of_deviation((score - self.level).at_least(0.0) / self.usual_spread())
    }

    fn usual_spread(&self) -> f64 {
        self.spread.at_least(SHARE * self.level).at_least(FLOOR)
    }
}

impl Reached {
    /// Nothing can be stranger than there were vectors to tell.
    fn surprise(&self, nominal: f64) -> f64 {
        if self.seen < FIRST_SCORES {
            return 0.0;
        }
        self.tail.surprise(nominal).at_most(libm::log10(self.seen + 1.0))
    }

    fn learn(&mut self, nominal: f64) {
        self.seen += 1.0;
        self.tail.learn(nominal, 1.0);
    }
}

/// The words of a text: runs of letters and digits that are not numbers.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.bytes().any(|byte| !byte.is_ascii_digit()))
        .take(MOST_WORDS)
}

/// The hashes of the words of a text, in any case.
pub(crate) fn word_hashes(text: &str) -> impl Iterator<Item = u64> {
    words(text).map(hash)
}

/// Of a word in any case.
fn hash(word: &str) -> u64 {
    let mut lower = [0; 32];
    let bytes = word.as_bytes();
    let length = bytes.len().min(lower.len());
    for (to, from) in lower.iter_mut().zip(bytes) {
        *to = from.to_ascii_lowercase();
    }
    xxh3_64(lower.get(..length).unwrap_or_default())
}

/// The features of a word, and whether it counts against each. They are in different quarters of the vector.
fn places(hash: u64) -> impl Iterator<Item = (usize, bool)> {
    let quarter = WIDTH / PLACES as usize;
    (0..PLACES).map(move |n| {
        let bits = hash >> (6 * n);
        let place = (bits & 31) as usize % quarter;
        (n as usize * quarter + place, bits >> 5 & 1 == 1)
    })
}

fn bucket(hash: u64) -> usize {
    (hash >> 32) as usize % WORDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual(n: usize) -> String {
        let verbs = ["opened", "closed", "read", "written", "moved", "copied"];
        let nouns = ["file", "block", "segment", "page", "index"];
        format!(
            "{} {} on volume <*> by worker in pool {}",
            nouns[n % 5],
            verbs[n % 6],
            n % 7
        )
    }

    #[test]
    fn unusual_words_are_strange_to_each_model_and_usual_ones_are_not() {
        for model in [
            JointModel::Forest,
            JointModel::LocalOutlierFactor,
            JointModel::Autoencoder,
        ] {
            let models = BTreeSet::from([model]);
            let mut vectors = Vectors::default();
            let mut usually = 0.0;
            for n in 0..600 {
                let surprise = vectors.look(&models, &usual(n), n % 4 == 0);
                usually += if n >= 500 { surprise / 100.0 } else { 0.0 };
            }
            let odd = "kernel: segfault, registers dumped, halting processor";
            let strange = vectors.look(&models, odd, true);
            assert!(
                usually < 0.8 && strange > usually + 1.0,
                "{model:?}: {usually} {strange}"
            );
            let (word, by) = vectors.strangest(odd).unwrap();
            assert!(odd.contains(word) && by == model, "{word}");
        }
    }

    #[test]
    fn nothing_is_said_before_there_is_something_to_compare_with() {
        let models = BTreeSet::from(JointModel::ALL);
        let mut vectors = Vectors::default();
        for n in 0..=16 {
            assert_eq!(vectors.look(&models, &usual(n), true), 0.0);
        }
        assert_eq!(Vectors::default().look(&BTreeSet::new(), "anything", true), 0.0);
    }

    #[test]
    fn vectors_are_longer_for_rarer_words_and_not_for_more_of_them() {
        let models = BTreeSet::from([JointModel::Forest]);
        let mut vectors = Vectors::default();
        for n in 0..30 {
            vectors.look(&models, &usual(n), true);
        }
        let square = |text: &str| vectors.row(text).iter().map(|x| x.value() * x.value()).sum::<f64>();
        assert!((square("segfault") - WIDTH as f64).abs() < 1e-9);
        assert!(square("worker") < 0.2 * square("segfault"));
        assert!(square("worker pool volume") < 0.2 * square("segfault"));
        assert_eq!(square("<*> 17 [42]"), 0.0);
    }
}
