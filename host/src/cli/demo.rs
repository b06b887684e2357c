//! `watchpost demo`: a simulated shop, or a recorded one, scored as a user's own data would be, and judged by what is
//! known to have gone wrong in it.

mod judgement;
mod source;

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use sha2::{Digest, Sha256};
use watchpost::engine::Engine;
use watchpost::recording;
use watchpost::simulate::{Plan, Truth};
use watchpost_detector::wire::Format;
use watchpost_detector::{Anomaly, Document, Emit, Input, Phase, Role};

use super::console::Console;
use super::engine::EngineOptions;
use super::exit::Exit;
use super::page::{self, Output};
use super::verdicts::{self, Episodes, Said};
use judgement::{Fault, Judgement};
use source::{Shop, Source, recorded};

/// Shows what Watchpost does, on two days of a small simulated web shop in which three things go wrong.
///
/// The first day is history: it is learned from and not scored. On the second, a service leaks memory, a route slows
/// down and a payment service loses its acquirer, among deployments and campaigns that are harmless.
///
/// With `--recording` it shows what real services behind a real Envoy sent in 66 minutes, while they were made to fail in
/// ten ways; the first twenty minutes are history.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchpost demo
  watchpost demo --quiet
  watchpost demo --output json
  watchpost demo --recording

The last line holds what was measured:
  found              incidents with an alarm between their start and their end, on a subject
                     at fault or on one that depends on it, of all incidents
  false_alarms       alarms on what was scored that are not within an incident, or 30 minutes
                     after it (10 in the recording), on one of its subjects
  lead_time_seconds  the median, over the incidents found, of the time from the first alarm to
                     the impact; negative when the impact came first, `-` when none was found
  events_per_second  events, history included, by the seconds that the engine took for them
  guest_memory       the wasm guest's memory at the end; `-` for the native engine
  sha256             of the verdicts on what was scored, byte for byte; the same everywhere")]
pub(crate) struct Demo {
    #[command(flatten)]
    engine: EngineOptions,

    /// Shows a recording of real services behind a real Envoy instead of the simulated days.
    #[arg(long)]
    recording: bool,

    /// How episodes are printed: a `table` or one `json` object at the end, or `ndjson`, each alarm when it is raised.
    #[arg(long, value_name = "FORM", default_value = "table")]
    output: Output,
}

impl Demo {
    pub(crate) fn run(&self, console: &Console) -> anyhow::Result<Exit> {
        if self.recording {
            let truth = recording::Truth::built_in()?;
            self.show(recorded(&truth)?, &truth.incidents, "the recording", console)
        } else {
            let plan = Plan::demo();
            let truth = Truth::of(&plan);
            self.show(Shop::new(plan), &truth.incidents, "two days", console)
        }
    }

    fn show(
        &self,
        source: impl Source,
        incidents: &[impl Fault],
        what: &str,
        console: &Console,
    ) -> anyhow::Result<Exit> {
        let engine = self.engine.open(&Document::default(), None)?;
        let console = console.with_steps(100, what);
        let mut show = Show::new(engine, self.output == Output::Ndjson && !console.is_quiet());
        show.play(source, &console)?;
        console.bar().finish_and_clear();
        let episodes = std::mem::take(&mut show.episodes).into_sorted();
        let judgement = Judgement::of(incidents, &episodes);
        let measured = show.measured(&judgement);
        self.print(&episodes, &judgement, &measured, console.is_quiet())?;
        Ok(Exit::Fine)
    }

    fn print(
        &self,
        episodes: &[Anomaly],
        judgement: &Judgement<'_, impl Fault>,
        measured: &Measured,
        is_quiet: bool,
    ) -> anyhow::Result<()> {
        #[derive(Serialize)]
        struct Report<'a, F> {
            episodes: &'a [Anomaly],
            incidents: &'a [judgement::Finding<'a, F>],
            measured: &'a Measured,
        }
        let mut page = Vec::new();
        match self.output {
            Output::Table if is_quiet => writeln!(page, "{measured}")?,
            Output::Table => {
                if !episodes.is_empty() {
                    page::print_table(episodes, &[], None)?;
                    writeln!(page)?;
                }
                writeln!(page, "{}\n{measured}", judgement.told(page::width()))?;
            }
            Output::Ndjson => {
                serde_json::to_writer(&mut page, measured)?;
                page.push(b'\n');
            }
            Output::Json => {
                let report = Report {
                    episodes,
                    incidents: &judgement.findings,
                    measured,
                };
                serde_json::to_writer_pretty(&mut page, &report)?;
                page.push(b'\n');
            }
        }
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(&page)?;
        stdout.flush()?;
        Ok(())
    }
}

