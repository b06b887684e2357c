//! The log of one subject: how severe, how new and how frequent its lines are.

use serde::{Deserialize, Serialize};

use super::busiest::Busiest;
use super::novelty::Novelty;
use super::rate::{Rate, Share};
use super::template::TemplateIndex;
use super::vector::Vectors;
use super::words;
use crate::event::{Level, Timestamp};
use crate::feedback::Alike;
use crate::number::Bounded;
use crate::order;
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
    busiest: Busiest,
    novelty: Novelty,
    share: Share,
    /// How strange lines are by how severe they are, and by how many there are.
    tails: [Tail; 2],
    /// What the lines of the episode that is open were.
    withheld: [Tail; 2],
}

/// What is known of a template beside its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TemplateStats {
    rate: Rate,
    /// The worst word of the line that the template was made from.
    word: Option<(Level, String)>,
    /// Times seen, the first one not counted.
    again: u64,
    /// How unlike those of other templates its words are.
    unlike: f64,
    /// When it was seen first, and how surprising that was.
    first: Timestamp,
    news: f64,
    /// What people said of similar lines.
    pub(crate) alike: Alike,
}

impl TemplateStats {
    /// A template that is seen for the first time.
    pub(crate) fn new(message: &str, level: Option<Level>, stream: &Stream, now: Timestamp) -> Self {
        TemplateStats {
            rate: Rate::since(stream.since, now),
            word: words::worst_beside(message, level).map(|(level, word)| {
                (
                    level,
                    word.chars().take(MOST_OF_A_WORD).collect::<String>().to_lowercase(),
                )
            }),
            again: 0,
            unlike: 0.0,
            first: now,
            news: stream.novelty.nominal(),
            alike: Alike::default(),
        }
    }

    /// Counts a line of the template.
    pub(crate) fn count(&mut self, new: bool, now: Timestamp) {
        self.rate.count(now);
        self.again += u64::from(!new);
    }

    /// Whether its words are to be looked at: at the first, the second, the fourth line and so on.
    pub(crate) fn is_due(&self) -> bool {
        (self.again + 1).is_power_of_two()
    }

    /// Its words were looked at, and are so surprising.
    pub(crate) fn looked(&mut self, unlike: f64) {
        self.unlike = unlike;
    }

    /// How many lines of it a minute are usual.
    pub(crate) fn usual(&self) -> f64 {
        self.rate.usual()
    }

    /// Whether this is its first line.
    pub(crate) fn is_first(&self) -> bool {
        self.again == 0
    }

    /// Whether lines like it are no news any more.
    pub(crate) fn is_old(&self) -> bool {
        self.again >= OLD
    }

    fn word_level(&self) -> Option<Level> {
        self.word.as_ref().map(|(level, _)| *level)
    }
}

/// What a line looks like, before anything is learned from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Assessment {
    pub(crate) surprise: f64,
    /// The same, told before or not.
    pub(crate) state: f64,
    /// By how severe it is, and by how many there are.
    nominal: [f64; 2],
    evidence: [f64; 6],
}

const LEVEL: usize = 0;
const WORD: usize = 1;
const NOVELTY: usize = 2;
const UNLIKE: usize = 3;
const RATE: usize = 4;
const ERRORS: usize = 5;

/// How rare a line of each level is taken to be, in decades, from `trace` on: one line in a hundred is an error, one
/// in thirty thousand is fatal. What is really usual for a subject is measured by its tail.
const LEVELS: [f64; 7] = [0.0, 0.0, 0.0, 0.3, 1.0, 2.0, 4.5];
/// The same for words: they are used more freely than levels.
const WORDS: [f64; 7] = [0.0, 0.0, 0.0, 0.0, 0.7, 1.5, 3.5];
/// So many times again, a kind of line is no news at all.
const OLD: u64 = 8;
/// What is kept of the word that sounds worst, in characters.
const MOST_OF_A_WORD: usize = 32;
/// How many minutes without a line are counted after one with lines.
const MOST_MINUTES: i64 = 5;
/// How many lines these assumptions weigh: every log has its errors sooner or later.
const PRIOR_LINES: f32 = 50.0;
/// How much faster than assumed a measured tail may fall.
const STEEPEST: f32 = 2.0;

impl Stream {
    pub(crate) fn new(since: Timestamp) -> Self {
        Stream {
            since,
            levels: [0; 7],
            minute: None,
            counts: [0; 3],
            busiest: Busiest::default(),
            novelty: Novelty::new(),
            share: Share::default(),
            tails: std::array::from_fn(|_| Tail::new(STEEPEST, PRIOR_LINES)),
            withheld: std::array::from_fn(|_| Tail::new(STEEPEST, PRIOR_LINES)),
        }
    }

