//! What one configuration of the plugin holds in one VM: the detector or the way to it, and everything that goes out.

use proxy_wasm::types::{BufferType, LogLevel, MapType};
use serde::Serialize;
use watchpost_detector::{Anomaly, Detector, Event, Label, Phase, Report, Request, RowVerdict, Subject, Timestamp};

use crate::batch::{self, Batch, Service};
use crate::checkpoint;
use crate::clusters::Clusters;
use crate::collector::Collector;
use crate::exchange::{self, Exchange};
use crate::host::{self, Refused};
use crate::lines::Lines;
use crate::metrics::{Metrics, Of};
use crate::open::Open;
use crate::settings::{Document, Fetched, Mode, Settings, WarmStart};

/// Time between two ticks, in milliseconds.
pub(crate) const TICK: u32 = 1000;

/// A service judges a slot when the batches of all workers have had time to come.
const BATCHES_TAKE: i64 = 2_000_000_000;

/// Ticks for which a worker takes a service that says nothing for alive.
const PATIENCE: u32 = 15;

/// One configured instance.
pub(crate) struct Watch {
    pub(crate) settings: Settings,
    /// Under this name the state is found again.
    pub(crate) name: String,
    judge: Judge,
    open: Open,
    metrics: Metrics,
    collector: Option<Collector>,
    clusters: Clusters,
    /// Of this VM, in the journal.
    vm: u32,
    ticks: u32,
    /// Scored since the last checkpoint.
    dirty: bool,
    /// The state to fetch, and the token of the call that does.
    fetch: Option<(Fetched, Option<u32>)>,
    lines: Lines,
}

enum Judge {
    Here {
        detector: Box<Detector>,
        reports: Vec<Report>,
        row: u64,
        /// No request was scored yet, so that nobody knows whether requests are missing.
        asleep: bool,
    },
    There {
        batch: Batch,
        /// The number of the last change of what the service tells, and ticks since then.
        told: Option<u32>,
        silent: u32,
    },
}

/// One line of the journal.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Journal<'a> {
    Exchange {
        service: Option<&'a str>,
        exchange: &'a Request<'a>,
        verdict: &'a RowVerdict<'a>,
    },
    Tick(Timestamp),
}

impl Watch {
    /// An instance as it is configured, with the state of the one before it, if there was one.
    pub(crate) fn open(document: Document, name: String, vm: u32, before: Option<&mut Watch>) -> Result<Self, String> {
        let Document {
            detector: config,
            envoy: settings,
        } = document;
        let mut metrics = Metrics::default();
        let mut fetch = None;
        let mut open = Open::default();
        let judge = if let Some(to) = &settings.forward_to
            && settings.mode != Mode::Service
        {
            Judge::There {
                batch: Batch::new(to.clone(), settings.service.clone()),
                told: None,
                silent: 0,
            }
        } else {
            let kept = before
                .as_deref()
                .and_then(Watch::state)
                .or_else(|| checkpoint::load(&name));
            let mut detector = None;
            if let Some((episodes, snapshot)) = kept {
                match Detector::restore(config.clone(), &snapshot) {
                    Ok(restored) => {
                        metrics.count("watchpost_checkpoints", &[("result", "restored")], 1);
                        detector = Some(restored);
                        open = episodes;
                    }
                    Err(error) => {
                        metrics.count("watchpost_checkpoints", &[("result", "refused")], 1);
                        say(LogLevel::Warn, &format!("what was learned before is not used: {error}"));
                    }
                }
            }
            if detector.is_none() {
                match &settings.warm_start {
                    Some(WarmStart::Given(snapshot)) => {
                        let restored = Detector::restore(config.clone(), snapshot)
                            .map_err(|error| format!("configuration: field `envoy.warm_start.snapshot`: {error}"))?;
                        detector = Some(of_history(restored));
                    }
                    Some(WarmStart::Fetched(from)) => fetch = Some((from.clone(), None)),
                    None => {}
                }
            }
            let mut detector = detector.unwrap_or_else(|| Detector::new(config));
            detector.begin_input();
            Judge::Here {
                row: detector.status().events,
                detector: Box::new(detector),
                reports: Vec::new(),
                asleep: true,
            }
        };
        let source = settings.service.clone().unwrap_or_else(|| name.clone());
        let mut collector = settings
            .collector
            .clone()
            .map(|collector| Collector::new(collector, format!("/watchpost/envoy/{source}")));
        if let Some(before) = before {
            // What is counted and what waits is not lost with the configuration.
            before.hand_over();
            if let (Some(now), Some(earlier)) = (&mut collector, &mut before.collector) {
                now.succeed(earlier);
            }
        }
        Ok(Watch {
            collector,
            settings,
            name,
            judge,
            open,
            metrics,
            clusters: Clusters::default(),
            vm,
            ticks: 0,
            dirty: false,
            fetch,
            lines: Lines::default(),
        })
    }

