//! What people said of verdicts, and what it is worth for others.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::number::Bounded;
use crate::order;
use crate::verdict::{Fingerprint, Label};

/// Answers by what they are about, and the lines among them by their words.
///
/// An answer holds for everything with the same fingerprint: a template of one log, or the metrics of one subject. Of a
/// line it holds in part for similar ones of the same log, of which nobody has said anything: as far as their templates
/// have the same words (the coefficient of Dice 1945), where that is most of them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Feedback {
    answers: BTreeMap<u64, i8>,
    /// The lines that were answered last, the newest at the end.
    lines: VecDeque<Line>,
    /// How often an answer was given: what was worked out before is out of date.
    given: u32,
}

/// A line that somebody said something of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    about: u64,
    /// The series of its log.
    log: u64,
    words: Vec<u32>,
}

/// What the answers on similar lines were worth for a template in a log when that was last asked.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Alike {
    given: u32,
    log: u64,
    worth: f64,
}

/// What one answer weighs, in decades, how many count at most, and of how many things.
const ANSWER: f64 = 2.0;
const MOST_ANSWERS: i8 = 4;
pub(crate) const MOST_FEEDBACK: usize = 10_000;
/// Lines of which the words are kept, and how many words.
pub(crate) const MOST_LINES: usize = 256;
const MOST_WORDS: usize = 32;
/// Lines are similar that have so much in common.
const SIMILAR: f64 = 0.75;

impl Feedback {
    /// An answer. Where it is about a line, `line` has its log and the text of its template.
    pub(crate) fn answer(&mut self, about: Fingerprint, label: Label, line: Option<(u64, &str)>) {
        if !self.answers.contains_key(&about.0) && self.answers.len() >= MOST_FEEDBACK {
            return;
        }
        let answers = self.answers.entry(about.0).or_insert(0);
        *answers = match label {
            Label::Fine => *answers - 1,
            Label::Matters => *answers + 1,
        }
        .clamp(-MOST_ANSWERS, MOST_ANSWERS);
        self.given = self.given.wrapping_add(1);
        if let Some((log, text)) = line {
            self.lines.retain(|line| line.about != about.0);
            if self.lines.len() >= MOST_LINES {
                self.lines.pop_front();
            }
            let words = words(text);
            self.lines.push_back(Line {
                about: about.0,
                log,
                words,
            });
        }
    }

    /// What was said of this, in decades.
    pub(crate) fn on(&self, about: Fingerprint) -> f64 {
        if self.answers.is_empty() {
            return 0.0;
        }
        self.answers
            .get(&about.0)
            .map_or(0.0, |answers| ANSWER * f64::from(*answers))
    }

    /// What was said of this line, or else of the line of the same log that is most similar, in decades.
    pub(crate) fn on_line(&self, about: Fingerprint, log: u64, text: Option<&str>, known: &mut Alike) -> f64 {
        if self.lines.is_empty() || self.answers.contains_key(&about.0) {
            return self.on(about);
        }
        if (known.given, known.log) != (self.given, log) {
            *known = Alike {
                given: self.given,
                log,
                worth: text.map_or(0.0, |text| self.similar(log, &words(text))),
            };
        }
        known.worth
    }

    fn similar(&self, log: u64, own: &[u32]) -> f64 {
        let mut most = SIMILAR;
        let mut worth = 0.0;
        // The newest first, since of two that are as similar it is the later answer that holds.
        for line in self.lines.iter().rev().filter(|line| line.log == log) {
            let similarity = dice(own, &line.words);
            if similarity > most || similarity >= most && worth == 0.0 {
                most = similarity;
                worth = similarity * self.on(Fingerprint(line.about));
            }
        }
        worth
    }
}

/// The hashes of the words of a template, in order, each once.
fn words(text: &str) -> Vec<u32> {
    let mut hashes: Vec<u32> = crate::log::word_hashes(text)
        .take(MOST_WORDS)
        .map(|hash| hash as u32)
        .collect();
    order::sort_by_key(&mut hashes, |hash| u64::from(*hash));
    hashes.dedup();
    hashes
}

