//! `watchpost score`: reads files or a stream, and says what is strange in them.

mod marks;
mod near;
mod preview;
mod run;
mod summary;

use std::io::{IsTerminal, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::{Args, ValueEnum};
use watchpost_detector::wire::Format;
use watchpost_detector::{
    AlarmRate, Document, Emit, Envelope, FieldName, Input, Interval, Pass, Relay, RelayConfig, Role, Timestamp,
};

use super::console::Console;
use super::document;
use super::engine::EngineOptions;
use super::exit::{Exit, Usage, is_closed_pipe};
use super::input::{self, Source};
use super::page::Output;
use super::state;
use marks::Marks;
use run::{Passed, Run};

/// Scores metrics, requests and log lines from files or a stream, and prints the episodes in which they are strange.
///
/// Events are scored in the order in which they come, each before it is learned from. Files may be packed with gzip
/// or zstd. A folder stands for all files in it; the parts of a rotated log are read oldest first. The data goes to standard output, everything else to standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchpost score metrics.csv
  watchpost score --warm-up last-week.csv.gz today.csv
  watchpost score /var/log/nginx 'logs/**/*.log.gz'
  watchpost score --scores --output ndjson app.log > scores.ndjson
  watchpost score --feedback marks.ndjson --preview app.log
  tail -f app.log | watchpost score --output ndjson --state app.state -
  watchpost score --pass anomalous --sample 100 app.log > short.log
  watchpost score --exit-code --quiet build/latency.csv || echo 'the build got slower'

A table is printed when the input ends; for a stream that does not, use `--output ndjson`. Ctrl-C and SIGTERM end a \
run cleanly: what is open is reported, the state is saved, and the exit code is 130. Rows that cannot be read are \
named and left out; only when none can be read is the exit code 1.")]
pub(crate) struct Score {
    /// The inputs, read one after the other: files, folders and patterns; `-` or none is standard input.
    #[arg(value_name = "PATH")]
    files: Vec<PathBuf>,

    /// The format of the inputs; `auto` finds it out for each, from its first lines, and says what it found.
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    input: InputFormat,

    /// The configuration, in JSON, YAML or TOML by its extension; see `watchpost config schema`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// History that is learned from and not scored: a file, folder or pattern; may be given several times, in order of
    /// time.
    #[arg(long, value_name = "PATH")]
    warm_up: Vec<PathBuf>,

    /// The time between rows that do not tell theirs, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = interval)]
    interval: Interval,

    /// The CSV column that names whose row it is; may be given several times or separated by commas, and is every
    /// column of text otherwise.
    #[arg(long, value_name = "COL", value_delimiter = ',')]
    subject: Vec<String>,

    /// What people said of rows, one {"row": 7, "label": "fine"} or "matters" a line; learned from right after the row.
    #[arg(long, value_name = "FILE")]
    feedback: Option<PathBuf>,

    /// Prints what the feedback would change instead of the episodes: the same run is made without it and with it. The
    /// state is read and not saved.
    #[arg(long, requires = "feedback", conflicts_with = "scores")]
    preview: bool,

    /// Prints the verdict on every row instead of the episodes, always as NDJSON.
    #[arg(long)]
    scores: bool,

    /// How episodes are printed: a `table` or one `json` object at the end, or `ndjson`, each alarm when it is raised.
    #[arg(long, value_name = "FORM", default_value = "table")]
    output: Output,

    /// Passes every line on with its verdict in this field instead of printing episodes: JSON objects get the field,
    /// other lines become the `message` of one.
    #[arg(long, value_name = "FIELD", num_args = 0..=1, require_equals = true, default_missing_value = "watchpost",
        conflicts_with = "scores", value_parser = field)]
    annotate: Option<FieldName>,

    /// Passes lines on instead of printing episodes: `all`, those that are `normal`, or those that are `anomalous`; a
    /// line that cannot be read is passed on always.
    #[arg(long, value_name = "WHICH", conflicts_with = "scores")]
    pass: Option<Which>,

    /// Of the lines that `--pass` leaves out, passes one in N on as well.
    #[arg(long, value_name = "N", requires = "pass")]
    sample: Option<NonZeroU64>,

    /// The detector's state: gone on from when the file exists, and saved at the end.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    #[command(flatten)]
    engine: EngineOptions,

    /// The year of times that name none, as in syslog; otherwise the current one, or the one before where that would be in
    /// the future.
    #[arg(long, value_name = "YYYY", value_parser = clap::value_parser!(i16).range(1678..=2261))]
    year: Option<i16>,

    /// The budget of false alarms over all subjects together, instead of the configuration's.
    #[arg(long, value_name = "N", value_parser = alarm_rate)]
    false_alarms_per_day: Option<AlarmRate>,

    /// Exits with 3 when an alarm was raised or a session was anomalous; of a preview, when one of them would change.
    #[arg(long)]
    exit_code: bool,
}

