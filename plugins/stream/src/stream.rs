//! One run of the detector over its inputs.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde_json::Value;
use watchpost_detector::wire::Format;
use watchpost_detector::{Document, Emit, Input, Relay, RelayConfig, Role, Scorer, Status, Timestamp, parse_document};

use crate::stdio::{self, tell};
use crate::{Options, Usage};

/// So many rows of an input that could not be read are shown; the rest is counted.
const SHOWN_PROBLEMS: u64 = 10;

/// What is written.
#[derive(Debug)]
pub enum Reports {
    /// The lines, with what was said of them.
    Relay(RelayConfig),
    /// The verdict on every row.
    Rows,
    /// What is told of episodes and sessions, as this writes it.
    Anomalies(fn(&[u8], &mut Vec<u8>)),
}

/// Where what is found goes.
#[derive(Debug)]
pub enum Sink {
    /// Standard output.
    Stdout,
    /// A file; standard output is for answers.
    File(File, PathBuf),
}

impl Sink {
    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Sink::Stdout => stdio::write(bytes).context("cannot write to standard output"),
            Sink::File(file, path) => file
                .write_all(bytes)
                .with_context(|| format!("cannot write to {}", path.display())),
        }
    }
}

/// A detector and the streams around it.
#[derive(Debug)]
pub struct Stream<'a> {
    options: &'a Options,
    scorer: Scorer,
    before: Status,
    reports: Reports,
    relay: Option<Relay>,
    /// Whether the input that has begun is one whose lines are passed on.
    is_relayed: bool,
    sink: Sink,
    saved: Instant,
    input: String,
    format: Format,
    bad_rows: u64,
    all_bad_rows: u64,
    strange_sessions: u64,
    said: Vec<u8>,
    out: Vec<u8>,
    aside: Vec<u8>,
}

impl<'a> Stream<'a> {
    /// A detector as it is configured, gone on from its state if there is one.
    ///
    /// # Errors
    /// When the configuration or the state cannot be used.
    pub fn open(options: &'a Options, reports: Reports, sink: Sink) -> anyhow::Result<Self> {
        let mut document = match &options.config {
            Some(path) => {
                let text = fs::read_to_string(path).with_context(|| format!("configuration {}", path.display()))?;
                parse_document::<Document>(&text)
                    .map_err(|error| Usage(format!("configuration {}: {error}", path.display())))?
            }
            None => Document::default(),
        };
        if let Some(budget) = options.false_alarms_per_day {
            document.detector.false_alarms_per_day = budget;
        }
        let snapshot = options.state.as_deref().map(load).transpose()?.flatten();
        let document = serde_json::to_string(&document)?;
        let scorer = Scorer::open(&document, snapshot.as_deref()).map_err(|error| match &options.state {
            Some(path) if snapshot.is_some() => Usage(format!("--state {}: {error}", path.display())),
            _ => Usage(error.to_string()),
        })?;
        Ok(Stream {
            options,
            before: scorer.status(),
            scorer,
            relay: match &reports {
                Reports::Relay(config) => Some(Relay::new(config.clone())),
                Reports::Rows | Reports::Anomalies(_) => None,
            },
            reports,
            is_relayed: false,
            sink,
            saved: Instant::now(),
            input: String::new(),
            format: Format::Auto,
            bad_rows: 0,
            all_bad_rows: 0,
            strange_sessions: 0,
            said: Vec::new(),
            out: Vec::new(),
            aside: Vec::new(),
        })
    }

    /// Begins an input of this name. What is said of it, and the time between its rows, are as the options say.
    ///
    /// # Errors
    /// When nobody knows what year it is.
    pub fn begin(&mut self, name: String, input: Input) -> anyhow::Result<()> {
        self.input = name;
        self.format = input.format;
        self.bad_rows = 0;
        self.is_relayed = self.relay.is_some() && matches!(input.role, Role::Score);
        self.scorer.begin(Input {
            emit: match self.reports {
                _ if self.is_relayed => Emit::All,
                Reports::Rows => Emit::Rows,
                Reports::Relay(_) | Reports::Anomalies(_) => Emit::Anomalies,
            },
            line_by_line: self.is_relayed || input.line_by_line,
            interval_seconds: self.options.interval,
            year: self.options.year.map_or_else(current_year, Ok)?,
            read_at: self.options.year.is_none().then(now).transpose()?,
            ..input
        });
        Ok(())
    }

