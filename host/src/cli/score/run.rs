//! One run of the engine over its inputs: what is passed on at once, what is kept for the end, and what is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde::Serialize;
use watchpost::engine::{Engine, EngineError};
use watchpost_detector::wire::Format;
use watchpost_detector::{Anomaly, Document, Emit, Input, Phase, Problem, Relay, Role, SessionVerdict, Status};

use crate::cli::console::Console;
use crate::cli::exit::{Exit, Usage};
use crate::cli::input::{self, Message};
use crate::cli::page::{self, Output, words};
use crate::cli::verdicts::{self, Episodes, Said};

use super::marks::Marks;
use super::near::NearMisses;
use super::preview::{Before, Preview};
use super::summary::{bounds_reached, patterns_found, tally};

/// Which of the engine's lines are passed on to standard output as soon as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    /// Those about rows and sessions.
    Verdicts,
    /// The alarms, what becomes worse of them, and the near misses where they are asked for.
    Onsets,
    /// None: the lines of the input are passed on, with their verdicts if that is asked for.
    Lines,
    Nothing,
}

pub(super) struct Run<'a> {
    engine: Engine,
    console: &'a Console,
    passed: Passed,
    relay: Relay,
    /// What all inputs have in common.
    template: Input,
    marks: Marks,
    /// What is asked for is not what is strange, but what the marks would change in it.
    preview: Option<Preview>,
    /// Where the engine stood before: a restored one counts on.
    before: Status,
    inputs: Vec<InputReport>,
    is_open: bool,
    /// Whether the input that is read is no history.
    is_scored: bool,
    episodes: Episodes,
    near: NearMisses,
    /// Those that are anomalous: fewer than one in 1,000, unless something is wrong.
    sessions: Vec<SessionVerdict>,
    ending: Ending,
    /// What was found out about inputs when there are too many to say it of each: the inputs by what was found.
    found: Option<BTreeMap<String, Vec<String>>>,
    /// What has been said already of another input.
    said: BTreeSet<String>,
    /// Since the first scored input began.
    started: Option<Instant>,
    written: Vec<u8>,
}

/// How reading ended.
enum Ending {
    Complete,
    Interrupted,
    Failed(anyhow::Error),
}

#[derive(Debug, Serialize)]
pub(super) struct InputReport {
    name: String,
    format: Format,
    role: Role,
    bad_rows: u64,
}

/// What was found out about so many inputs is said of each; of more, in sum.
const TOLD_INPUTS: usize = 8;

/// So many bad rows of a file are shown; the rest is counted.
const SHOWN_PROBLEMS: u64 = 10;

impl<'a> Run<'a> {
    pub(super) fn new(
        mut engine: Engine,
        console: &'a Console,
        passed: Passed,
        relay: Relay,
        template: Input,
        marks: Marks,
        inputs: usize,
    ) -> anyhow::Result<Self> {
        let answers = marks.answers();
        Ok(Run {
            before: engine.status()?,
            engine,
            console,
            passed,
            relay,
            template: Input { answers, ..template },
            marks,
            preview: None,
            inputs: Vec::new(),
            is_open: false,
            is_scored: false,
            episodes: Episodes::default(),
            near: NearMisses::default(),
            sessions: Vec::new(),
            ending: Ending::Complete,
            found: (inputs > TOLD_INPUTS).then(BTreeMap::new),
            said: BTreeSet::new(),
            started: None,
            written: Vec::new(),
        })
    }

    /// Has another engine read the same, and learn from the marks in the place of this one: what differs is what they
    /// would change.
    pub(super) fn previewing(mut self, engine: Engine) -> Self {
        self.template.emit = Emit::All;
        self.template.answers = Vec::new();
        self.preview = Some(Preview::new(engine));
        self
    }