    /// What a line looks like. Its template has counted it already: a burst is seen by its last line.
    ///
    /// That somebody calls it fatal and that it says so in its words are two witnesses, whose evidence adds up (Fisher
    /// 1925); how often that is so is measured by a tail. That it is of a kind that was never seen, and how unlike other
    /// new kinds its words are, have probabilities that were measured as well, the one given the other: they multiply.
    /// How many there are is another matter: a burst is no less of one because its lines are harmless.
    ///
    /// A kind of line is news once. But what was new when an episode began is still so while it lasts: `onset` is when
    /// the episode that is open began.
    pub(crate) fn assess(
        &self,
        level: Option<Level>,
        template: &TemplateStats,
        onset: Option<Timestamp>,
    ) -> Assessment {
        let again = template.again as f64;
        let old = template.again >= OLD;
        // Less each time that it comes again: what is new after a deploy is news once.
        let [novelty, unlike] =
            [template.news, template.unlike].map(|news| if old { 0.0 } else { news / (1.0 + again) });
        let evidence = [
            rarity(&LEVELS, level),
            rarity(&WORDS, template.word_level()),
            novelty,
            unlike,
            template.rate.nominal(),
            if Stream::badness(level, template) >= Level::Error {
                self.share.nominal()
            } else {
                0.0
            },
        ];
        let severity = of_sum(&[evidence[LEVEL], evidence[WORD]]);
        let nominal = [severity, evidence[RATE].at_least(evidence[ERRORS])];
        let surprise = self.surprise(nominal, novelty + unlike);
        let state = if again > 0.0 && onset.is_some_and(|onset| template.first.seconds_since(onset) >= 0.0) {
            self.surprise(nominal, template.news + template.unlike)
        } else {
            surprise
        };
        Assessment {
            surprise,
            state,
            nominal,
            evidence,
        }
    }

    /// What is surprising by how severe a line and by how new its kind is, or by how many there are.
    fn surprise(&self, nominal: [f64; 2], kind: f64) -> f64 {
        let [severity, many] = self.measured(nominal);
        // There are two ways of being strange, and the stranger one was chosen.
        ((severity + kind).at_least(many) - std::f64::consts::LOG10_2).at_least(0.0)
    }

    fn measured(&self, nominal: [f64; 2]) -> [f64; 2] {
        let mut measured = [0.0; 2];
        for ((tail, nominal), measured) in self.tails.iter().zip(nominal).zip(&mut measured) {
            // Most lines are nothing at all, and need no tail for it.
            if nominal > 0.0 {
                *measured = tail.surprise(nominal);
            }
        }
        measured
    }

    /// Learns a line: as normal, or as one of an episode while learning is `guarded`.
    ///
    /// What is anomalous is not normal behaviour, and is not counted as such: a week with three fatal errors is no reason
    /// to call the fourth usual. How often that may be told is a matter of the budget. But the lines are not forgotten
    /// either: when the episode has lasted so long that it is accepted as normal, they all count.
    pub(crate) fn learn(&mut self, level: Option<Level>, new: bool, assessment: &Assessment, guarded: bool) {
        if let Some(count) = self.levels.get_mut(level.unwrap_or(Level::Info) as usize) {
            *count += 1;
        }
        self.novelty.learn(new);
        let tails = if guarded { &mut self.withheld } else { &mut self.tails };
        for (tail, nominal) in tails.iter_mut().zip(assessment.nominal) {
            tail.learn(nominal, 1.0);
        }
    }

    /// An episode begins or ends. What it held is normal from now on where it was `accepted`.
    pub(crate) fn turn(&mut self, accepted: bool) {
        for (tail, withheld) in self.tails.iter_mut().zip(&mut self.withheld) {
            let withheld = std::mem::replace(withheld, Tail::new(STEEPEST, PRIOR_LINES));
            if accepted {
                tail.absorb(&withheld);
            }
        }
    }

    /// Counts a line of this severity for the minute that is open; one that was not to be learned has no template.
    pub(crate) fn count(&mut self, now: Timestamp, level: Level, template: Option<TemplateIndex>) {
        self.minute.get_or_insert(minute(now));
        if let Some(template) = template {
            self.busiest.count(template, level);
        }
        let [errors, warnings, lines] = &mut self.counts;
        *errors += u32::from(level >= Level::Error);
        *warnings += u32::from(level == Level::Warn);
        *lines += 1;
        self.share.count(now, level >= Level::Error);
    }

