//! The log of one subject: how severe, how new and how frequent its lines are.

use serde::{Deserialize, Serialize};

use super::rate::Rate;
use super::words;
use crate::event::{Level, Timestamp};
use crate::number::Bounded;
use crate::series::WRONG_CLOCK;
use crate::threshold::{Tail, of_sum};
use crate::verdict::{Contribution, Expected, Explanation, Kind, Observation};

/// What is known of the lines of one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stream {
    since: Timestamp,
    /// Lines by the level they claim.
    levels: [u64; 7],
    /// The minute that is open, and its errors, warnings and lines so far.
    minute: Option<i64>,
    counts: [u32; 3],
    tail: Tail,
}

/// What is known of a template beside its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TemplateStats {
    rate: Rate,
    /// The worst word of the line that the template was made from.
    word: Option<(Level, String)>,
    /// Times seen, the first one not counted.
    again: u64,
}

impl TemplateStats {
    /// A template that is seen for the first time.
    pub(crate) fn new(message: &str, stream: &Stream, now: Timestamp) -> Self {
        TemplateStats {
            rate: Rate::since(stream.since, now),
            word: words::worst(message).map(|(level, word)| {
                (
                    level,
                    word.chars().take(MOST_OF_A_WORD).collect::<String>().to_lowercase(),
                )
            }),
            again: 0,
        }
    }

    /// Counts a line of the template.
    pub(crate) fn count(&mut self, new: bool, now: Timestamp) {
        self.rate.count(now);
        self.again += u64::from(!new);
    }

    fn word_level(&self) -> Option<Level> {
        self.word.as_ref().map(|(level, _)| *level)
    }
}

/// What a line looks like, before anything is learned from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Assessment {
    pub(crate) surprise: f64,
    nominal: f64,
    evidence: [f64; 3],
}

const SEVERITY: usize = 0;
const NOVELTY: usize = 1;
const RATE: usize = 2;

/// How rare a line of each level is taken to be, in decades, from `trace` on: one line in a hundred is an error, one
/// in thirty thousand is fatal. What is really usual for a subject is measured by its tail.
const LEVELS: [f64; 7] = [0.0, 0.0, 0.0, 0.3, 1.0, 2.0, 4.5];
/// The same for words: they are used more freely than levels.
const WORDS: [f64; 7] = [0.0, 0.0, 0.0, 0.0, 0.7, 1.5, 3.5];
/// The same for a line that is the first of its kind.
const NEW: f64 = 1.0;
/// What is kept of the word that sounds worst, in characters.
const MOST_OF_A_WORD: usize = 32;
/// How many minutes without a line are counted after one with lines.
const MOST_MINUTES: i64 = 5;
/// How many lines these assumptions weigh: every log has its errors sooner or later.
const PRIOR_LINES: f32 = 50.0;

impl Stream {
    pub(crate) fn new(since: Timestamp) -> Self {
        Stream {
            since,
            levels: [0; 7],
            minute: None,
            counts: [0; 3],
            tail: Tail::new(2.0, PRIOR_LINES),
        }
    }

    /// What a line looks like. Its template has counted it already: a burst is seen by its last line.
    pub(crate) fn assess(&self, level: Option<Level>, template: &TemplateStats) -> Assessment {
        // Less each time that it comes again: what is new after a deploy is news once.
        let novelty = NEW / (1.0 + template.again as f64);
        let evidence = [
            rarity(&LEVELS, level).at_least(rarity(&WORDS, template.word_level())),
            novelty,
            template.rate.nominal(),
        ];
        // How severe and how new a line is belong together; how many there are is another matter.
        let nominal = of_sum(&evidence[..RATE]).at_least(evidence[RATE]);
        Assessment {
            surprise: self.tail.surprise(nominal),
            nominal,
            evidence,
        }
    }

    pub(crate) fn learn(&mut self, level: Option<Level>, assessment: &Assessment, weight: f64) {
        if let Some(count) = self.levels.get_mut(level.unwrap_or(Level::Info) as usize) {
            *count += 1;
        }
        self.tail.learn(assessment.nominal, weight);
    }

    /// Counts a line of this severity for the minute that is open.
    pub(crate) fn count(&mut self, now: Timestamp, level: Level) {
        self.minute.get_or_insert(minute(now));
        let [errors, warnings, lines] = &mut self.counts;
        *errors += u32::from(level >= Level::Error);
        *warnings += u32::from(level == Level::Warn);
        *lines += 1;
    }