    /// Sends what is gathered for the service and for Envoy's statistics.
    fn hand_over(&mut self) {
        if let Judge::There { batch, told, silent } = &mut self.judge {
            batch.send(service_of(*told, *silent), &mut self.metrics);
        }
        self.metrics.flush();
    }

    /// An exchange is over: it is scored, or handed on. `nanos` is how long it took, where the caller knows.
    pub(crate) fn exchange(&mut self, now: i64, nanos: Option<i64>) {
        let exchange = Exchange::read(self.settings.route, nanos, &mut self.clusters);
        let time = Timestamp::from_nanos(now);
        // Out of the settings for as long as it is borrowed, and back.
        let service = self.settings.service.take();
        let mut label = label(service.as_deref());
        let subject = Subject::new(label.as_mut_slice());
        let request = exchange.request(time, subject, self.settings.route);
        self.metrics.add(Of::Requests, 1);
        match &mut self.judge {
            Judge::Here { .. } => {
                self.score(&request, service.as_deref());
            }
            Judge::There { batch, told, silent } => {
                batch.add(&request, service_of(*told, *silent), &mut self.metrics);
                if self.settings.mode == Mode::Filter {
                    self.tell_shown(&request);
                }
            }
        }
        self.settings.service = service;
    }

    /// What the response header says, before the exchange is over: what is known of its named route and its upstream.
    /// Method and path are not to be had any more when the response comes.
    pub(crate) fn header(&self) -> String {
        let by = self.settings.route;
        let route = exchange::route(by);
        let upstream = host::property("xds\0cluster_name").unwrap_or_default();
        let request = Request {
            time: Timestamp::default(),
            subject: Subject::default(),
            method: None,
            path: None,
            route: exchange::named(&route, by),
            upstream: exchange::said(&upstream),
            client: None,
            status: None,
            duration: None,
            bytes: None,
            flags: None,
        };
        match self.open.matching(&request) {
            Some(episode) => {
                let (kind, severity) = (word(episode.kind), word(episode.severity));
                format!(
                    "anomalous; kind={kind}; severity={severity}; surprise={:.1}",
                    episode.surprise
                )
            }
            None => "normal".to_owned(),
        }
    }

    fn score(&mut self, request: &Request<'_>, service: Option<&str>) {
        let Judge::Here {
            detector,
            reports,
            row,
            asleep,
        } = &mut self.judge
        else {
            return;
        };
        let verdict = detector.observe(&Event::Request(*request), reports);
        let number = *row;
        *row += 1;
        *asleep = false;
        self.dirty = true;
        self.metrics.add(Of::Anomalous, i64::from(verdict.state.is_anomalous()));
        if self.settings.mode == Mode::Filter {
            let (line, score) = self.lines.of(number, &verdict);
            // A request that an access log does not print needs no state, and a host that refuses it has none.
            let _ = host::set_property("watchpost", line.as_bytes());
            let _ = host::set_property("watchpost.score", score.as_bytes());
        }
        if self.settings.journal {
            let verdict = &RowVerdict::new(number, &verdict);
            journal(
                self.vm,
                &Journal::Exchange {
                    service,
                    exchange: request,
                    verdict,
                },
            );
        }
        self.report();
    }

    /// The filter state of a request that the service scores: which open episode it belongs to. One that belongs to none
    /// has no state, which is most of them, and costs nothing.
    fn tell_shown(&self, request: &Request<'_>) {
        let Some(episode) = self.open.matching(request) else {
            return;
        };
        let line = serde_json::to_string(&episode.shown()).unwrap_or_default();
        let score = watchpost_detector::score(episode.surprise).to_string();
        let _ = host::set_property("watchpost", line.as_bytes());
        let _ = host::set_property("watchpost.score", score.as_bytes());
    }