    /// The minutes that are over at `now`, each with its end, its errors, warnings and lines, and the kinds that these
    /// were of. Of a long pause only the first minutes are told: that it was a pause is silence, not a count.
    pub(crate) fn close_minutes(
        &mut self,
        now: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, [u32; 3], Busiest)> + use<> {
        let now = minute(now);
        let open = self.minute.unwrap_or(now);
        if open - now > WRONG_CLOCK as i64 / 60 {
            self.minute = Some(now);
        }
        let over = (now - open).clamp(0, MOST_MINUTES);
        let counts = self.counts;
        let mut busiest = Busiest::default();
        if over > 0 {
            self.minute = Some(now);
            self.counts = [0; 3];
            std::mem::swap(&mut self.busiest, &mut busiest);
        }
        (0..over).map(move |n| {
            let end = Timestamp::from_seconds((open + n + 1).saturating_mul(60));
            let counts = if n == 0 { counts } else { [0; 3] };
            (end, counts, std::mem::take(&mut busiest))
        })
    }

    /// Why the line is strange, and what kind of thing it is.
    pub(crate) fn explain(
        &self,
        level: Option<Level>,
        template: &TemplateStats,
        text: Option<&str>,
        vectors: &Vectors,
        assessment: &Assessment,
        surprise: f64,
    ) -> (Kind, Explanation) {
        // What decided is said: what the line is, or how many there are.
        let [severity, many] = self.measured(assessment.nominal);
        let mut evidence = assessment.evidence;
        let is = severity + evidence[NOVELTY] + evidence[UNLIKE];
        let (says, counts) = evidence.split_at_mut(RATE);
        if many > is { says } else { counts }.fill(0.0);
        let less = if evidence[RATE] >= evidence[ERRORS] {
            ERRORS
        } else {
            RATE
        };
        evidence[less] = 0.0;
        let sum: f64 = evidence.iter().sum();
        let mut parts: Vec<(f64, Kind, Contribution)> = (LEVEL..=ERRORS)
            .filter(|k| evidence[*k] > 0.0)
            .map(|k| {
                let (kind, contribution) = self.part(k, level, template, text, vectors);
                let contribution = Contribution {
                    surprise: surprise * evidence[k] / sum,
                    ..contribution
                };
                (evidence[k], kind, contribution)
            })
            .collect();
        order::sort_by_key(&mut parts, |part| order::falling(part.0));
        let kind = parts.first().map_or(Kind::LogSeverity, |part| part.1);
        let explanation = Explanation {
            contributions: parts.into_iter().map(|part| part.2).collect(),
            counterfactual: Vec::new(),
            template: text.map(str::to_owned),
            ..Explanation::default()
        };
        (kind, explanation)
    }

    /// One piece of the evidence, in words and numbers.
    fn part(
        &self,
        evidence: usize,
        level: Option<Level>,
        template: &TemplateStats,
        text: Option<&str>,
        vectors: &Vectors,
    ) -> (Kind, Contribution) {
        let (kind, of, model, observed, expected, unit) = match evidence {
            LEVEL => (
                Kind::LogSeverity,
                "level",
                "severity",
                Observation::Level(level.unwrap_or(Level::Info)),
                Observation::Level(self.usual_level()),
                None,
            ),
            WORD => (
                Kind::LogSeverity,
                "words",
                "severity",
                Observation::Text(
                    template
                        .word
                        .as_ref()
                        .map_or_else(String::new, |(_, word)| word.clone()),
                ),
                Observation::Text("none like it".to_owned()),
                None,
            ),
            NOVELTY => (
                Kind::NewTemplate,
                "template",
                "novelty",
                match template.again {
                    0 => Observation::Text("first line of this kind".to_owned()),
                    again => Observation::Text(format!("{} lines of this kind so far", again + 1)),
                },
                Observation::Text("known kinds".to_owned()),
                None,
            ),
            UNLIKE => {
                let found = text.and_then(|text| vectors.strangest(text));
                let (word, model) = found.map_or(("", "forest"), |(word, model)| (word, model.name()));
                (
                    Kind::NewTemplate,
                    "vector",
                    model,
                    Observation::Text(word.chars().take(MOST_OF_A_WORD).collect()),
                    Observation::Text("words of other lines".to_owned()),
                    None,
                )
            }
            RATE => (
                Kind::LogBurst,
                "lines",
                "rate",
                Observation::Number(f64::from(template.rate.so_far())),
                Observation::Number(template.rate.usual()),
                Some("1/min"),
            ),
            _ => (
                Kind::LogBurst,
                "errors",
                "rate",
                Observation::Number(f64::from(self.share.so_far())),
                Observation::Number(self.share.usual()),
                Some("1/min"),
            ),
        };
        let contribution = Contribution {
            of: of.to_owned(),
            model: model.to_owned(),
            surprise: 0.0,
            observed,
            expected: Expected {
                value: expected,
                low: None,
                high: None,
            },
            unit: unit.map(str::to_owned),
        };
        (kind, contribution)
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

#[cfg(test)]
mod tests;
