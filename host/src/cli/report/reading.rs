//! Reads logs line by line, and keeps what is a verdict.

use std::path::PathBuf;

use serde::Serialize;
use watchpost_detector::{Phase, Timestamp};

use super::Period;
use super::incidents::{Episodes, Incident};
use super::lines::{self, Found};
use crate::cli::console::Console;
use crate::cli::exit::Exit;
use crate::cli::input::Message;
use crate::cli::page::words;

pub(super) struct Reading<'a> {
    console: &'a Console,
    episodes: Episodes,
    inputs: Vec<InputReport>,
    /// Each log once, however many parts it has.
    logs: Vec<PathBuf>,
    log: usize,
    /// A line that goes on in the next chunk.
    line: Vec<u8>,
    /// When the first and the last line were written, or the first and the last verdict given.
    span: Option<(Timestamp, Timestamp)>,
    ending: Ending,
}

enum Ending {
    Complete,
    Interrupted,
    Failed(anyhow::Error),
}

#[derive(Debug, Serialize)]
pub(super) struct InputReport {
    name: String,
    lines: u64,
    /// Those that hold a verdict.
    verdicts: u64,
    /// Those that hold one that cannot be read.
    bad_lines: u64,
}

/// What was read.
pub(super) struct Read {
    pub(super) incidents: Vec<Incident>,
    pub(super) inputs: Vec<InputReport>,
    pub(super) span: Option<(Timestamp, Timestamp)>,
    ending: Ending,
}

/// A line is kept up to so many bytes: a verdict has a few thousand.
const LONGEST: usize = 1 << 20;

/// So many lines at the beginning of a log are asked for their time.
const ASKED: u64 = 100;

/// So many bad lines of a log are shown; the rest is counted.
const SHOWN_PROBLEMS: u64 = 10;

impl<'a> Reading<'a> {
    pub(super) fn new(console: &'a Console) -> Self {
        Reading {
            console,
            episodes: Episodes::default(),
            inputs: Vec::new(),
            logs: Vec::new(),
            log: 0,
            line: Vec::new(),
            span: None,
            ending: Ending::Complete,
        }
    }

    pub(super) fn hear(&mut self, message: Message) {
        match message {
            Message::Begin { source, .. } => {
                let log = source.log();
                self.log = self.logs.iter().position(|known| *known == log).unwrap_or_else(|| {
                    self.logs.push(log);
                    self.logs.len() - 1
                });
                self.inputs.push(InputReport {
                    name: source.to_string(),
                    lines: 0,
                    verdicts: 0,
                    bad_lines: 0,
                });
            }
            Message::Chunk(chunk) => self.chunk(&chunk),
            Message::End => {
                if !self.line.is_empty() {
                    let line = std::mem::take(&mut self.line);
                    self.line(&line);
                    self.written(&line);
                }
                if let Some(input) = self.inputs.last()
                    && input.bad_lines > SHOWN_PROBLEMS
                {
                    let more = words::count(input.bad_lines - SHOWN_PROBLEMS);
                    self.console.problem(format_args!("{}: … and {more} more", input.name));
                }
            }
            Message::Pause | Message::Done => {}
            // Half a line is no line.
            Message::Interrupted => self.ending = Ending::Interrupted,
            Message::Failed(error) => self.ending = Ending::Failed(error),
        }
    }

    fn chunk(&mut self, chunk: &[u8]) {
        let Some(end) = chunk.iter().rposition(|byte| *byte == b'\n') else {
            self.keep(chunk);
            return;
        };
        let (whole, rest) = chunk.split_at(end + 1);
        let mut last = Vec::new();
        for (number, line) in whole.split(|byte| *byte == b'\n').enumerate() {
            // After the last end of a line there is nothing.
            let is_rest = line.is_empty();
            if number == 0 && !self.line.is_empty() {
                self.keep(line);
                last = std::mem::take(&mut self.line);
                self.line(&last);
            } else if !is_rest {
                self.line(line);
                last.clear();
                last.extend_from_slice(line);
            }
        }
        self.written(&last);
        self.keep(rest);
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LONGEST.saturating_sub(self.line.len()).min(part.len());
        self.line.extend_from_slice(part.get(..room).unwrap_or_default());
    }

    /// The log went on until then.
    fn written(&mut self, line: &[u8]) {
        if let Some(time) = lines::time(&String::from_utf8_lossy(line)) {
            self.reach(time);
        }
    }

    fn reach(&mut self, time: Timestamp) {
        let (first, last) = self.span.unwrap_or((time, time));
        self.span = Some((first.min(time), last.max(time)));
    }

    fn line(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let Some(input) = self.inputs.last_mut() else {
            return;
        };
        input.lines += 1;
        let is_asked = input.lines <= ASKED;
        match lines::find(&line) {
            Some(Found::Verdict(anomaly, voice)) => {
                input.verdicts += 1;
                self.reach(anomaly.timestamp);
                if matches!(anomaly.phase, Phase::End | Phase::Near) {
                    self.reach(anomaly.timestamp.plus_seconds(anomaly.seconds));
                }
                self.episodes.add(*anomaly, (self.log, voice));
            }
            Some(Found::Broken(why)) => {
                input.bad_lines += 1;
                if input.bad_lines <= SHOWN_PROBLEMS {
                    let why = words::plain(&why);
                    self.console
                        .problem(format_args!("{}:{}: {why}", input.name, input.lines));
                }
            }
            None if is_asked && self.span.is_none() => self.written(line.as_bytes()),
            None => {}
        }
    }

    pub(super) fn finish(self) -> Read {
        Read {
            incidents: self.episodes.into_incidents(),
            inputs: self.inputs,
            span: self.span,
            ending: self.ending,
        }
    }
}

impl Read {
    fn sum(&self, of: impl Fn(&InputReport) -> u64) -> u64 {
        self.inputs.iter().map(of).sum()
    }

    /// Says in a few sentences what was read.
    pub(super) fn summarise(&self, console: &Console, period: Option<Period>) {
        let (lines, verdicts) = (self.sum(|input| input.lines), self.sum(|input| input.verdicts));
        let bad = match self.sum(|input| input.bad_lines) {
            0 => String::new(),
            1 => "; 1 could not be read".to_owned(),
            bad => format!("; {} could not be read", words::count(bad)),
        };
        let during = period.map(|period| format!(", {}", period.told())).unwrap_or_default();
        console.summary(format_args!(
            "{} in {}{during}{bad}",
            words::counted(verdicts, "verdict"),
            words::counted(lines, "line"),
        ));
        if verdicts == 0 && lines > 0 {
            console.summary(
                "verdicts are logged as warnings and at level info: a log without any is of a proxy without the \
                 module, or in which nothing was strange",
            );
        }
    }

    /// How the run ended, once everything is printed.
    pub(super) fn outcome(self) -> anyhow::Result<Exit> {
        let bad = self.sum(|input| input.bad_lines);
        let verdicts = self.sum(|input| input.verdicts);
        match self.ending {
            Ending::Failed(error) => Err(error),
            Ending::Interrupted => Ok(Exit::Interrupted),
            Ending::Complete if verdicts == 0 && bad > 0 => anyhow::bail!("none of the verdicts could be read"),
            Ending::Complete => Ok(Exit::Fine),
        }
    }
}
