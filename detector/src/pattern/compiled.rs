//! Patterns ready for use: each line is looked at once for all of them.

use regex_lite::Regex;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::compile::Compiler;
use super::filter::Filter;
use super::fuzzy::Phrase;
use super::track::{Overdue, PatternState, Whose};
use super::{By, LONGEST_LINE, Pattern, PatternConfig, PatternReport, Seconds, When, library};
use crate::event::{Level, LogRecord, Subject, Timestamp};
use crate::verdict::{Contribution, Expected, Explanation, Fingerprint, Kind, NamedPattern, Observation, Severity};

/// Counts up to this are taken of the lines themselves, and greater ones in tenths of the window.
pub(super) const FEW_LINES: u32 = 64;

/// Patterns that are named as the reason of one anomaly, and what is shown of a line.
const MOST_NAMED: usize = 5;
const MOST_SHOWN: usize = 200;

/// The patterns of a configuration.
#[derive(Debug)]
pub(crate) struct Patterns {
    pub(super) rules: Vec<Rule>,
    pub(super) selectors: Vec<Selector>,
    pub(super) filter: Filter,
    /// Selectors that every line is given to, since no text stands in all that they find.
    pub(super) always: Vec<usize>,
    /// Rules about whatever is surprising.
    pub(super) surprising: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) pattern: Pattern,
    pub(super) library: bool,
    /// Of the name, for what is counted, and of what it finds as well, for what is followed.
    pub(super) id: u64,
    pub(super) track: u64,
}

/// What finds lines, for one rule or several.
#[derive(Debug)]
pub(super) struct Selector {
    pub(super) test: Test,
    pub(super) users: Vec<(usize, Part)>,
}

#[derive(Debug)]
pub(super) enum Test {
    /// What the filter found is all that there is to find.
    Texts,
    Expression(Regex),
    Phrase(Phrase),
}

/// What a line is to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Then,
    First,
    Only,
}

/// A pattern that was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    rule: usize,
    pub(crate) mark: Mark,
    about: Option<String>,
    evidence: Evidence,
}

/// What a pattern that was found means for the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// The event is anomalous whatever its surprise is.
    pub(crate) alarm: bool,
    /// It matters at least so much.
    pub(crate) severity: Severity,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Evidence {
    Line,
    After(f64),
    /// Of the second line of a sequence, or of any line.
    Without {
        seconds: f64,
        within: f64,
        of_sequence: bool,
    },
    Spike {
        count: f64,
        usual: f64,
        factor: f64,
        seconds: f64,
    },
    Rate {
        count: f64,
        least: f64,
        seconds: f64,
    },
    Growth {
        share: f64,
        least: f64,
    },
    Period(f64),
    Surprise {
        surprise: f64,
        least: f64,
    },
}

/// Adds what was found: what alarms first, then by how much it matters.
fn add(found: &mut Vec<Found>, next: Found) {
    found.insert(found.partition_point(|before| before.mark >= next.mark), next);
}

impl Mark {
    /// What several patterns mean for one event. What only names a line does not make an alarm matter more than the
    /// alarm's own pattern says.
    pub(crate) fn of(found: &[Found]) -> Option<Mark> {
        found.iter().map(|found| found.mark).max()
    }
}

impl Patterns {
    /// Whether these patterns can be used.
    pub(super) fn check(rules: &[Pattern]) -> Result<(), String> {
        Compiler::new(rules).all(rules.iter().map(|pattern| (pattern.clone(), false)))?;
        Ok(())
    }

    /// The patterns of a configuration, whose parts were checked when it was read.
    pub(crate) fn new(config: &PatternConfig) -> Self {
        let library = library::patterns()
            .filter(|_| config.library)
            .filter_map(|mut pattern| {
                let change = config.change.0.get(pattern.name.as_str()).copied().unwrap_or_default();
                pattern.alarm = change.alarm;
                pattern.severity = change.severity.unwrap_or(pattern.severity);
                (!change.off).then_some((pattern, true))
            });
        let own = config.rules.0.iter().map(|pattern| (pattern.clone(), false));
        Compiler::new(&config.rules.0)
            .all(own.chain(library))
            .expect("the library is tested, and rules are compiled when they are read")
    }