    pub(super) fn hear(&mut self, message: Message) -> anyhow::Result<()> {
        match message {
            Message::Begin { source, format, note } => {
                if source.role == Role::Score {
                    self.started.get_or_insert_with(Instant::now);
                }
                let input = Input {
                    format,
                    role: source.role,
                    source: source.path().map(|path| path.display().to_string()),
                    ..self.template.clone()
                };
                self.engine.begin(&input)?;
                if let Some(preview) = &mut self.preview {
                    let answers = self.marks.answers();
                    preview.begin(&Input { answers, ..input })?;
                }
                self.is_open = true;
                self.is_scored = source.role == Role::Score;
                self.inputs.push(InputReport {
                    name: source.to_string(),
                    format,
                    role: source.role,
                    bad_rows: 0,
                });
                match note {
                    Some(note) if note == input::BY_NAME => self.found(&format!("read as {}: {note}", name(format))),
                    Some(note) => self.found(note),
                    None => {}
                }
                Ok(())
            }
            Message::Pause => self.ask(Engine::flush),
            Message::Chunk(chunk) => self.ask_and_relay(
                |engine, written| engine.push(&chunk, written),
                |relay, written, out| relay.pass(&chunk, written, out, &mut Vec::new()),
            ),
            Message::End => {
                self.ask_and_relay(Engine::finish, |relay, written, out| {
                    relay.finish(written, out, &mut Vec::new());
                })?;
                self.count_problems();
                Ok(())
            }
            Message::Done => Ok(()),
            Message::Interrupted => {
                self.ending = Ending::Interrupted;
                Ok(())
            }
            Message::Failed(error) => {
                self.ending = Ending::Failed(error);
                Ok(())
            }
        }
    }

    /// The state to go on from, taken before [`Run::close`]: what is open then stays open in the next run, as if
    /// there had been no end between the two.
    pub(super) fn snapshot(&mut self) -> anyhow::Result<Vec<u8>> {
        Ok(self.engine.snapshot()?)
    }

    /// Ends what is open and says what was done in this run.
    ///
    /// An input that was cut short is not finished: its last line may be half a line, which must be neither scored
    /// nor called bad.
    pub(super) fn close(&mut self) -> anyhow::Result<Status> {
        self.count_problems();
        for (found, inputs) in self.found.take().unwrap_or_default() {
            self.console.note(in_sum(&found, &inputs));
        }
        self.ask_and_relay(Engine::close, |relay, written, out| {
            relay.aside(written, out, &mut Vec::new());
        })?;
        self.console.bar().finish_and_clear();
        let status = self.engine.status()?;
        Ok(Status {
            events: status.events.saturating_sub(self.before.events),
            alarms: status.alarms.saturating_sub(self.before.alarms),
            days: (status.days - self.before.days).max(0.0),
            evicted_series: status.evicted_series.saturating_sub(self.before.evicted_series),
            evicted_templates: status.evicted_templates.saturating_sub(self.before.evicted_templates),
            evicted_routes: status.evicted_routes.saturating_sub(self.before.evicted_routes),
            evicted_sessions: status.evicted_sessions.saturating_sub(self.before.evicted_sessions),
            evicted_tracks: status.evicted_tracks.saturating_sub(self.before.evicted_tracks),
            ignored_metrics: status.ignored_metrics.saturating_sub(self.before.ignored_metrics),
            ..status
        })
    }

    /// Says in a few sentences what was done.
    pub(super) fn summarise(&self, status: &Status, document: &Document, form: Option<Output>) {
        let seconds = self.started.map_or(0.0, |started| started.elapsed().as_secs_f64());
        let rate = status.events as f64 / seconds.max(1e-9);
        let bad_rows = match self.bad_rows() {
            0 => String::new(),
            1 => "; 1 row could not be read".to_owned(),
            rows => format!("; {} rows could not be read", words::count(rows)),
        };
        let twice = if self.preview.is_some() { ", twice" } else { "" };
        self.console.summary(format_args!(
            "scored {} over {} in {seconds:.2} s ({} events/s){twice}{bad_rows}",
            words::counted(status.events, "event"),
            words::span(status.days * 86_400.0),
            words::count(rate as u64),
        ));
        if self.passed == Passed::Lines {
            let relayed = self.relay.relayed();
            let sampled = match relayed.sampled {
                0 => String::new(),
                sampled => format!(", {} of them as a sample", words::count(sampled)),
            };
            self.console.summary(format_args!(
                "passed {} of {} on{sampled}; {} anomalous",
                words::count(relayed.passed),
                words::counted(relayed.lines, "line"),
                words::count(relayed.anomalous),
            ));
        }
        for bound in bounds_reached(status) {
            self.console.summary(bound);
        }
        if let Some(found) = patterns_found(&self.before.found, &status.found) {
            self.console.summary(found);
        }
        // What the marks would change has been told, and nothing else was asked for.
        if self.preview.is_some() {
            return;
        }
        let budget = document.detector.false_alarms_per_day.per_day();
        if form == Some(Output::Table) {
            self.near.tell(budget, self.console);
        }
        if status.alarms > 0 {
            self.console.summary(tally(status.alarms, status.days, budget));
        } else if form != Some(Output::Table) && self.sessions.is_empty() && !self.has_read_nothing(status) {
            // A table says so itself, on standard output.
            self.console.summary(page::nothing_found(status));
        }
    }