/// Which lines are passed on.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Which {
    /// Every line.
    All,
    /// Those in which nothing is strange.
    Normal,
    /// Those that belong to an open episode, or end an anomalous session.
    Anomalous,
}

impl From<Which> for Pass {
    fn from(which: Which) -> Self {
        match which {
            Which::All => Pass::All,
            Which::Normal => Pass::Normal,
            Which::Anomalous => Pass::Anomalous,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum InputFormat {
    /// Found out for each file, and said.
    Auto,
    /// JSON objects of any schema; for our own see `watchpost config schema event`.
    Ndjson,
    /// A header row, then a row of metrics and labels a line.
    Csv,
    /// Log lines of any kind.
    Text,
    /// Lines of `key=value`.
    Logfmt,
    /// RFC 3164 and RFC 5424.
    Syslog,
    /// Access logs of Apache and nginx.
    Access,
    /// Envoy's default access log.
    Envoy,
    /// What a container runtime writes (CRI).
    Kubernetes,
    /// OpenTelemetry's logs and metrics in JSON.
    Otlp,
    /// Prometheus' text format, and OpenMetrics.
    Prometheus,
    /// Vector's events: logs, metrics and traces.
    NativeJson,
}

impl InputFormat {
    fn format(self) -> Format {
        match self {
            InputFormat::Auto => Format::Auto,
            InputFormat::Ndjson => Format::Ndjson,
            InputFormat::Csv => Format::Csv,
            InputFormat::Text => Format::Text,
            InputFormat::Logfmt => Format::Logfmt,
            InputFormat::Syslog => Format::Syslog,
            InputFormat::Access => Format::Access,
            InputFormat::Envoy => Format::Envoy,
            InputFormat::Kubernetes => Format::Kubernetes,
            InputFormat::Otlp => Format::Otlp,
            InputFormat::Prometheus => Format::Prometheus,
            InputFormat::NativeJson => Format::NativeJson,
        }
    }
}

impl Score {
    pub(crate) fn run(&self, console: &Console) -> anyhow::Result<Exit> {
        let mut document = document::load(self.config.as_deref())?;
        if let Some(budget) = self.false_alarms_per_day {
            document.detector.false_alarms_per_day = budget;
        }
        // They are told after a table, and change nothing else.
        document.detector.near_misses |= self.form() == Some(Output::Table) && !self.preview;
        let sources = self.sources(console)?;
        let marks = self
            .feedback
            .as_deref()
            .map(Marks::read)
            .transpose()?
            .unwrap_or_default();
        if self.preview && marks.len() == 0 {
            let why = "there are no marks in it, so that there is nothing to preview: give it lines such as";
            let file = self.feedback.as_deref().unwrap_or(Path::new("--feedback")).display();
            return Err(Usage(format!("{file}: {why} {{\"row\": 17, \"label\": \"fine\"}}")).into());
        }
        let snapshot = self.state.as_deref().map(state::load).transpose()?.flatten();
        let engine = self.engine.open(&document, snapshot.as_deref());
        let engine = match &self.state {
            Some(path) => engine.map_err(|error| state::refused(path, error))?,
            None => engine?,
        };

        let total = sources.iter().map(Source::size).sum::<Option<u64>>();
        let console = if self.passed() != Passed::Nothing && std::io::stdout().is_terminal() {
            // Lines that appear on the same terminal are progress enough.
            Console::new(console.is_quiet())
        } else {
            console.with_bytes(total)
        };
        let template = Input {
            emit: match self.passed() {
                Passed::Verdicts => Emit::Rows,
                Passed::Lines => Emit::All,
                Passed::Onsets | Passed::Nothing => Emit::Anomalies,
            },
            line_by_line: self.passed() == Passed::Lines,
            interval_seconds: self.interval,
            subject: (!self.subject.is_empty()).then(|| self.subject.clone()),
            year: self.year.map_or_else(current_year, Ok)?,
            read_at: self.year.is_none().then(now),
            ..Input::new(Format::Text)
        };
        let mut run = Run::new(
            engine,
            &console,
            self.passed(),
            Relay::new(self.relay()),
            template,
            marks,
            sources.len(),
        )?;
        if self.preview {
            run = run.previewing(self.engine.open(&document, snapshot.as_deref())?);
        }
        let read = input::read(sources, self.input.format(), console.bar(), |message| run.hear(message));
        match read {
            Ok(()) => self.conclude(run, &document),
            // The reader has all it wanted, as `head` does, and gets no summary of what it did not.
            Err(error) if is_closed_pipe(&error) => {
                self.save(&mut run)?;
                Ok(Exit::Fine)
            }
            // What was asked for cannot be done, so what was found is no answer to it.
            Err(error) if error.is::<Usage>() => {
                console.bar().finish_and_clear();
                Err(error)
            }
            // The engine has failed: what it said before is still worth something.
            Err(error) => {
                console.bar().finish_and_clear();
                run.print(self.form(), None)?;
                Err(error)
            }
        }
    }

    /// Everything is read, or as much of it as will be.
    fn conclude(&self, mut run: Run<'_>, document: &Document) -> anyhow::Result<Exit> {
        self.save(&mut run)?;
        let status = run.close()?;
        run.print(self.form(), Some(&status))?;
        run.summarise(&status, document, self.form());
        let found = run.has_found(&status);
        match run.outcome(&status)? {
            Exit::Fine if self.exit_code && found => Ok(Exit::Found),
            exit => Ok(exit),
        }
    }

    fn save(&self, run: &mut Run<'_>) -> anyhow::Result<()> {
        match &self.state {
            Some(path) if !self.preview => state::save(path, &run.snapshot()?),
            _ => Ok(()),
        }
    }

    /// How episodes are printed at the end; `None` when they are not, because their rows or onsets were.
    fn form(&self) -> Option<Output> {
        (self.passed() == Passed::Nothing).then_some(self.output)
    }

    fn passed(&self) -> Passed {
        match self.output {
            _ if self.preview => Passed::Nothing,
            _ if self.scores => Passed::Verdicts,
            _ if self.annotate.is_some() || self.pass.is_some() => Passed::Lines,
            Output::Ndjson => Passed::Onsets,
            Output::Table | Output::Json => Passed::Nothing,
        }
    }

    fn relay(&self) -> RelayConfig {
        RelayConfig {
            pass: self.pass.map(Pass::from).unwrap_or_default(),
            sample: self.sample,
            annotate: self.annotate.clone(),
            envelope: Envelope::of(self.input.format()),
            ..RelayConfig::default()
        }
    }

    fn sources(&self, console: &Console) -> anyhow::Result<Vec<Source>> {
        let stdin = [PathBuf::from("-")];
        let files = if self.files.is_empty() { &stdin[..] } else { &self.files };
        input::find(&[(&*self.warm_up, Role::WarmUp), (files, Role::Score)], console)
    }
}

pub(super) fn field(text: &str) -> Result<FieldName, String> {
    FieldName::try_from(text.to_owned())
}

pub(super) fn interval(text: &str) -> Result<Interval, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "give a number of seconds, for example 60".to_owned())?;
    Interval::try_from(seconds)
}

pub(super) fn alarm_rate(text: &str) -> Result<AlarmRate, String> {
    let rate: f64 = text
        .parse()
        .map_err(|_| "give a number of alarms a day, for example 0.1".to_owned())?;
    AlarmRate::try_from(rate)
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_seconds(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
}

pub(super) fn current_year() -> anyhow::Result<i16> {
    let now = jiff::Timestamp::from_nanosecond(i128::from(now().nanos())).ok();
    let now = now.context("the system clock tells no year; give --year")?;
    Ok(now.to_zoned(jiff::tz::TimeZone::UTC).year())
}

/// Writes to standard output what belongs there, at once.
pub(super) fn write(bytes: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_the_command_line_are_checked() {
        assert!(interval("0").is_err() && interval("x").is_err() && interval("0.5").is_ok());
        assert!(alarm_rate("0").is_err() && alarm_rate("0.1").is_ok());
        assert!(current_year().unwrap() > 2025);
    }
}