    /// How many patterns there are.
    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// The patterns that are found with a line, those that alarm first.
    pub(crate) fn observe(
        &self,
        record: &LogRecord<'_>,
        series: u64,
        learns: bool,
        state: &mut PatternState,
    ) -> Vec<Found> {
        let text = record
            .message
            .get(..record.message.floor_char_boundary(LONGEST_LINE))
            .unwrap_or_default();
        let mut candidates: Vec<usize> = Vec::new();
        self.filter.scan(text.as_bytes(), |selector| {
            if !candidates.contains(&selector) {
                candidates.push(selector);
            }
        });
        candidates.extend(&self.always);
        state.begin(record.time);
        if candidates.is_empty() {
            return Vec::new();
        }
        let mut parts: Vec<(usize, Part, usize)> = Vec::new();
        for index in candidates {
            if let Some(selector) = self.selectors.get(index)
                && selector.test.is_in(text)
            {
                // In the order of the rules, and for each an answer before the question that the same line asks.
                for (rule, part) in &selector.users {
                    let next = (*rule, *part, index);
                    parts.insert(parts.partition_point(|before| *before < next), next);
                }
            }
        }
        let mut found = Vec::new();
        for (index, part, selector) in parts {
            if let Some(rule) = self.rules.get(index).filter(|rule| rule.is_about(record))
                && let Some(selector) = self.selectors.get(selector)
            {
                let line = Line {
                    record,
                    text,
                    series,
                    learns,
                    test: &selector.test,
                };
                if let Some((evidence, about)) = rule.look(part, &line, state) {
                    add(&mut found, rule.found(index, evidence, about));
                }
            }
        }
        found
    }

    /// The patterns about whatever is as surprising as this, added to those that were found.
    pub(crate) fn observe_surprise(
        &self,
        subject: &Subject<'_>,
        level: Option<Level>,
        surprise: f64,
        found: &mut Vec<Found>,
    ) {
        for index in &self.surprising {
            if let Some(rule) = self.rules.get(*index)
                && let When::Surprise(least) = rule.pattern.when
                && surprise >= least.value()
                && rule.is_of(subject, level)
            {
                let least = least.value();
                add(found, rule.found(*index, Evidence::Surprise { surprise, least }, None));
            }
        }
    }

    /// What is over and was awaited, with the series that it is of; what has only become void is left out.
    pub(crate) fn overdue(&self, overdue: Overdue) -> Option<Found> {
        let (index, rule) = self
            .rules
            .iter()
            .enumerate()
            .find(|(_, rule)| rule.track == overdue.rule)?;
        let (within, of_sequence) = match &rule.pattern.when {
            When::Sequence(sequence) if sequence.absent => (sequence.within_seconds, true),
            When::Absence(absence) => (absence.within_seconds, false),
            _ => return None,
        };
        let evidence = Evidence::Without {
            seconds: overdue.due.seconds_since(overdue.since),
            within: within.value(),
            of_sequence,
        };
        Some(rule.found(index, evidence, overdue.about))
    }

    /// Counts what was found.
    pub(crate) fn count(&self, found: &[Found], about: Fingerprint, time: Timestamp, state: &mut PatternState) {
        for found in found {
            if let Some(rule) = self.rules.get(found.rule) {
                state.count(rule.id, about, time);
            }
        }
    }

    /// What is counted of patterns that are no longer there is forgotten.
    pub(crate) fn forget_others(&self, state: &mut PatternState) {
        let known = |id| self.rules.iter().any(|rule| rule.id == id);
        state.keep(known);
    }

    /// The names of what was found.
    pub(crate) fn named(&self, found: &[Found]) -> Vec<NamedPattern> {
        let named = found.iter().filter_map(|found| {
            let pattern = &self.rules.get(found.rule)?.pattern;
            Some(NamedPattern {
                name: pattern.name.as_str().to_owned(),
                description: pattern.description.as_str().to_owned(),
                severity: pattern.severity,
                alarm: pattern.alarm,
                events: 1,
                about: found.about.clone(),
            })
        });
        named.take(MOST_NAMED).collect()
    }

    /// What patterns say that alarm, before what the models say. The parts of `models` have to sum to what the models
    /// find beyond the threshold; the patterns take the rest of `surprise`, in equal parts.
    pub(crate) fn explain(
        &self,
        found: &[Found],
        message: &str,
        surprise: f64,
        mut models: Explanation,
    ) -> (Kind, Explanation) {
        let known: f64 = models.contributions.iter().map(|part| part.surprise).sum();
        let alarms: Vec<&Found> = found.iter().filter(|found| found.mark.alarm).take(MOST_NAMED).collect();
        let share = (surprise - known).max(0.0) / alarms.len().max(1) as f64;
        let mut contributions: Vec<Contribution> = alarms
            .into_iter()
            .filter_map(|found| {
                let name = &self.rules.get(found.rule)?.pattern.name;
                Some(found.evidence.contribution(name.as_str(), share, message))
            })
            .collect();
        contributions.append(&mut models.contributions);
        models.contributions = contributions;
        // No other number would keep a line from being what it is.
        models.counterfactual.clear();
        models.line = (!message.is_empty()).then(|| shown(message).to_owned());
        (Kind::Pattern, models)
    }