    /// Whether the run ends with an error and without a single event: there was nothing that could have been found.
    fn has_read_nothing(&self, status: &Status) -> bool {
        status.events == 0 && (self.bad_rows() > 0 || matches!(self.ending, Ending::Failed(_)))
    }

    fn bad_rows(&self) -> u64 {
        self.inputs.iter().map(|input| input.bad_rows).sum()
    }

    /// Prints the episodes in a form that waits for the end; `status` is missing when the engine has failed.
    pub(super) fn print(&mut self, form: Option<Output>, status: Option<&Status>) -> anyhow::Result<()> {
        #[derive(Serialize)]
        struct Report<'a> {
            episodes: &'a [Anomaly],
            sessions: &'a [SessionVerdict],
            status: Option<&'a Status>,
            input: &'a [InputReport],
        }
        let episodes = std::mem::take(&mut self.episodes).into_sorted();
        if let Some(preview) = &mut self.preview {
            let (Some(form), Some(status)) = (form, status) else {
                // Half of a comparison would be a wrong one.
                return Ok(());
            };
            let before = Before {
                episodes,
                sessions: self.sessions.len() as u64,
                events: status.events,
            };
            return preview.print(form, before, &self.marks, &self.inputs);
        }
        match form {
            Some(Output::Table) => {
                let status = status.filter(|status| !self.has_read_nothing(status));
                page::print_table(&episodes, &self.sessions, status)
            }
            Some(Output::Json) => {
                let mut text = serde_json::to_vec_pretty(&Report {
                    episodes: &episodes,
                    sessions: &self.sessions,
                    status,
                    input: &self.inputs,
                })?;
                text.push(b'\n');
                Ok(super::write(&text)?)
            }
            Some(Output::Ndjson) | None => Ok(()),
        }
    }

    /// Whether there was something to be found: an anomaly, or for a preview a change.
    pub(super) fn has_found(&self, status: &Status) -> bool {
        match &self.preview {
            Some(preview) => preview.has_changes(),
            None => status.alarms > 0 || !self.sessions.is_empty(),
        }
    }

    /// How the run ended, once everything is printed.
    pub(super) fn outcome(self, status: &Status) -> anyhow::Result<Exit> {
        match self.ending {
            Ending::Failed(error) => Err(error),
            Ending::Interrupted => Ok(Exit::Interrupted),
            Ending::Complete => {
                if self.has_read_nothing(status) {
                    anyhow::bail!("none of the rows could be read; is it really {}?", self.formats());
                }
                Ok(Exit::Fine)
            }
        }
    }

    fn formats(&self) -> &'static str {
        self.inputs.last().map_or("the right file", |input| name(input.format))
    }

    /// Says how many bad rows of the input that was read last were not shown.
    fn count_problems(&mut self) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        if let Some(input) = self.inputs.last().filter(|input| input.bad_rows > SHOWN_PROBLEMS) {
            let more = words::count(input.bad_rows - SHOWN_PROBLEMS);
            self.console.problem(format_args!("{}: … and {more} more", input.name));
        }
    }

    /// Has the engine do something, and deals with what it says; what it said before it failed counts, too.
    fn ask(&mut self, question: impl Fn(&mut Engine, &mut Vec<u8>) -> Result<(), EngineError>) -> anyhow::Result<()> {
        let mut written = std::mem::take(&mut self.written);
        written.clear();
        let asked = question(&mut self.engine, &mut written);
        let mut heard = self.sort(&written);
        if let (Some(preview), Ok(())) = (&mut self.preview, &heard) {
            heard = preview.hear(question, &written, &mut self.marks, self.console);
        }
        self.written = written;
        asked.map_err(Into::into).and(heard)
    }

    /// Has the engine do something, and passes on what that was about. Of history nothing is passed on.
    fn ask_and_relay(
        &mut self,
        question: impl Fn(&mut Engine, &mut Vec<u8>) -> Result<(), EngineError>,
        relay: impl FnOnce(&mut Relay, &[u8], &mut Vec<u8>),
    ) -> anyhow::Result<()> {
        let asked = self.ask(question);
        if self.passed == Passed::Lines && self.is_scored {
            let mut out = Vec::new();
            relay(&mut self.relay, &self.written, &mut out);
            if !out.is_empty() {
                super::write(&out)?;
            }
        }
        asked
    }

    fn sort(&mut self, written: &[u8]) -> anyhow::Result<()> {
        let mut passed = Vec::new();
        for said in verdicts::lines(written) {
            match said? {
                Said::Row(line) if self.passed == Passed::Verdicts => passed.extend_from_slice(line),
                Said::Row(_) => {}
                Said::Session(line, verdict) => {
                    if self.passed == Passed::Verdicts {
                        passed.extend_from_slice(line);
                    }
                    if verdict.anomaly {
                        self.sessions.push(verdict);
                    }
                }
                Said::Anomaly(line, anomaly) => {
                    if self.passed == Passed::Onsets
                        && matches!(anomaly.phase, Phase::Onset | Phase::Worse | Phase::Near)
                    {
                        passed.extend_from_slice(line);
                    }
                    self.near.hear(&anomaly);
                    self.episodes.report(*anomaly);
                }
                Said::Problem(problem) if self.is_about_subject(&problem) => {
                    let input = self.inputs.last().map_or("input", |input| &input.name);
                    let message = words::plain(&problem.message);
                    return Err(Usage(format!("--subject: {input}: {message}")).into());
                }
                Said::Problem(problem) => self.problem(&problem),
                Said::Note(note, Some(format)) => {
                    if let Some(input) = self.inputs.last_mut() {
                        input.format = format;
                    }
                    self.found(&words::plain(&note));
                }
                Said::Note(note, None) => self.note(&words::plain(&note)),
                Said::Unused(note, row) => self.marks.are_unused(row, &note, self.console),
            }
        }
        if !passed.is_empty() {
            super::write(&passed)?;
        }
        Ok(())
    }

    /// Says what was found out about the input that is being read.
    fn found(&mut self, what: &str) {
        let Some(input) = self.inputs.last() else {
            return;
        };
        match &mut self.found {
            Some(found) => found.entry(what.to_owned()).or_default().push(input.name.clone()),
            None => self.console.note(format_args!("{}: {what}", input.name)),
        }
    }

    /// Says what the user should know of the input that is being read; of many inputs it is said once.
    fn note(&mut self, note: &str) {
        if self.found.is_some() && !self.said.insert(note.to_owned()) {
            return;
        }
        // What is said after the last input is about all of them.
        match self.inputs.last().filter(|_| self.is_open) {
            Some(input) => self.console.note(format_args!("{}: {note}", input.name)),
            None => self.console.note(note),
        }
    }

    /// Whether the problem is no fault of a row: a column of `--subject` is not there, or cannot be part of it. The
    /// engine could go on, but every verdict would be about something else than what was asked for.
    fn is_about_subject(&self, problem: &Problem) -> bool {
        let names_column = |field: &String| self.template.subject.iter().flatten().any(|column| column == field);
        problem.field.as_ref().is_some_and(names_column)
            && (problem.message.starts_with("there is no column ")
                || problem.message.ends_with(" cannot be part of its subject"))
    }

    fn problem(&mut self, problem: &Problem) {
        let Some(input) = self.inputs.last_mut() else {
            return;
        };
        input.bad_rows += 1;
        if input.bad_rows <= SHOWN_PROBLEMS {
            let field = problem
                .field
                .as_ref()
                .map(|field| format!("{}: ", words::plain(field)))
                .unwrap_or_default();
            let message = words::plain(&problem.message);
            self.console
                .problem(format_args!("{}:{}: {field}{message}", input.name, problem.line));
        }
    }
}

