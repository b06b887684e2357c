//! Lines as records for a filter, and what it makes of them as lines.

use std::mem;

use watchpost::guest::{Answer, Filter, is_object};
use watchpost_detector::wire::Format;
use watchpost_detector::{Interval, Timestamp};

use crate::cli::console::Console;
use crate::cli::exit::{Exit, is_closed_pipe};
use crate::cli::input::{self, Message, Source};
use crate::cli::score;

/// So many records that were dropped are shown; the rest is counted.
const SHOWN: u64 = 10;

/// The records of all inputs, one after the other.
pub(super) struct Records<'a> {
    filter: Filter,
    tag: &'a str,
    interval: f64,
    console: &'a Console,
    /// Of the input that is being read.
    source: String,
    line_number: u64,
    /// The start of a line whose end has not come.
    partial: Vec<u8>,
    out: Vec<u8>,
    records: u64,
    passed: u64,
    left_out: u64,
    dropped: u64,
}

impl<'a> Records<'a> {
    pub(super) fn new(filter: Filter, tag: &'a str, interval: Interval, console: &'a Console) -> Self {
        Records {
            filter,
            tag,
            interval: interval.seconds(),
            console,
            source: String::new(),
            line_number: 0,
            partial: Vec::new(),
            out: Vec::new(),
            records: 0,
            passed: 0,
            left_out: 0,
            dropped: 0,
        }
    }

    pub(super) fn pass(mut self, sources: Vec<Source>) -> anyhow::Result<Exit> {
        let mut exit = Exit::Fine;
        let bar = self.console.bar().clone();
        let read = input::read(sources, Format::Text, &bar, |message| {
            match message {
                Message::Begin { source, .. } => {
                    self.source = source.to_string();
                    self.line_number = 0;
                }
                Message::Chunk(chunk) => self.chunk(&chunk),
                Message::End => {
                    let line = mem::take(&mut self.partial);
                    if !line.is_empty() {
                        self.line(&line);
                    }
                }
                Message::Failed(error) => return Err(error),
                Message::Interrupted => exit = Exit::Interrupted,
                Message::Pause | Message::Done => {}
            }
            score::write(&self.out)?;
            self.out.clear();
            Ok(())
        });
        match read {
            Err(error) if is_closed_pipe(&error) => return Ok(Exit::Fine),
            read => read?,
        }
        self.summarise();
        Ok(match exit {
            Exit::Fine if self.dropped > 0 => Exit::Failed,
            exit => exit,
        })
    }

    fn chunk(&mut self, mut chunk: &[u8]) {
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = chunk.split_at(end);
            chunk = &rest[1..];
            if self.partial.is_empty() {
                self.line(line);
            } else {
                let mut whole = mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.line(&whole);
                whole.clear();
                self.partial = whole;
            }
        }
        self.partial.extend_from_slice(chunk);
    }

    fn line(&mut self, line: &[u8]) {
        self.line_number += 1;
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        let time = Timestamp::default().plus_seconds(self.records as f64 * self.interval);
        self.records += 1;
        let answer = if is_object(line) {
            self.filter.call(self.tag, time, line)
        } else {
            let record = serde_json::json!({ "log": String::from_utf8_lossy(line) }).to_string();
            self.filter.call(self.tag, time, record.as_bytes())
        };
        match answer {
            Answer::Record(record) => {
                self.passed += 1;
                self.out.extend_from_slice(&record);
                self.out.push(b'\n');
            }
            Answer::LeftOut => self.left_out += 1,
            Answer::Dropped(why) => {
                self.dropped += 1;
                if self.dropped <= SHOWN {
                    let (source, line) = (&self.source, self.line_number);
                    self.console.problem(format_args!("{source}:{line}: dropped: {why}"));
                }
            }
        }
    }

    fn summarise(&self) {
        if self.dropped > SHOWN {
            self.console
                .problem(format_args!("… and {} more were dropped", self.dropped - SHOWN));
        }
        let records = if self.records == 1 { "record" } else { "records" };
        self.console.summary(format_args!(
            "passed {} of {} {records} on; {} left out, {} dropped; the module has {:.1} MiB",
            self.passed,
            self.records,
            self.left_out,
            self.dropped,
            self.filter.memory_bytes() as f64 / f64::from(1 << 20)
        ));
    }
}