    /// Hands out what the detector has reported.
    fn report(&mut self) {
        let Judge::Here { reports, .. } = &mut self.judge else {
            return;
        };
        if reports.is_empty() {
            return;
        }
        for report in std::mem::take(reports) {
            if let Report::Anomaly(anomaly) = report {
                self.announce(&anomaly);
            }
        }
    }

    fn announce(&mut self, anomaly: &Anomaly) {
        let Ok(json) = serde_json::to_string(anomaly) else {
            return;
        };
        let onset = anomaly.phase == Phase::Onset;
        let is_urgent = onset || anomaly.phase == Phase::Worse;
        host::log(if is_urgent { LogLevel::Warn } else { LogLevel::Info }, &json);
        if anomaly.phase == Phase::Near {
            // For whoever thinks about the budget, and for nobody else.
            return;
        }
        let open = self.open.len();
        self.open.follow(anomaly);
        self.metrics.add(Of::OpenEpisodes, self.open.len() as i64 - open as i64);
        let label = |name: &str| anomaly.subject.get(name).map_or("", String::as_str);
        if onset {
            let (kind, severity) = (word(anomaly.kind), word(anomaly.severity));
            let labels = [
                ("kind", &*kind),
                ("severity", &*severity),
                ("route", label("route")),
                ("upstream", label("upstream")),
            ];
            self.metrics.count("watchpost_alarms", &labels, 1);
        }
        if let Some(collector) = &mut self.collector {
            collector.queue(anomaly, &json, &mut self.metrics);
        }
    }

    /// A second has passed.
    pub(crate) fn tick(&mut self) {
        self.ticks = self.ticks.wrapping_add(1);
        self.metrics.add(Of::Heartbeat, 1);
        let now = host::now();
        match &mut self.judge {
            Judge::Here {
                detector,
                reports,
                asleep,
                ..
            } => {
                let late = if self.settings.mode == Mode::Service {
                    BATCHES_TAKE
                } else {
                    0
                };
                let time = Timestamp::from_nanos(now.saturating_sub(late));
                if !*asleep {
                    detector.tick(time, reports);
                    if self.settings.journal {
                        journal(self.vm, &Journal::Tick(time));
                    }
                }
                self.report();
                if self.settings.mode == Mode::Service {
                    checkpoint::tell(&self.open);
                }
                // The VM of the main thread has no requests, and nothing to say.
                if self.dirty && self.ticks.is_multiple_of(10) {
                    self.gauges();
                }
                if self.dirty && self.ticks.is_multiple_of(self.settings.checkpoint_seconds.0) {
                    self.save();
                }
            }
            Judge::There { batch, told, silent } => {
                match checkpoint::news() {
                    Some((open, cas)) if *told != Some(cas) => {
                        self.open = open;
                        *told = Some(cas);
                        *silent = 0;
                    }
                    _ => *silent = silent.saturating_add(1),
                }
                batch.send(service_of(*told, *silent), &mut self.metrics);
            }
        }
        self.fetch();
        if let Some(collector) = &mut self.collector {
            collector.tick(&mut self.metrics);
        }
        self.metrics.flush();
    }

    fn gauges(&mut self) {
        let Judge::Here { detector, .. } = &self.judge else {
            return;
        };
        self.metrics.set(Of::Routes, u64::from(detector.status().routes));
        self.metrics.set(Of::MemoryBytes, memory_bytes());
    }

    /// Batches have come in a queue of the service.
    pub(crate) fn drain(&mut self, queue: u32) {
        // As many as there may be after a long pause; what is left announces itself again.
        for _ in 0..1024 {
            let bytes = match host::dequeue(queue) {
                Ok(bytes) => bytes,
                Err(Refused::EMPTY) => return,
                Err(error) => {
                    self.error("dequeue", error);
                    return;
                }
            };
            let read = batch::read(&bytes, |service, request| {
                let mut label = label(service);
                let request = Request {
                    subject: Subject::new(label.as_mut_slice()),
                    ..*request
                };
                self.score(&request, service);
            });
            if read.is_err() {
                self.metrics.count("watchpost_dropped", &[("of", "queue")], 1);
            }
        }
    }

