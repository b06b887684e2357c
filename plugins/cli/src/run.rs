//! One run of the detector over its inputs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde_json::Value;
use watchpost_detector::{
    Answer, Document, Emit, Input, Relay, RelayConfig, Role, Scorer, Status, Timestamp, in_plain_words, parse_document,
};

use crate::arguments::{Output, Score};
use crate::stdio::{self, tell};
use crate::{Exit, Usage};

/// Read at once: what a pipe holds.
const CHUNK: usize = 64 * 1024;

/// A stream that is quiet for so long has written what belongs together.
const PAUSE: Duration = Duration::from_secs(1);

/// What is told of an episode while it lasts, as in `watchpost score --output ndjson`.
const PHASES: [&str; 3] = ["\"phase\":\"onset\"", "\"phase\":\"worse\"", "\"phase\":\"near\""];

/// So many rows of an input that could not be read are shown; the rest is counted.
const SHOWN_PROBLEMS: u64 = 10;

pub(crate) fn score(score: &Score) -> anyhow::Result<Exit> {
    let mut run = Run::open(score)?;
    let read = run.inputs();
    match read {
        Ok(()) => run.conclude(),
        // The reader has all it wanted, as `head` does.
        Err(error) if is_closed_pipe(&error) => {
            run.save()?;
            Ok(Exit::Fine)
        }
        Err(error) => Err(error),
    }
}

struct Run<'a> {
    options: &'a Score,
    scorer: Scorer,
    before: Status,
    relay: Option<Relay>,
    sink: Sink,
    saved: Instant,
    input: String,
    bad_rows: u64,
    all_bad_rows: u64,
    strange_sessions: u64,
    said: Vec<u8>,
    out: Vec<u8>,
    aside: Vec<u8>,
}

/// Where what is found goes.
enum Sink {
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

impl<'a> Run<'a> {
    fn open(options: &'a Score) -> anyhow::Result<Self> {
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
        let Output::Ndjson = options.output;
        let sink = match &options.write {
            Some(path) => {
                let file = OpenOptions::new().append(true).create(true).open(path);
                Sink::File(
                    file.with_context(|| format!("cannot open {}", path.display()))?,
                    path.clone(),
                )
            }
            None => Sink::Stdout,
        };
        let is_relay = options.annotate.is_some() || options.pass.is_some();
        Ok(Run {
            options,
            before: scorer.status(),
            scorer,
            relay: is_relay.then(|| {
                Relay::new(RelayConfig {
                    pass: options.pass.unwrap_or_default(),
                    sample: options.sample,
                    annotate: options.annotate.clone(),
                    ..RelayConfig::default()
                })
            }),
            sink,
            saved: Instant::now(),
            input: String::new(),
            bad_rows: 0,
            all_bad_rows: 0,
            strange_sessions: 0,
            said: Vec::new(),
            out: Vec::new(),
            aside: Vec::new(),
        })
    }

    fn inputs(&mut self) -> anyhow::Result<()> {
        let year = self.options.year.map_or_else(current_year, Ok)?;
        let answers = self
            .options
            .feedback
            .as_deref()
            .map(answers)
            .transpose()?
            .unwrap_or_default();
        for path in &self.options.warm_up {
            self.input(path, Role::WarmUp, year, &answers)?;
        }
        let stdin = [PathBuf::from("-")];
        let files = if self.options.files.is_empty() {
            &stdin[..]
        } else {
            &self.options.files
        };
        for path in files {
            self.input(path, Role::Score, year, &answers)?;
        }
        Ok(())
    }

