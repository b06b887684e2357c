//! Judges alarms by the truth. It knows nothing of the detector, so that it can be tried on detectors that are
//! none.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Expected;
use super::stream::{HOUR, MINUTE, Stream, Trouble};

/// One alarm: the onset of an episode.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alarm {
    /// Seconds from the start.
    pub(crate) time: i64,
    /// Whom and what it names; a detector that names nothing is taken to mean the right one.
    pub(crate) subject: Option<BTreeMap<String, String>>,
    pub(crate) metrics: Option<Vec<String>>,
}

impl Alarm {
    pub(crate) fn at(time: i64) -> Self {
        Alarm {
            time,
            subject: None,
            metrics: None,
        }
    }
}

/// Labels of subjects that requests give alarms of their own.
const OF_REQUESTS: [&str; 3] = ["route", "upstream", "client"];

impl Alarm {
    /// Whether it names the one who is at fault, and what is wrong.
    pub(crate) fn names(&self, trouble: &Trouble) -> bool {
        let subject = self.subject.as_ref();
        let service = trouble.service.zip(subject.and_then(|subject| subject.get("service")));
        let only = trouble.only.zip(subject).is_none_or(|(only, subject)| {
            let truth = |label: &str| only.iter().find(|(name, _)| *name == label).map(|(_, value)| *value);
            let named = |label: &str| subject.get(label).map(String::as_str);
            OF_REQUESTS.iter().all(|label| truth(label) == named(label))
        });
        let metrics = self.metrics.iter().flatten();
        service.is_none_or(|(truth, named)| truth == named)
            && only
            && (trouble.metrics.is_empty()
                || self.metrics.is_none()
                || metrics.into_iter().any(|name| trouble.metrics.contains(&name.as_str())))
    }
}

/// What became of one stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// How long after its beginning the trouble was seen, in seconds.
    delay: Option<i64>,
    false_alarms: usize,
    days: f64,
}

/// What follows from trouble (a level that returns, a cache that is cold) is no false alarm for so long.
const AFTERMATH: i64 = 2 * HOUR;

impl Outcome {
    /// An alarm sees the trouble when its onset lies within it and it names the right one: an alarm that was
    /// on before has not seen anything.
    pub(crate) fn of(stream: &Stream, alarms: &[Alarm]) -> Self {
        let mut outcome = Outcome {
            delay: None,
            false_alarms: 0,
            days: stream.days(),
        };
        for alarm in alarms {
            match &stream.trouble {
                Some(trouble) if trouble.holds(alarm.time) => {
                    if alarm.names(trouble) {
                        outcome.delay.get_or_insert(alarm.time - trouble.from);
                    }
                }
                Some(trouble) if (trouble.to..trouble.to + AFTERMATH).contains(&alarm.time) => {}
                _ => outcome.false_alarms += usize::from(alarm.time >= stream.known_from),
            }
        }
        outcome
    }
}