    /// Whether the state is fetched from somewhere, and it is time to ask for it.
    fn fetch(&mut self) {
        let Some((from, token @ None)) = &mut self.fetch else {
            return;
        };
        let authority = from.authority.as_deref().unwrap_or(&from.cluster);
        let headers = vec![(":method", "GET"), (":path", &*from.path), (":authority", authority)];
        match host::call(&from.cluster, headers, None, 10) {
            Ok(sent) => *token = Some(sent),
            Err(_) => self.metrics.count("watchpost_errors", &[("of", "fetch")], 1),
        }
    }

    /// The answer to a call that this instance has made.
    pub(crate) fn answered(&mut self, token: u32, headers: usize, body: usize) {
        if let Some(collector) = &mut self.collector
            && collector.answered(token, headers, &mut self.metrics)
        {
            return;
        }
        if self.fetch.as_ref().is_none_or(|(_, asked)| *asked != Some(token)) {
            return;
        }
        let status = host::header(MapType::HttpCallResponseHeaders, ":status");
        let fetched = if headers > 0 && status.as_deref() == Ok(b"200") {
            host::buffer(BufferType::HttpCallResponseBody, body).ok()
        } else {
            None
        };
        let Some(bytes) = fetched else {
            // Asked again at the next tick.
            if let Some((_, token)) = &mut self.fetch {
                *token = None;
            }
            self.metrics.count("watchpost_errors", &[("of", "fetch")], 1);
            return;
        };
        self.fetch = None;
        let Judge::Here {
            detector, row, asleep, ..
        } = &mut self.judge
        else {
            return;
        };
        match Detector::restore(detector.config().clone(), &bytes) {
            Ok(restored) => {
                **detector = of_history(restored);
                detector.begin_input();
                *row = detector.status().events;
                *asleep = true;
                say(
                    LogLevel::Info,
                    &format!("warm start with a state of {} bytes", bytes.len()),
                );
            }
            Err(error) => say(
                LogLevel::Warn,
                &format!("the state that was fetched is not used: {error}"),
            ),
        }
    }

    /// Puts the state where it survives the VM.
    fn save(&mut self) {
        let Some(state) = self.state() else {
            return;
        };
        let result = match checkpoint::save(&self.name, &state) {
            Ok(()) => "saved",
            Err(error) => {
                self.error("checkpoint", error);
                "refused"
            }
        };
        self.metrics.count("watchpost_checkpoints", &[("result", result)], 1);
        self.dirty = false;
    }

    fn state(&self) -> Option<checkpoint::State> {
        match &self.judge {
            Judge::Here { detector, row, .. } if *row > 0 => Some((self.open.clone(), detector.snapshot())),
            _ => None,
        }
    }

    fn error(&mut self, of: &str, error: Refused) {
        self.metrics.count("watchpost_errors", &[("of", of)], 1);
        say(LogLevel::Debug, &format!("{of}: {error}"));
    }
}

/// A detector that has learned somewhere else: what was wrong there is nobody's business here.
fn of_history(mut detector: Detector) -> Detector {
    detector.set_scoring(false);
    detector.set_scoring(true);
    detector
}

/// What a worker knows of the service, from what it was told and how long ago.
fn service_of(told: Option<u32>, silent: u32) -> Service {
    match told {
        None => Service::Expected,
        Some(_) if silent < PATIENCE => Service::Reads,
        Some(_) => Service::Silent,
    }
}

/// Writes a message of the plugin's own to Envoy's log.
pub(crate) fn say(level: LogLevel, message: &str) {
    host::log(level, &format!("watchpost: {message}"));
}

fn label(service: Option<&str>) -> Option<Label<'_>> {
    service.map(|value| Label { name: "service", value })
}

/// The word that a kind or a severity is written as everywhere.
fn word(of: impl Serialize) -> String {
    let json = serde_json::to_string(&of).unwrap_or_default();
    json.trim_matches('"').to_owned()
}

fn journal(vm: u32, line: &Journal<'_>) {
    if let Ok(json) = serde_json::to_string(line) {
        host::log(LogLevel::Info, &format!("journal {vm} {json}"));
    }
}

/// The memory of this VM.
fn memory_bytes() -> u64 {
    core::arch::wasm32::memory_size(0) as u64 * 65_536
}