    fn input(&mut self, path: &Path, role: Role, year: i16, answers: &[Answer]) -> anyhow::Result<()> {
        let is_stdin = path == Path::new("-");
        self.input = if is_stdin {
            "stdin".to_owned()
        } else {
            path.display().to_string()
        };
        self.bad_rows = 0;
        let is_relayed = self.relay.is_some() && matches!(role, Role::Score);
        self.scorer.begin(Input {
            role,
            emit: match is_relayed {
                true => Emit::All,
                false if self.options.scores => Emit::Rows,
                false => Emit::Anomalies,
            },
            line_by_line: is_relayed || self.options.confirm,
            source: (!is_stdin).then(|| path.display().to_string()),
            interval_seconds: self.options.interval,
            subject: (!self.options.subject.is_empty()).then(|| self.options.subject.clone()),
            year,
            answers: answers.to_vec(),
            ..Input::new(self.options.input)
        });
        if is_stdin {
            self.read(&mut io::stdin().lock(), true, is_relayed)?;
        } else {
            let mut file = File::open(path).with_context(|| {
                format!(
                    "{}: is its folder given to the runtime, as with `wasmtime run --dir .`?",
                    path.display()
                )
            })?;
            self.read(&mut file, false, is_relayed)?;
        }
        self.said.clear();
        self.scorer.finish(&mut self.said);
        match &mut self.relay {
            Some(relay) if is_relayed => relay.finish(&self.said, &mut self.out, &mut self.aside),
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

    fn read(&mut self, input: &mut impl Read, is_stream: bool, is_relayed: bool) -> anyhow::Result<()> {
        let mut buffer = vec![0; CHUNK];
        let confirm = is_stream && self.options.confirm;
        if confirm {
            confirm_lines(1)?;
        }
        let mut pause = None;
        loop {
            let read = stdio::read(input, &mut buffer, pause).with_context(|| format!("cannot read {}", self.input))?;
            let Some(count) = read else {
                // Lines that are answered one by one wait for nothing.
                if !is_relayed {
                    self.said.clear();
                    self.scorer.flush(&mut self.said);
                    self.sort();
                    self.deliver()?;
                }
                self.save_now_and_then()?;
                pause = None;
                continue;
            };
            if count == 0 {
                return Ok(());
            }
            let chunk = buffer.get(..count).unwrap_or_default();
            self.said.clear();
            self.scorer.push(chunk, &mut self.said);
            match &mut self.relay {
                Some(relay) if is_relayed => relay.pass(chunk, &self.said, &mut self.out, &mut self.aside),
                _ => self.sort(),
            }
            self.deliver()?;
            self.save_now_and_then()?;
            if confirm {
                confirm_lines(chunk.iter().filter(|byte| **byte == b'\n').count())?;
            }
            pause = is_stream.then_some(PAUSE);
        }
    }

    /// Of what was said, what is printed and what is told.
    fn sort(&mut self) {
        for line in self.said.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b"{\"problem\":") || line.starts_with(b"{\"note\":") {
                self.aside.extend_from_slice(line);
            } else if line.starts_with(b"{\"row\":") {
                self.out.extend_from_slice(line);
            } else if line.starts_with(b"{\"session\":") {
                self.strange_sessions += u64::from(contains(line, "\"anomaly\":true"));
                if self.options.scores {
                    self.out.extend_from_slice(line);
                }
            } else if PHASES.iter().any(|phase| contains(line, phase)) {
                self.out.extend_from_slice(line);
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

    /// Everything is read.
    fn conclude(mut self) -> anyhow::Result<Exit> {
        self.save()?;
        self.said.clear();
        self.scorer.close(&mut self.said);
        match &mut self.relay {
            Some(relay) => relay.aside(&self.said, &mut self.out, &mut self.aside),
            None => self.sort(),
        }
        match self.deliver() {
            Err(error) if is_closed_pipe(&error) => return Ok(Exit::Fine),
            delivered => delivered?,
        }
        let status = self.scorer.status();
        let events = status.events.saturating_sub(self.before.events);
        let alarms = status.alarms.saturating_sub(self.before.alarms);
        if !self.options.quiet {
            self.summarise(events, alarms);
        }
        if events == 0 && self.all_bad_rows > 0 {
            anyhow::bail!("none of the rows could be read; is `--input` right?");
        }
        let found = alarms > 0 || self.strange_sessions > 0;
        Ok(if self.options.exit_code && found {
            Exit::Found
        } else {
            Exit::Fine
        })
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
        if self.options.state.is_some() && self.saved.elapsed() >= Duration::from_secs(self.options.save_every) {
            self.save()?;
            self.saved = Instant::now();
        }
        Ok(())
    }

    /// Saves the state so that a kill at any moment leaves either the old file or the new one.
    fn save(&mut self) -> anyhow::Result<()> {
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
        write().with_context(|| format!("cannot save the state {}", path.display()))
    }
}

fn contains(line: &[u8], text: &str) -> bool {
    line.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Answers so many lines.
fn confirm_lines(lines: usize) -> anyhow::Result<()> {
    stdio::write("OK\n".repeat(lines).as_bytes()).context("cannot write to standard output")
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// The state that an earlier run saved, or nothing when this is the first.
fn load(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| {
            format!(
                "--state {}: is its folder given to the runtime, as with `wasmtime run --dir .`?",
                path.display()
            )
        }),
    }
}

fn answers(path: &Path) -> anyhow::Result<Vec<Answer>> {
    let text = fs::read_to_string(path).with_context(|| format!("feedback {}", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|error| {
                let message = in_plain_words(&error.to_string());
                Usage(format!("{}:{}: {message}", path.display(), at + 1)).into()
            })
        })
        .collect()
}

fn current_year() -> anyhow::Result<i16> {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|since| since.as_secs());
    let now = Timestamp::from_seconds(i64::try_from(seconds.unwrap_or_default())?);
    let text = now.to_string();
    text.get(..4)
        .and_then(|year| year.parse().ok())
        .context("the clock tells no year; give --year")
}
