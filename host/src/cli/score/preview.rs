//! `watchpost score --preview`: what feedback would change, told before it is given.

use std::io::Write;

use anyhow::bail;
use serde::Serialize;
use watchpost::engine::{Engine, EngineError};
use watchpost_detector::{Anomaly, Input, SessionVerdict, Timestamp};

use crate::cli::console::Console;
use crate::cli::page::{self, Output, words};
use crate::cli::verdicts::{self, Episodes, Said};

use super::marks::{Mark, Marks};
use super::run::InputReport;

/// The run with the marks, beside the one without them. Both read the same, so that the lines of the one can be
/// compared with those of the other as they come, and an input can be a stream.
pub(super) struct Preview {
    engine: Engine,
    episodes: Episodes,
    sessions: Sessions,
    /// Verdicts on rows that are not the same.
    verdicts: u64,
    /// Whether an alarm or a session would be another one, once that was told.
    has_changes: bool,
    written: Vec<u8>,
}

/// The sessions that are anomalous in one of the runs only.
#[derive(Debug, Default, Serialize)]
struct Sessions {
    gone: Vec<SessionVerdict>,
    new: Vec<SessionVerdict>,
}

/// What became of an alarm.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
enum Change {
    /// It would not be raised any more.
    Gone { before: Box<Anomaly> },
    /// It would be raised as well.
    New { after: Box<Anomaly> },
    /// It would be raised at another time, or its severity, peak or extent would be another one.
    Changed { before: Box<Anomaly>, after: Box<Anomaly> },
}

impl Change {
    /// What it is told under.
    fn heading(&self) -> &'static str {
        match self {
            Change::Gone { .. } => "no longer raised",
            Change::New { .. } => "new",
            Change::Changed { .. } => "changed",
        }
    }
}

/// What is changed, in numbers.
#[derive(Debug, Default, Serialize)]
struct Summary {
    /// Alarms without the marks.
    alarms: u64,
    gone: u64,
    new: u64,
    changed: u64,
    /// Anomalous sessions without the marks.
    sessions: u64,
    sessions_gone: u64,
    sessions_new: u64,
    /// Verdicts on events.
    verdicts: u64,
    verdicts_changed: u64,
    marks: u64,
    marks_unused: u64,
}

/// All of it as one JSON object.
#[derive(Serialize)]
struct Report<'a> {
    summary: &'a Summary,
    alarms: &'a [Change],
    sessions: &'a Sessions,
    unused: Vec<&'a Mark>,
    input: &'a [InputReport],
}

/// The run without the marks, at its end.
pub(super) struct Before {
    pub(super) episodes: Vec<Anomaly>,
    pub(super) sessions: u64,
    pub(super) events: u64,
}

impl Preview {
    pub(super) fn new(engine: Engine) -> Self {
        Preview {
            engine,
            episodes: Episodes::default(),
            sessions: Sessions::default(),
            verdicts: 0,
            has_changes: false,
            written: Vec::new(),
        }
    }

    pub(super) fn begin(&mut self, input: &Input) -> Result<(), EngineError> {
        self.engine.begin(input)
    }

    /// Asks the engine with the marks what was asked of the one without, which wrote `before`.
    pub(super) fn hear(
        &mut self,
        question: impl Fn(&mut Engine, &mut Vec<u8>) -> Result<(), EngineError>,
        before: &[u8],
        marks: &mut Marks,
        console: &Console,
    ) -> anyhow::Result<()> {
        self.written.clear();
        question(&mut self.engine, &mut self.written)?;
        // Marks change what is said of rows and sessions, but neither which there are nor in which order they come.
        let mut before = verdicts::lines(before).filter(|said| !matches!(said, Ok(said) if !is_compared(said)));
        for said in verdicts::lines(&self.written) {
            let after = said?;
            let before = if is_compared(&after) {
                before.next().transpose()?
            } else {
                None
            };
            match (before, after) {
                (Some(Said::Row(before)), Said::Row(after)) => self.verdicts += u64::from(before != after),
                (Some(Said::Session(_, before)), Said::Session(_, after)) => match (before.anomaly, after.anomaly) {
                    (true, false) => self.sessions.gone.push(before),
                    (false, true) => self.sessions.new.push(after),
                    _ => {}
                },
                (_, Said::Row(_) | Said::Session(..)) => bail!("the runs with and without the marks read other rows"),
                (_, Said::Anomaly(_, anomaly)) => self.episodes.report(*anomaly),
                (_, Said::Unused(why, row)) => marks.are_unused(row, &why, console),
                // The run beside this one has told it.
                (_, Said::Problem(_) | Said::Note(..)) => {}
            }
        }
        Ok(())
    }