/// What was found out about several inputs.
fn in_sum(found: &str, inputs: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = inputs.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match inputs.len().saturating_sub(SHOWN) {
        0 => format!("{shown}: {found}"),
        more => format!("{shown} and {more} more: {found}"),
    }
}

fn name(format: Format) -> &'static str {
    match format {
        Format::Auto => "what it was taken for",
        Format::Ndjson => "JSON",
        Format::Csv => "CSV",
        Format::Text => "log lines",
        Format::Logfmt => "logfmt",
        Format::Syslog => "syslog",
        Format::Access => "an access log",
        Format::Envoy => "Envoy's access log",
        Format::Kubernetes => "a container log",
        Format::Otlp => "OTLP",
        Format::Prometheus => "Prometheus' text exposition",
        Format::NativeJson => "Vector's events",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_inputs_are_is_told_in_sum() {
        let names = |count: usize| (1..=count).map(|n| format!("{n}.log")).collect::<Vec<_>>();
        assert_eq!(in_sum("syslog", &names(1)), "1.log: syslog");
        assert_eq!(in_sum("syslog", &names(3)), "1.log, 2.log, 3.log: syslog");
        assert_eq!(in_sum("syslog", &names(9)), "1.log, 2.log, 3.log and 6 more: syslog");
    }
}