/// What is shown, as it passes.
struct Show {
    engine: Engine,
    /// Whether alarms are printed when they are raised, and when they become worse.
    prints_onsets: bool,
    episodes: Episodes,
    digest: Sha256,
    events: u64,
    spent: Duration,
    written: Vec<u8>,
}

impl Show {
    fn new(engine: Engine, prints_onsets: bool) -> Show {
        Show {
            engine,
            prints_onsets,
            episodes: Episodes::default(),
            digest: Sha256::new(),
            events: 0,
            spent: Duration::ZERO,
            written: Vec::new(),
        }
    }

    fn play(&mut self, mut source: impl Source, console: &Console) -> anyhow::Result<()> {
        let history = Input {
            role: Role::WarmUp,
            ..Input::new(Format::Ndjson)
        };
        let scored = Input {
            emit: Emit::All,
            ..Input::new(Format::Ndjson)
        };
        let mut bytes = Vec::new();
        self.engine.begin(&history)?;
        let mut is_history = true;
        loop {
            if is_history && !source.is_history() {
                self.ask(Engine::finish)?;
                self.engine.begin(&scored)?;
                is_history = false;
            }
            bytes.clear();
            if !source.next(&mut bytes)? {
                break;
            }
            self.events += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
            self.ask(|engine, written| engine.push(&bytes, written))?;
            console.bar().set_position((source.progress() * 100.0) as u64);
        }
        self.ask(Engine::finish)?;
        self.ask(Engine::close)?;
        Ok(())
    }

    /// Has the engine do something, on the clock, and takes in what it says.
    fn ask<E: Into<anyhow::Error>>(
        &mut self,
        question: impl FnOnce(&mut Engine, &mut Vec<u8>) -> Result<(), E>,
    ) -> anyhow::Result<()> {
        self.written.clear();
        let began = Instant::now();
        question(&mut self.engine, &mut self.written).map_err(Into::into)?;
        self.spent += began.elapsed();
        for said in verdicts::lines(&self.written) {
            match said? {
                Said::Row(line) | Said::Session(line, _) => self.digest.update(line),
                Said::Anomaly(line, anomaly) => {
                    self.digest.update(line);
                    if self.prints_onsets && matches!(anomaly.phase, Phase::Onset | Phase::Worse) {
                        std::io::stdout().write_all(line)?;
                    }
                    self.episodes.report(*anomaly);
                }
                Said::Problem(problem) => {
                    anyhow::bail!("there is an event that cannot be read: {}", problem.message)
                }
                Said::Note(..) | Said::Unused(..) => {}
            }
        }
        Ok(())
    }

    fn measured(&self, judgement: &Judgement<'_, impl Fault>) -> Measured {
        Measured {
            incidents: judgement.findings.len(),
            found: judgement.found(),
            false_alarms: judgement.false_alarms.len(),
            lead_time_seconds: judgement.lead_time(),
            events_per_second: (self.events as f64 / self.spent.as_secs_f64().max(1e-9)).round(),
            guest_memory_bytes: self.engine.memory_bytes(),
            sha256: self
                .digest
                .clone()
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        }
    }
}

/// What the demonstration showed, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Measured {
    incidents: usize,
    found: usize,
    false_alarms: usize,
    lead_time_seconds: Option<f64>,
    events_per_second: f64,
    guest_memory_bytes: Option<u64>,
    sha256: String,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lead_time = self
            .lead_time_seconds
            .map_or_else(|| "-".to_owned(), |seconds| seconds.round().to_string());
        let memory = self.guest_memory_bytes.map_or_else(
            || "-".to_owned(),
            |bytes| format!("{:.1}MiB", bytes as f64 / f64::from(1 << 20)),
        );
        write!(
            f,
            "found {}/{} false_alarms {} lead_time_seconds {lead_time} events_per_second {} guest_memory {memory} sha256 {}",
            self.found, self.incidents, self.false_alarms, self.events_per_second, self.sha256
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_fits_into_a_line() {
        let measured = Measured {
            incidents: 3,
            found: 2,
            false_alarms: 1,
            lead_time_seconds: Some(1872.0),
            events_per_second: 812_345.0,
            guest_memory_bytes: Some(12_897_484),
            sha256: "ab".to_owned(),
        };
        assert_eq!(
            measured.to_string(),
            "found 2/3 false_alarms 1 lead_time_seconds 1872 events_per_second 812345 guest_memory 12.3MiB sha256 ab"
        );
        let nothing = Measured {
            lead_time_seconds: None,
            guest_memory_bytes: None,
            ..measured
        };
        assert!(nothing.to_string().contains("lead_time_seconds - events"));
    }
}