    /// Whether an alarm or a session would be another one.
    pub(super) fn has_changes(&self) -> bool {
        self.has_changes
    }

    /// Prints what would change, and nothing else.
    pub(super) fn print(
        &mut self,
        form: Output,
        before: Before,
        marks: &Marks,
        input: &[InputReport],
    ) -> anyhow::Result<()> {
        let unused = marks.unused();
        let mut summary = Summary {
            alarms: before.episodes.len() as u64,
            sessions: before.sessions,
            sessions_gone: self.sessions.gone.len() as u64,
            sessions_new: self.sessions.new.len() as u64,
            verdicts: before.events,
            verdicts_changed: self.verdicts,
            marks: marks.len() as u64,
            marks_unused: unused.len() as u64,
            ..Summary::default()
        };
        let alarms = compare(before.episodes, std::mem::take(&mut self.episodes).into_sorted());
        for change in &alarms {
            match change {
                Change::Gone { .. } => summary.gone += 1,
                Change::New { .. } => summary.new += 1,
                Change::Changed { .. } => summary.changed += 1,
            }
        }
        self.has_changes = !alarms.is_empty() || summary.sessions_gone + summary.sessions_new > 0;
        let mut text = Vec::new();
        match form {
            Output::Table => {
                self.write(&summary, &alarms, page::width(), &mut text)?;
                let mut stdout = anstream::stdout().lock();
                stdout.write_all(&text)?;
                return Ok(stdout.flush()?);
            }
            Output::Ndjson => self.write_lines(&summary, &alarms, &mut text)?,
            Output::Json => {
                serde_json::to_writer_pretty(
                    &mut text,
                    &Report {
                        summary: &summary,
                        alarms: &alarms,
                        sessions: &self.sessions,
                        unused,
                        input,
                    },
                )?;
                text.push(b'\n');
            }
        }
        Ok(super::write(&text)?)
    }

    /// One change a line, and the summary in the last one.
    fn write_lines(&self, summary: &Summary, alarms: &[Change], text: &mut Vec<u8>) -> anyhow::Result<()> {
        #[derive(Serialize)]
        struct OfSession<'a> {
            change: &'static str,
            session: &'a SessionVerdict,
        }
        #[derive(Serialize)]
        struct Last<'a> {
            summary: &'a Summary,
        }
        for change in alarms {
            serde_json::to_writer(&mut *text, change)?;
            text.push(b'\n');
        }
        for (change, sessions) in [("gone", &self.sessions.gone), ("new", &self.sessions.new)] {
            for session in sessions {
                serde_json::to_writer(&mut *text, &OfSession { change, session })?;
                text.push(b'\n');
            }
        }
        serde_json::to_writer(&mut *text, &Last { summary })?;
        text.push(b'\n');
        Ok(())
    }

    /// The summary, and below it what changes, under a heading for each way in which it does.
    fn write(&self, summary: &Summary, alarms: &[Change], width: usize, page: &mut Vec<u8>) -> std::io::Result<()> {
        for line in words::wrapped(&told(summary), width, 9) {
            writeln!(page, "{line}")?;
        }
        if !self.has_changes {
            // Who marks the alarm of last night expects it to be gone.
            let why = "A mark counts from the row after it on, so that the row that it is on stays as it is.";
            for line in words::wrapped(why, width, 9) {
                writeln!(page, "{line}")?;
            }
        }
        for heading in ["no longer raised", "new", "changed"] {
            for (at, change) in alarms.iter().filter(|change| change.heading() == heading).enumerate() {
                if at == 0 {
                    writeln!(page, "\n{heading}:")?;
                }
                let (episode, beside) = match change {
                    Change::Gone { before } => (before, Vec::new()),
                    Change::New { after } => (after, Vec::new()),
                    Change::Changed { before, after } => (after, vec![before_it(before, after)]),
                };
                let mut block = Vec::new();
                page::write_block(episode, &beside, width.saturating_sub(2), &mut block)?;
                for line in block.split_inclusive(|byte| *byte == b'\n') {
                    page.write_all(b"  ")?;
                    page.write_all(line)?;
                }
            }
        }
        let sessions = [
            ("sessions no longer anomalous", &self.sessions.gone),
            ("sessions newly anomalous", &self.sessions.new),
        ];
        for (heading, sessions) in sessions.iter().filter(|(_, sessions)| !sessions.is_empty()) {
            writeln!(page, "\n{heading}:")?;
            for session in *sessions {
                let odds = words::odds(session.surprise);
                let name = words::plain(&session.session);
                let name = words::shortened(&name, width.saturating_sub(odds.len() + 11));
                writeln!(page, "  {name}  chance {odds}")?;
            }
        }
        Ok(())
    }
}