    /// What was found of each pattern so far.
    pub(crate) fn reports<'a>(&'a self, state: &'a PatternState) -> impl Iterator<Item = PatternReport> + 'a {
        self.rules.iter().map(|rule| {
            let tally = state.tally(rule.id);
            let answers = tally.fine + tally.matters;
            PatternReport {
                name: rule.pattern.name.as_str().to_owned(),
                description: rule.pattern.description.as_str().to_owned(),
                severity: rule.pattern.severity,
                alarm: rule.pattern.alarm,
                library: rule.library,
                matches: tally.matches,
                last: tally.last,
                fine: tally.fine,
                matters: tally.matters,
                success_rate: (answers > 0).then(|| tally.matters as f64 / answers as f64),
            }
        })
    }
}

/// A line as a rule looks at it.
struct Line<'a> {
    record: &'a LogRecord<'a>,
    text: &'a str,
    series: u64,
    learns: bool,
    test: &'a Test,
}

impl Line<'_> {
    /// What lines have to have in common with this one.
    fn by(&self, by: &By) -> Option<(u64, Option<&str>)> {
        match by {
            By::Subject => Some((self.record.subject.key(), None)),
            By::Session => self
                .record
                .session
                .map(|session| (xxh3_64(session.as_bytes()), Some(session))),
            By::Capture(group) => {
                let text = self.captured(group.as_str())?;
                Some((xxh3_64(text.as_bytes()), Some(text)))
            }
        }
    }

    fn captured(&self, group: &str) -> Option<&str> {
        let Test::Expression(expression) = self.test else {
            return None;
        };
        Some(expression.captures(self.text)?.name(group)?.as_str())
    }
}

impl Rule {
    fn is_about(&self, record: &LogRecord<'_>) -> bool {
        self.is_of(&record.subject, record.level)
    }

    fn is_of(&self, subject: &Subject<'_>, level: Option<Level>) -> bool {
        let service = self.pattern.service.as_ref();
        let is_service = service.is_none_or(|service| {
            let mut labels = subject.labels().iter();
            labels.any(|label| label.name == "service" && label.value == service.as_str())
        });
        is_service
            && self
                .pattern
                .level
                .is_none_or(|least| level.is_some_and(|level| level >= least))
    }

    fn found(&self, index: usize, evidence: Evidence, about: Option<String>) -> Found {
        Found {
            rule: index,
            mark: Mark {
                alarm: self.pattern.alarm,
                severity: self.pattern.severity,
            },
            about,
            evidence,
        }
    }

