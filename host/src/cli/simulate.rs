//! `watchpost simulate`: requests, metrics and log lines of a shop that does not exist, and what is true of them.

mod options;
mod pace;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use anyhow::Context;
use clap::Args;
use watchpost::simulate::{Batch, Draw, Kind, Labels, Plan, Stream, TICK};

use super::console::Console;
use super::exit::{Exit, Usage, is_closed_pipe};
use super::page::words;
use super::time::Span;
use options::{FormatName, Frequency, Start, StreamName};
use pace::Pace;

/// Writes what a small simulated web shop sends, with incidents whose truth is known: to try a detector, a pipeline
/// or a dashboard on.
///
/// The same options give the same bytes on every platform. Requests, metrics and log lines of one seed tell of the
/// same incidents, at the same times.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchpost simulate requests --duration 1h --output access.json --truth truth.json
  watchpost simulate requests --format combined --rate 200 --anomalies 2/hour | goaccess -
  watchpost simulate metrics --format csv --duration 2d > metrics.csv
  watchpost simulate requests --kinds error_burst,slow_upstream | watchpost score -
  watchpost simulate logs --format envelope --follow --speed 60

Formats, of which the first is the default:
  requests  envoy-json, envoy-text (Envoy's default access log), combined (nginx, Apache)
  metrics   ndjson, csv; a row for each of 9 services and 14 routes every 30 seconds
  logs      ndjson, logfmt, syslog (RFC 5424), text, envelope ({\"raw_log\": ..., \"format_type\": \"json\" or \"kv\"})
  all       ndjson: the three of them in the order of time, requests as in envoy-json

Kinds of incidents: slow_route, lost_upstream, memory_leak, latency_regression, error_burst, slow_upstream, \
silent_route, retry_storm, path_scan, latency_split, slow_drift. Each comes before any comes again, as far as there \
is room: a memory leak takes more than three hours. Harmless events are deployments (one with a new route), campaigns \
and caches that fill again.

Spans are numbers with a unit (s, m, h, d, w), such as 90s, 6h or 1d12h. Times are UTC unless they say otherwise.")]
pub(crate) struct Simulate {
    /// What of the shop is written.
    #[arg(value_name = "STREAM")]
    stream: StreamName,

    /// How it is written; see below for what each stream can be written as.
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatName>,

    /// Log lines in `logs`, otherwise requests, a second: the average of a week. Nights have a third of it.
    #[arg(long, value_name = "N", default_value = "10", value_parser = options::rate, allow_hyphen_values = true)]
    rate: f64,

    /// How many incidents there are, such as `8/day` or `1/hour`; a number alone is a day's.
    #[arg(long, value_name = "N", default_value = "8/day", allow_hyphen_values = true)]
    anomalies: Frequency,

    /// How many harmless events there are, in the same form.
    #[arg(long, value_name = "N", default_value = "4/day", allow_hyphen_values = true)]
    harmless: Frequency,

    /// The kinds of incidents, separated by commas; all unless given.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = options::kind)]
    kinds: Vec<Kind>,

    /// How long nothing goes wrong at first; a quarter of the duration, and at most 6h, unless given.
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    calm: Option<Span>,

    /// What everything random is drawn from.
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,

    /// The first moment, or `now`; rounded down to the half minute. 2026-11-16T08:00:00Z, a Monday, unless given,
    /// and `now` with --follow.
    #[arg(long, value_name = "TIME")]
    start: Option<Start>,

    /// How long it lasts in event time; 6h unless given, and 30d with --follow.
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    duration: Option<Span>,

    /// Writes every line when its time has come, until interrupted; otherwise everything as fast as possible.
    #[arg(long, visible_alias = "realtime")]
    follow: bool,

    /// How many times as fast event time passes with --follow.
    #[arg(long, value_name = "N", default_value = "1", requires = "follow", value_parser = options::speed, allow_hyphen_values = true)]
    speed: f64,

    /// Where it is written to; otherwise standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Writes there, as JSON, every incident with its times and subjects, and what is harmless.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
}

impl Simulate {
    pub(crate) fn run(&self, console: &Console) -> anyhow::Result<Exit> {
        let content = options::content(self.stream, self.format).map_err(Usage)?;
        if self.truth.is_some() && self.truth == self.output {
            return Err(Usage("the stream and its truth need two different files".to_owned()).into());
        }
        let now = now()?;
        let default_start = if self.follow { Start::Now } else { Start::DEFAULT };
        let start = self.start.unwrap_or(default_start).seconds(now / 1_000_000);
        let start = start.div_euclid(TICK) * TICK;
        let default_duration = if self.follow { Span::days(30) } else { Span::hours(6) };
        let seconds = self.duration.unwrap_or(default_duration).seconds();
        let plan = self.plan(start, seconds)?;
        let labels = Labels::of(&plan, start + seconds);
        if let Some(path) = &self.truth {
            write_truth(path, &labels)?;
        }
        let is_live = self.follow && self.start.unwrap_or(Start::Now) == Start::Now;
        let pace = self
            .follow
            .then(|| Pace::new(if is_live { now } else { start * 1_000_000 }, self.speed));
        let console = match &self.output {
            Some(_) => console.with_steps(100, &words::span(seconds as f64)),
            None => Console::new(console.is_quiet()),
        };
        let stream = Stream::new(plan, content, self.rate, seconds);
        self.write(stream, pace.as_ref(), &console, &labels)
    }

    fn plan(&self, start: i64, seconds: i64) -> anyhow::Result<Plan> {
        let calm = self
            .calm
            .map_or_else(|| (seconds / 4).min(Span::hours(6).seconds()), Span::seconds);
        if calm >= seconds {
            let message = "--calm has to be shorter than --duration; without it, it is a quarter of that";
            return Err(Usage(message.to_owned()).into());
        }
        let kinds = match &*self.kinds {
            [] => &Kind::ALL,
            kinds => kinds,
        };
        let draw = Draw {
            seed: self.seed,
            start,
            // The plan goes by half minutes, and the stream is cut where it has to end.
            seconds: (seconds + TICK - 1) / TICK * TICK,
            calm,
            incidents_per_day: self.anomalies.per_day(),
            harmless_per_day: self.harmless.per_day(),
            kinds: kinds.to_vec(),
        };
        draw.plan().map_err(|error| {
            let advice = "give a longer --duration, or fewer --anomalies and --harmless";
            Usage(format!("{error}; {advice}")).into()
        })
    }

    fn write(
        &self,
        mut stream: Stream,
        pace: Option<&Pace>,
        console: &Console,
        labels: &Labels,
    ) -> anyhow::Result<Exit> {
        let interrupted = listen()?;
        let mut sink: Box<dyn Write> = match &self.output {
            Some(path) => Box::new(File::create(path).with_context(|| path.display().to_string())?),
            None => Box::new(std::io::stdout().lock()),
        };
        let name = self
            .output
            .as_deref()
            .map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
        let mut out = BufWriter::with_capacity(1 << 16, &mut sink);
        let mut batch = Batch::default();
        let mut lines = 0;
        let mut pour = || -> std::io::Result<Exit> {
            out.write_all(&stream.header())?;
            while stream.tick(&mut batch) {
                match pace {
                    None => {
                        out.write_all(batch.bytes())?;
                        lines += batch.count() as u64;
                    }
                    Some(pace) => lines += pace.write(&batch, &mut out, &interrupted)?,
                }
                if interrupted.load(Ordering::Relaxed) {
                    out.flush()?;
                    return Ok(Exit::Interrupted);
                }
                console.bar().set_position((stream.progress() * 100.0) as u64);
            }
            out.flush()?;
            Ok(Exit::Fine)
        };
        let poured = pour();
        if poured.is_err() {
            // What could not be written now will not be later; dropping the buffer would try.
            let _ = out.into_parts();
        }
        console.bar().finish_and_clear();
        match poured.map_err(anyhow::Error::from) {
            // The reader has all it wanted, as `head` does.
            Err(error) if is_closed_pipe(&error) => Ok(Exit::Fine),
            Err(error) => Err(error.context(name)),
            Ok(exit) => {
                console.summary(self.summary(lines, labels, exit));
                Ok(exit)
            }
        }
    }

    fn summary(&self, lines: u64, labels: &Labels, exit: Exit) -> String {
        let lines = words::counted(lines, "line");
        if exit == Exit::Interrupted {
            return format!("{lines}, then interrupted");
        }
        let incidents = words::counted(labels.incidents.len() as u64, "incident");
        let harmless = words::counted(labels.harmless.len() as u64, "harmless event");
        let span = words::span((labels.end - labels.start) as f64);
        let told = match &self.truth {
            Some(path) => format!("; {} says when and where", path.display()),
            None => String::new(),
        };
        format!("{lines} of {span} with {incidents} and {harmless}{told}")
    }
}

fn write_truth(path: &Path, labels: &Labels) -> anyhow::Result<()> {
    let mut page = serde_json::to_vec_pretty(labels)?;
    page.push(b'\n');
    fs::write(path, page).with_context(|| path.display().to_string())
}

/// Whether a signal to end has come. The second one ends the program on the spot.
fn listen() -> anyhow::Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
    })
    .context("cannot listen for signals")?;
    Ok(interrupted)
}

/// Unix microseconds.
fn now() -> anyhow::Result<i64> {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_epoch
        .ok()
        .and_then(|elapsed| i64::try_from(elapsed.as_micros()).ok())
        .context("the system clock is set to before 1970; give --start")
}