/// What is compared as it comes; alarms are compared at the end.
fn is_compared(said: &Said<'_>) -> bool {
    matches!(said, Said::Row(_) | Said::Session(..))
}

/// What is not the same, in the order of time. Both lists are in that order.
fn compare(before: Vec<Anomaly>, after: Vec<Anomaly>) -> Vec<Change> {
    let mut after: Vec<Option<Anomaly>> = after.into_iter().map(Some).collect();
    // One that begins at the same time is the same alarm. Of the others, one of the same thing during the other's time
    // is, which a mark has made begin later or earlier.
    let mut pairs: Vec<(Anomaly, Option<Anomaly>)> = before
        .into_iter()
        .map(|before| {
            let same = after.iter_mut().find(|after| {
                let after = after.as_ref().map(|after| (after.timestamp, after.fingerprint));
                after == Some((before.timestamp, before.fingerprint))
            });
            let same = same.and_then(Option::take);
            (before, same)
        })
        .collect();
    for (before, pair) in pairs.iter_mut().filter(|(_, pair)| pair.is_none()) {
        let moved = after
            .iter_mut()
            .find(|after| after.as_ref().is_some_and(|after| is_during(before, after)));
        *pair = moved.and_then(Option::take);
    }
    let was = pairs.into_iter().filter_map(|(before, after)| {
        let before = Box::new(before);
        match after.map(Box::new) {
            None => Some(Change::Gone { before }),
            Some(after) => (extent(&before) != extent(&after)).then_some(Change::Changed { before, after }),
        }
    });
    let new = after
        .into_iter()
        .flatten()
        .map(|after| Change::New { after: Box::new(after) });
    let mut changes: Vec<Change> = was.chain(new).collect();
    changes.sort_by_key(Change::time);
    changes
}

impl Change {
    fn time(&self) -> Timestamp {
        match self {
            Change::Gone { before } | Change::Changed { before, .. } => before.timestamp,
            Change::New { after } => after.timestamp,
        }
    }
}

/// Whether two alarms of the same thing have time in common.
fn is_during(a: &Anomaly, b: &Anomaly) -> bool {
    let end = |anomaly: &Anomaly| anomaly.timestamp.plus_seconds(anomaly.seconds);
    a.fingerprint == b.fingerprint && a.timestamp <= end(b) && b.timestamp <= end(a)
}

/// What of an alarm is compared. The threshold moves with every alarm that is raised or not, and is none of it.
fn extent(anomaly: &Anomaly) -> impl PartialEq + use<> {
    (
        (anomaly.timestamp, anomaly.seconds, anomaly.events, anomaly.phase),
        (anomaly.severity, anomaly.surprise, anomaly.peak, anomaly.kind),
    )
}

/// How a changed alarm is without the marks, as far as that is another thing.
fn before_it(before: &Anomaly, after: &Anomaly) -> String {
    let mut parts = Vec::new();
    let mut part = |differs: bool, told: String| {
        if differs {
            parts.push(words::glued(&told));
        }
    };
    part(
        before.timestamp != after.timestamp,
        format!("began {}", words::moment(before.timestamp)),
    );
    part(
        before.severity != after.severity,
        words::severity(before.severity).to_owned(),
    );
    part(before.kind != after.kind, words::kind(before.kind).to_owned());
    part(
        before.seconds != after.seconds,
        format!("lasted {}", words::duration(before.seconds)),
    );
    part(before.events != after.events, words::counted(before.events, "event"));
    part(
        before.peak != after.peak,
        format!("peak {}", words::moment(before.peak)),
    );
    part(
        before.surprise != after.surprise,
        format!("chance {}", words::odds(before.surprise)),
    );
    if parts.is_empty() {
        parts.push("it was over, or was not, when the input ended".to_owned());
    }
    format!("without the marks: {}", parts.join(", "))
}