    /// What a line that was selected means for this rule.
    fn look(&self, part: Part, line: &Line<'_>, state: &mut PatternState) -> Option<(Evidence, Option<String>)> {
        let by = match &self.pattern.when {
            When::Regex(_) | When::Fuzzy(_) => return Some((Evidence::Line, None)),
            When::Surprise(_) => return None,
            When::Sequence(sequence) => &sequence.by,
            When::Spike(spike) => &spike.by,
            When::Rate(rate) => &rate.by,
            When::Growth(growth) => &growth.by,
            When::Periodic(periodic) => &periodic.by,
            When::Absence(absence) => &absence.by,
        };
        let (key, about) = line.by(by)?;
        let time = line.record.time;
        let whose = Whose {
            key: xxh3_64_with_seed(&key.to_le_bytes(), self.track),
            rule: self.track,
            series: line.series,
            about,
            time,
        };
        let evidence = match &self.pattern.when {
            When::Regex(_) | When::Fuzzy(_) | When::Surprise(_) => None,
            When::Sequence(sequence) => {
                let within = sequence.within_seconds.value();
                if part == Part::First {
                    state.open(&whose, within, sequence.absent);
                    return None;
                }
                let elapsed = state.answered(whose.key, time, within)?;
                (!sequence.absent).then_some(Evidence::After(elapsed))
            }
            When::Spike(spike) => {
                let seconds = spike.window_seconds.value();
                let window = state.window(&whose, seconds)?;
                window.add(time, seconds, None);
                let factor = spike.factor.value();
                let usual = window.spike(time, seconds, factor, line.learns)?;
                let count = window.count();
                (count >= f64::from(spike.least.value())).then_some(Evidence::Spike {
                    count,
                    usual,
                    factor,
                    seconds,
                })
            }
            When::Rate(rate) => {
                let (seconds, least) = (rate.window_seconds.value(), rate.count.value());
                let few = least <= FEW_LINES;
                let recent = if few && rate.for_seconds.is_none() {
                    state.recent(&whose, least as usize, seconds) as f64
                } else {
                    let window = state.window(&whose, seconds)?;
                    let lasting = rate.for_seconds.map_or(0.0, Seconds::value);
                    window.add(time, seconds, None);
                    let count = window.count();
                    if !window.enough(time, count >= f64::from(least), lasting) {
                        return None;
                    }
                    count
                };
                (recent >= f64::from(least)).then_some(Evidence::Rate {
                    count: recent,
                    least: f64::from(least),
                    seconds,
                })
            }
            When::Growth(growth) => {
                let number = growth.value.as_ref().map(|group| {
                    let text = line.captured(group.as_str())?;
                    text.parse::<f64>().ok().filter(|number| number.is_finite())
                });
                if number == Some(None) {
                    return None;
                }
                let seconds = growth.window_seconds.value();
                let window = state.window(&whose, seconds)?;
                if !window.add(time, seconds, number.flatten()) {
                    return None;
                }
                let share = window.rising(seconds, growth.value.is_some())?;
                let least = growth.threshold.value();
                (share >= least).then_some(Evidence::Growth { share, least })
            }
            When::Periodic(periodic) => {
                let every = periodic.every_seconds.map(Seconds::value);
                let beats = state.beats(&whose)?;
                let (run, gap) = beats.add(time, every, periodic.tolerance.value());
                (run >= periodic.times.value()).then_some(Evidence::Period(gap))
            }
            When::Absence(absence) => {
                state.awaits(&whose, absence.within_seconds.value());
                None
            }
        }?;
        Some((evidence, about.map(crate::series::shortened)))
    }
}

impl Test {
    fn is_in(&self, text: &str) -> bool {
        match self {
            Test::Texts => true,
            Test::Expression(expression) => expression.is_match(text),
            Test::Phrase(phrase) => phrase.is_in(text),
        }
    }
}

impl Evidence {
    fn contribution(self, name: &str, surprise: f64, message: &str) -> Contribution {
        let number = Observation::Number;
        let text = |text: &str| Observation::Text(text.to_owned());
        let limit = |limit: f64| (number(limit), Some(limit));
        let matches = |seconds: f64| format!("matches in {seconds} s");
        let (observed, (value, high), unit) = match self {
            Evidence::Line => (text(shown(message)), (text("no such line"), None), None),
            Evidence::After(seconds) => (
                number(seconds),
                (text("no such sequence"), None),
                Some("s after the first line".to_owned()),
            ),
            Evidence::Without {
                seconds,
                within,
                of_sequence,
            } => {
                let what = if of_sequence { "the second line" } else { "such a line" };
                (number(seconds), limit(within), Some(format!("s without {what}")))
            }
            Evidence::Spike {
                count,
                usual,
                factor,
                seconds,
            } => (
                number(count),
                (number(usual), Some(factor * usual)),
                Some(matches(seconds)),
            ),
            Evidence::Rate { count, least, seconds } => (number(count), limit(least), Some(matches(seconds))),
            Evidence::Growth { share, least } => {
                let unit = Some("% of steps up".to_owned());
                (number(100.0 * share), limit(100.0 * least), unit)
            }
            Evidence::Period(gap) => (
                number(gap),
                (text("no regular times"), None),
                Some("s from one to the next".to_owned()),
            ),
            Evidence::Surprise { surprise, least } => {
                let unit = Some("decades of surprise".to_owned());
                (number(surprise), limit(least), unit)
            }
        };
        Contribution {
            of: name.to_owned(),
            model: "pattern".to_owned(),
            surprise,
            observed,
            expected: Expected { value, low: None, high },
            unit,
        }
    }
}

/// What is shown of a line.
fn shown(message: &str) -> &str {
    message
        .get(..message.floor_char_boundary(MOST_SHOWN))
        .unwrap_or(message)
}