/// The share of what two ordered lists have in common (Dice 1945): 0 to 1.
fn dice(a: &[u32], b: &[u32]) -> f64 {
    let common = a.iter().filter(|word| b.binary_search(word).is_ok()).count();
    2.0 * common as f64 / ((a.len() + b.len()) as f64).at_least(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event;
    use crate::{Config, Detector, Event, Level, LogRecord, Subject, Timestamp};

    const LOG: u64 = 7;

    fn said(feedback: &Feedback, log: u64, about: u64, text: &str) -> f64 {
        feedback.on_line(Fingerprint(about), log, Some(text), &mut Alike::default())
    }

    #[test]
    fn an_answer_holds_for_the_template_and_in_part_for_similar_lines_of_the_same_log() {
        let mut feedback = Feedback::default();
        feedback.answer(
            Fingerprint(1),
            Label::Fine,
            Some((LOG, "connection to cache <*> was refused")),
        );
        assert_eq!(said(&feedback, LOG, 1, "connection to cache <*> was refused"), -2.0);
        let similar = said(&feedback, LOG, 2, "connection to queue <*> was refused");
        assert!((-2.0..=-1.5).contains(&similar), "{similar}");
        assert_eq!(said(&feedback, LOG, 3, "disk <*> is full"), 0.0);
        assert_eq!(said(&feedback, LOG + 1, 4, "connection to queue <*> was refused"), 0.0);
        // What somebody says of the similar line itself takes its place.
        feedback.answer(
            Fingerprint(2),
            Label::Matters,
            Some((LOG, "connection to queue <*> was refused")),
        );
        assert_eq!(said(&feedback, LOG, 2, "connection to queue <*> was refused"), 2.0);
    }

    #[test]
    fn what_was_worked_out_is_out_of_date_after_an_answer() {
        let mut feedback = Feedback::default();
        let mut known = Alike::default();
        let mut ask =
            |feedback: &Feedback| feedback.on_line(Fingerprint(9), LOG, Some("user <*> was locked out"), &mut known);
        feedback.answer(Fingerprint(1), Label::Fine, Some((LOG, "disk <*> is full")));
        assert_eq!(ask(&feedback), 0.0);
        feedback.answer(
            Fingerprint(2),
            Label::Matters,
            Some((LOG, "user <*> was locked out again")),
        );
        assert!(ask(&feedback) > 1.5);
    }

    #[test]
    fn lines_that_were_answered_are_bounded() {
        let mut feedback = Feedback::default();
        for n in 0..(2 * MOST_LINES as u64) {
            feedback.answer(Fingerprint(n), Label::Fine, Some((LOG, "a b c")));
        }
        assert_eq!(feedback.lines.len(), MOST_LINES);
        assert_eq!(feedback.on(Fingerprint(0)), -2.0);
    }

    #[test]
    fn an_answer_on_a_line_changes_similar_lines_and_nothing_else() {
        let surprises = |answer: bool| {
            let mut detector = Detector::new(Config::default());
            let mut reports = Vec::new();
            let mut second = 0;
            let mut line = |detector: &mut Detector, service: &str, level, message: &str| {
                second += 10;
                let mut labels = [event::Label {
                    name: "service",
                    value: service,
                }];
                let event = Event::Log(LogRecord {
                    time: Timestamp::from_seconds(1_700_000_000 + second),
                    subject: Subject::new(&mut labels),
                    level: Some(level),
                    message,
                    session: None,
                    fields: &[],
                });
                detector.observe(&event, &mut reports)
            };
            for n in 0..500 {
                line(&mut detector, "cart", Level::Info, &format!("served cart {n}"));
                line(&mut detector, "shop", Level::Info, &format!("served page {n}"));
            }
            let said = line(&mut detector, "cart", Level::Error, "connection to cache was refused");
            if answer {
                detector.feedback(said.fingerprint, Label::Fine);
            }
            [
                ("cart", "disk is full"),
                ("shop", "connection to queue was refused"),
                ("cart", "connection to queue was refused"),
            ]
            .map(|(service, message)| line(&mut detector, service, Level::Error, message).surprise)
        };
        let [other, elsewhere, similar] = surprises(false);
        let [other_after, elsewhere_after, similar_after] = surprises(true);
        assert!(similar_after < similar - 0.5, "{similar_after} {similar}");
        assert_eq!((elsewhere_after, other_after), (elsewhere, other));
    }
}