/// `2 of 31 alarms would no longer be raised, 1 would be new; 412 of 90,000 verdicts change`.
fn told(summary: &Summary) -> String {
    let mut parts = Vec::new();
    let mut of = format!(" of {}", words::counted(summary.alarms, "alarm"));
    for (amount, would) in [(summary.gone, "no longer be raised"), (summary.changed, "change")] {
        if amount > 0 {
            parts.push(format!(
                "{}{} would {would}",
                words::count(amount),
                std::mem::take(&mut of)
            ));
        }
    }
    if summary.new > 0 {
        let new = if parts.is_empty() {
            words::counted(summary.new, "alarm")
        } else {
            words::count(summary.new)
        };
        parts.push(format!("{new} would be new"));
    }
    if parts.is_empty() {
        parts.push(match summary.alarms {
            0 => "no alarm would be raised, with the marks or without".to_owned(),
            1 => "the 1 alarm would stay as it is".to_owned(),
            alarms => format!("all {} would stay as they are", words::counted(alarms, "alarm")),
        });
    }
    let mut text = parts.join(", ");
    if summary.sessions_gone > 0 {
        let (gone, sessions) = (
            words::count(summary.sessions_gone),
            words::counted(summary.sessions, "anomalous session"),
        );
        text += &format!("; {gone} of {sessions} would be normal");
    }
    if summary.sessions_new > 0 {
        text += &format!(
            "; {} would be anomalous",
            words::counted(summary.sessions_new, "normal session")
        );
    }
    let changed = words::count(summary.verdicts_changed);
    let verdicts = words::counted(summary.verdicts, "verdict");
    text + &format!("; {changed} of {verdicts} change")
}

#[cfg(test)]
mod tests {
    use watchpost_detector::{Fingerprint, Severity};

    use super::*;

    /// An alarm of a thing, so many seconds after a point in time, that lasted for so many.
    fn alarm(of: u64, at: i64, seconds: f64) -> Anomaly {
        let anomaly = serde_json::json!({
            "timestamp": Timestamp::from_seconds(1_772_460_330 + at), "subject": {}, "kind": "spike",
            "anomaly_type": "pattern", "severity": "high", "score": 0.9999, "surprise": 4.0, "threshold": 3.0,
            "phase": "end", "seconds": seconds, "events": 3, "peak": Timestamp::from_seconds(1_772_460_330 + at),
            "fingerprint": Fingerprint(of), "explanation": {"contributions": [], "counterfactual": []},
        });
        serde_json::from_value(anomaly).unwrap()
    }

    #[test]
    fn alarms_are_the_same_moved_gone_or_new() {
        let same = alarm(1, 0, 60.0);
        let moves = alarm(2, 100, 600.0);
        let moved = alarm(2, 400, 300.0);
        let gone = alarm(3, 200, 60.0);
        let worse = alarm(4, 300, 60.0);
        let milder = Anomaly {
            severity: Severity::Low,
            ..worse.clone()
        };
        // The same thing long after is another alarm.
        let new = alarm(3, 5000, 60.0);
        let raised = Anomaly {
            threshold: 3.5,
            ..same.clone()
        };
        let changes = compare(
            vec![same, moves.clone(), gone.clone(), worse.clone()],
            vec![raised, milder.clone(), moved.clone(), new.clone()],
        );
        let changed = |before, after| Change::Changed {
            before: Box::new(before),
            after: Box::new(after),
        };
        assert_eq!(
            changes,
            [
                changed(moves, moved),
                Change::Gone { before: Box::new(gone) },
                changed(worse, milder),
                Change::New { after: Box::new(new) },
            ]
        );
    }

    #[test]
    fn what_was_other_is_told_beside_what_is() {
        let before = alarm(1, 0, 60.0);
        let after = Anomaly {
            seconds: 30.0,
            surprise: 3.0,
            severity: Severity::Low,
            ..before.clone()
        };
        let told = before_it(&before, &after).replace(words::GLUE, " ");
        assert_eq!(told, "without the marks: high, lasted 1m, chance 1 in 10,000");
    }

    #[test]
    fn the_summary_is_a_sentence() {
        let summary = |alarms, gone, new, changed| Summary {
            alarms,
            gone,
            new,
            changed,
            verdicts: 90_000,
            verdicts_changed: 412,
            ..Summary::default()
        };
        let verdicts = "; 412 of 90,000 verdicts change";
        for (summary, expected) in [
            (
                summary(31, 2, 1, 0),
                "2 of 31 alarms would no longer be raised, 1 would be new",
            ),
            (summary(31, 0, 1, 2), "2 of 31 alarms would change, 1 would be new"),
            (summary(31, 0, 1, 0), "1 alarm would be new"),
            (summary(31, 0, 0, 0), "all 31 alarms would stay as they are"),
            (summary(1, 0, 0, 0), "the 1 alarm would stay as it is"),
            (
                summary(0, 0, 0, 0),
                "no alarm would be raised, with the marks or without",
            ),
        ] {
            assert_eq!(told(&summary), format!("{expected}{verdicts}"));
        }
        let sessions = Summary {
            sessions: 4,
            sessions_gone: 1,
            sessions_new: 2,
            ..summary(0, 0, 0, 0)
        };
        assert!(told(&sessions).contains("; 1 of 4 anomalous sessions would be normal; 2 normal sessions would be"));
    }
}