/// What became of all streams of one case.
#[derive(Debug, Clone)]
pub(crate) struct Score {
    pub(crate) name: &'static str,
    pub(crate) expected: Expected,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Score {
    fn recall(&self) -> f64 {
        let seen = self.outcomes.iter().filter(|outcome| outcome.delay.is_some()).count();
        seen as f64 / self.outcomes.len() as f64
    }

    /// The median of the delays of what was seen, in minutes.
    fn delay(&self) -> Option<f64> {
        let mut delays: Vec<i64> = self.outcomes.iter().filter_map(|outcome| outcome.delay).collect();
        delays.sort_unstable();
        delays.get(delays.len() / 2).map(|delay| *delay as f64 / MINUTE as f64)
    }

    fn false_alarms(&self) -> usize {
        self.outcomes.iter().map(|outcome| outcome.false_alarms).sum()
    }

    fn days(&self) -> f64 {
        self.outcomes.iter().map(|outcome| outcome.days).sum()
    }

    /// False alarms a day.
    fn rate(&self) -> f64 {
        self.false_alarms() as f64 / self.days()
    }
}

/// What is asked for. The figures are what the models reach with room to spare, so that changes of luck do not
/// fail it and a model that stops discriminating does.
const LEAST_RECALL: f64 = 0.93;
const LEAST_RECALL_OF_A_CASE: f64 = 0.7;
const MOST_FALSE_ALARMS_A_DAY: f64 = 0.3;
const MOST_FALSE_ALARMS_A_DAY_OF_A_CASE: f64 = 0.6;
/// What is expected to be noisy is to be expected harmless from here on.
const FEW_FALSE_ALARMS_A_DAY: f64 = 0.15;

/// Whether a detector is good enough, with everything that speaks against it.
pub(crate) fn gate(scores: &[Score]) -> Result<(), String> {
    let mut against = String::new();
    let found = || {
        scores
            .iter()
            .filter(|score| matches!(score.expected, Expected::Found { .. }))
    };
    let recall = found().map(Score::recall).sum::<f64>() / found().count() as f64;
    if recall < LEAST_RECALL {
        let _ = writeln!(against, "recall is {recall:.3}, and has to be {LEAST_RECALL}");
    }
    for score in scores {
        let name = score.name;
        match score.expected {
            Expected::Found { within } => {
                let recall = score.recall();
                if recall < LEAST_RECALL_OF_A_CASE {
                    let _ = writeln!(against, "{name}: recall is {recall:.2}");
                }
                if let Some(delay) = score.delay().filter(|delay| *delay > within) {
                    let _ = writeln!(
                        against,
                        "{name}: seen after {delay} minutes, and has to be within {within}"
                    );
                }
            }
            Expected::Missed(_) if score.recall() >= LEAST_RECALL => {
                let _ = writeln!(against, "{name} is found now: expect it to be, in the table of cases");
            }
            Expected::Noisy(_) if score.rate() <= FEW_FALSE_ALARMS_A_DAY => {
                let _ = writeln!(against, "{name} is quiet now: expect it to be, in the table of cases");
            }
            Expected::Missed(_) | Expected::Noisy(_) | Expected::Harmless => {}
        }
        if score.rate() > MOST_FALSE_ALARMS_A_DAY_OF_A_CASE && score.expected == Expected::Harmless {
            let _ = writeln!(against, "{name}: {:.2} false alarms a day", score.rate());
        }
    }
    let rate =
        scores.iter().map(Score::false_alarms).sum::<usize>() as f64 / scores.iter().map(Score::days).sum::<f64>();
    if rate > MOST_FALSE_ALARMS_A_DAY {
        let _ = writeln!(
            against,
            "{rate:.3} false alarms a day, and {MOST_FALSE_ALARMS_A_DAY} at most are allowed"
        );
    }
    if against.is_empty() { Ok(()) } else { Err(against) }
}

/// The figures of every case, and of all.
pub(crate) fn table(scores: &[Score]) -> String {
    let mut text = format!(
        "{:<28} {:<9} {:>7} {:>10} {:>13} {:>7}\n",
        "case", "expected", "recall", "delay min", "false alarms", "days"
    );
    for score in scores {
        let (expected, recall) = match score.expected {
            Expected::Found { .. } => ("found", format!("{:.2}", score.recall())),
            Expected::Missed(_) => ("missed", format!("{:.2}", score.recall())),
            Expected::Harmless => ("harmless", String::new()),
            Expected::Noisy(_) => ("noisy", String::new()),
        };
        let delay = score.delay().map_or_else(String::new, |delay| format!("{delay:.0}"));
        let (alarms, days) = (score.false_alarms(), score.days());
        let _ = writeln!(
            text,
            "{:<28} {expected:<9} {recall:>7} {delay:>10} {alarms:>13} {days:>7.1}",
            score.name
        );
    }
    let of = |wanted: fn(&Expected) -> bool| {
        let scores: Vec<_> = scores.iter().filter(|score| wanted(&score.expected)).collect();
        let recall = scores.iter().map(|score| score.recall()).sum::<f64>() / scores.len() as f64;
        let alarms: usize = scores.iter().map(|score| score.false_alarms()).sum();
        let days: f64 = scores.iter().map(|score| score.days()).sum();
        (recall, alarms as f64 / days, days)
    };
    let (recall, _, _) = of(|expected| matches!(expected, Expected::Found { .. }));
    let (_, harmless, _) = of(|expected| matches!(expected, Expected::Harmless | Expected::Noisy(_)));
    let (_, all, days) = of(|_| true);
    let _ = writeln!(
        text,
        "recall of what has to be found {recall:.3}; false alarms a day {all:.3} over {days:.0} days, \
         {harmless:.3} where nothing happens"
    );
    text
}