    /// The minutes that are over at `now`, each with its end and its errors, warnings and lines. Of a long pause
    /// only the first minutes are told: that it was a pause is silence, not a count.
    pub(crate) fn close_minutes(&mut self, now: Timestamp) -> impl Iterator<Item = (Timestamp, [u32; 3])> + use<> {
        let now = minute(now);
        let open = self.minute.unwrap_or(now);
        if open - now > WRONG_CLOCK as i64 / 60 {
            self.minute = Some(now);
        }
        let over = (now - open).clamp(0, MOST_MINUTES);
        let counts = self.counts;
        if over > 0 {
            self.minute = Some(now);
            self.counts = [0; 3];
        }
        (0..over).map(move |n| {
            let end = Timestamp::from_seconds((open + n + 1).saturating_mul(60));
            (end, if n == 0 { counts } else { [0; 3] })
        })
    }

    /// Why the line is strange, and what kind of thing it is.
    pub(crate) fn explain(
        &self,
        level: Option<Level>,
        template: &TemplateStats,
        text: Option<&str>,
        assessment: &Assessment,
        surprise: f64,
    ) -> (Kind, Explanation) {
        let evidence = &assessment.evidence;
        let sum: f64 = evidence.iter().sum();
        let usual_level = self.usual_level();
        let mut parts: Vec<(f64, Kind, Contribution)> = [SEVERITY, NOVELTY, RATE]
            .into_iter()
            .filter(|k| evidence[*k] > 0.0)
            .map(|k| {
                let (of, model, kind, observed, expected, unit) = match k {
                    SEVERITY if rarity(&WORDS, template.word_level()) > rarity(&LEVELS, level) => (
                        "words",
                        "severity",
                        Kind::LogSeverity,
                        Observation::Text(
                            template
                                .word
                                .as_ref()
                                .map_or_else(String::new, |(_, word)| word.clone()),
                        ),
                        Observation::Text("none like it".to_owned()),
                        None,
                    ),
                    SEVERITY => (
                        "level",
                        "severity",
                        Kind::LogSeverity,
                        Observation::Level(level.unwrap_or(Level::Info)),
                        Observation::Level(usual_level),
                        None,
                    ),
                    NOVELTY => (
                        "template",
                        "novelty",
                        Kind::NewTemplate,
                        Observation::Number(template.again as f64 + 1.0),
                        Observation::Text("known".to_owned()),
                        Some("times seen"),
                    ),
                    _ => (
                        "lines",
                        "rate",
                        Kind::LogBurst,
                        Observation::Number(f64::from(template.rate.so_far())),
                        Observation::Number(template.rate.usual()),
                        Some("1/min"),
                    ),
                };
                let contribution = Contribution {
                    of: of.to_owned(),
                    model: model.to_owned(),
                    surprise: surprise * evidence[k] / sum,
                    observed,
                    expected: Expected {
                        value: expected,
                        low: None,
                        high: None,
                    },
                    unit: unit.map(str::to_owned),
                };
                (evidence[k], kind, contribution)
            })
            .collect();
        parts.sort_by(|a, b| b.0.total_cmp(&a.0));
        let kind = parts.first().map_or(Kind::LogSeverity, |part| part.1);
        let explanation = Explanation {
            contributions: parts.into_iter().map(|part| part.2).collect(),
            counterfactual: Vec::new(),
            template: text.map(str::to_owned),
            ..Explanation::default()
        };
        (kind, explanation)
    }

    /// How bad the line is by itself: its level, or what its words sound like.
    pub(crate) fn badness(level: Option<Level>, template: &TemplateStats) -> Level {
        level.or(template.word_level()).unwrap_or(Level::Info)
    }

    fn usual_level(&self) -> Level {
        let mut usual = (0, Level::Info);
        for (count, level) in self.levels.iter().zip(Level::ALL) {
            if *count > usual.0 {
                usual = (*count, level);
            }
        }
        usual.1
    }
}

fn rarity(table: &[f64; 7], level: Option<Level>) -> f64 {
    table.get(level.unwrap_or(Level::Info) as usize).copied().unwrap_or(0.0)
}

fn minute(time: Timestamp) -> i64 {
    time.nanos().div_euclid(60_000_000_000)
}