    /// Takes bytes of the input, cut anywhere, and writes what is to be said of them.
    ///
    /// # Errors
    /// When it cannot be written, or the state cannot be saved.
    pub fn push(&mut self, chunk: &[u8]) -> anyhow::Result<()> {
        self.said.clear();
        self.scorer.push(chunk, &mut self.said);
        match &mut self.relay {
            Some(relay) if self.is_relayed => relay.pass(chunk, &self.said, &mut self.out, &mut self.aside),
            _ => self.sort(),
        }
        self.deliver()?;
        self.save_now_and_then()
    }

    /// Nothing has come for a while.
    ///
    /// # Errors
    /// As of [`Stream::push`].
    pub fn pause(&mut self) -> anyhow::Result<()> {
        // Lines that are answered one by one wait for nothing.
        if !self.is_relayed {
            self.said.clear();
            self.scorer.flush(&mut self.said);
            self.sort();
            self.deliver()?;
        }
        self.save_now_and_then()
    }

    /// The input is over.
    ///
    /// # Errors
    /// When what is left cannot be written.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        self.said.clear();
        self.scorer.finish(&mut self.said);
        match &mut self.relay {
            Some(relay) if self.is_relayed => relay.finish(&self.said, &mut self.out, &mut self.aside),
            _ => self.sort(),
        }
        self.deliver()?;
        if self.bad_rows > SHOWN_PROBLEMS {
            tell(format_args!(
                "{}: … and {} more",
                self.input,
                self.bad_rows - SHOWN_PROBLEMS
            ));
        }
        Ok(())
    }

    /// Everything is over, if it was `read` to its end: tells whether something was strange. The reader of the output
    /// may have gone, as `head` does when it has all it wanted; then there is nothing to tell.
    ///
    /// # Errors
    /// Why it was not read to its end; when the state cannot be saved, when what is left cannot be written, and when
    /// none of the rows could be read.
    pub fn conclude(mut self, read: anyhow::Result<()>) -> anyhow::Result<bool> {
        if let Err(error) = read {
            return match is_closed_pipe(&error) {
                true => self.save().map(|()| false),
                false => Err(error),
            };
        }
        self.save()?;
        self.said.clear();
        self.scorer.close(&mut self.said);
        match &mut self.relay {
            Some(relay) => relay.aside(&self.said, &mut self.out, &mut self.aside),
            None => self.sort(),
        }
        match self.deliver() {
            Err(error) if is_closed_pipe(&error) => return Ok(false),
            delivered => delivered?,
        }
        let status = self.scorer.status();
        let events = status.events.saturating_sub(self.before.events);
        let alarms = status.alarms.saturating_sub(self.before.alarms);
        if !self.options.quiet {
            self.summarise(events, alarms);
        }
        if events == 0 && self.all_bad_rows > 0 {
            anyhow::bail!(match self.format {
                Format::NativeJson => "none of the rows is an event of Vector's; does its codec say `native_json`?",
                _ => "none of the rows could be read; is `--input` right?",
            });
        }
        Ok(alarms > 0 || self.strange_sessions > 0)
    }

    /// Of what was said, what is printed and what is told.
    fn sort(&mut self) {
        for line in self.said.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b"{\"problem\":") || line.starts_with(b"{\"note\":") {
                self.aside.extend_from_slice(line);
                continue;
            }
            self.strange_sessions +=
                u64::from(line.starts_with(b"{\"session\":") && contains(line, "\"anomaly\":true"));
            match self.reports {
                Reports::Anomalies(write) => write(line, &mut self.out),
                Reports::Rows if line.starts_with(b"{\"row\":") || line.starts_with(b"{\"session\":") => {
                    self.out.extend_from_slice(line);
                }
                Reports::Rows | Reports::Relay(_) => {}
            }
        }
    }

    /// Writes what is to be written, and tells what is to be told.
    fn deliver(&mut self) -> anyhow::Result<()> {
        if !self.out.is_empty() {
            self.sink.write(&self.out)?;
            self.out.clear();
        }
        if self.aside.is_empty() {
            return Ok(());
        }
        for line in self.aside.split(|byte| *byte == b'\n') {
            let Ok(said) = serde_json::from_slice::<Value>(line) else {
                continue;
            };
            if let Some(note) = said.get("note").and_then(Value::as_str) {
                if !self.options.quiet {
                    tell(format_args!("{}: {note}", self.input));
                }
            } else if let Some(problem) = said.get("problem") {
                self.bad_rows += 1;
                self.all_bad_rows += 1;
                if self.bad_rows <= SHOWN_PROBLEMS {
                    let text = |field: &str| problem.get(field).and_then(Value::as_str);
                    let number = problem.get("line").and_then(Value::as_u64).unwrap_or_default();
                    let field = text("field").map(|field| format!("{field}: ")).unwrap_or_default();
                    let message = text("message").unwrap_or_default();
                    tell(format_args!("{}:{number}: {field}{message}", self.input));
                }
            }
        }
        self.aside.clear();
        Ok(())
    }

    fn summarise(&self, events: u64, alarms: u64) {
        let bad = match self.all_bad_rows {
            0 => String::new(),
            1 => "; 1 row could not be read".to_owned(),
            rows => format!("; {rows} rows could not be read"),
        };
        let counted = |count: u64, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        tell(format_args!(
            "scored {}, {}{bad}",
            counted(events, "event"),
            counted(alarms, "alarm")
        ));
        if let Some(relay) = &self.relay {
            let relayed = relay.relayed();
            let sampled = match self.options.sample {
                Some(sample) => format!(", {} of them as a sample of one in {sample}", relayed.sampled),
                None => String::new(),
            };
            tell(format_args!(
                "passed {} of {} on{sampled}; {} anomalous",
                relayed.passed,
                counted(relayed.lines, "line"),
                relayed.anomalous
            ));
        }
    }

    fn save_now_and_then(&mut self) -> anyhow::Result<()> {
        if self.saved.elapsed() >= Duration::from_secs(self.options.save_every) {
            self.save()?;
        }
        Ok(())
    }

    /// Saves the state, if it has a place, so that a kill at any moment leaves either the old file or the new one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&mut self) -> anyhow::Result<()> {
        let Some(path) = &self.options.state else { return Ok(()) };
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = path.with_file_name(name);
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(&self.scorer.snapshot())?;
            file.sync_all()?;
            drop(file);
            fs::rename(&new, path)
        };
        write().with_context(|| format!("cannot save the state {}", path.display()))?;
        self.saved = Instant::now();
        Ok(())
    }
}

fn contains(line: &[u8], text: &str) -> bool {
    line.windows(text.len()).any(|window| window == text.as_bytes())
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// The state that an earlier run saved, or nothing when this is the first. A folder that is not there is told at once, and
/// not when the state is to be saved.
fn load(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let told = || {
        format!(
            "--state {}: is its folder given to the runtime, as with `wasmtime run --dir .`?",
            path.display()
        )
    };
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                fs::metadata(folder).with_context(told)?;
            }
            Ok(None)
        }
        Err(error) => Err(error).with_context(told),
    }
}

fn now() -> anyhow::Result<Timestamp> {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|since| since.as_secs());
    Ok(Timestamp::from_seconds(i64::try_from(seconds.unwrap_or_default())?))
}

fn current_year() -> anyhow::Result<i16> {
    let text = now()?.to_string();
    text.get(..4)
        .and_then(|year| year.parse().ok())
        .context("the clock tells no year; give --year")
}
