//! `watchpost vector`: stands between a `vector` sink and a `vector` source, and says of every event what is strange in
//! it.

mod batch;
mod judge;
mod native_json;
mod schema;
mod scoring;
mod service;

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use tokio::sync::{Notify, oneshot};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use watchpost_detector::wire::Format;
use watchpost_detector::{AlarmRate, FieldName, Input};

use super::console::Console;
use super::document;
use super::engine::EngineOptions;
use super::exit::{Exit, Usage};
use super::score::{Which, alarm_rate, current_year, field};
use super::state;
use judge::{Desk, Judge};
use scoring::{Scoring, Telling};
use service::{Bridge, IN_FLIGHT};

/// Stands between a `vector` sink and a `vector` source of Vector, and writes into each event what is strange in it.
///
/// Speaks Vector's own protocol (gRPC) on both sides. A batch is acknowledged when the downstream has acknowledged it, and
/// is handed back when the downstream does not take it. Types and metadata of events stay what they are.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchpost vector --forward 127.0.0.1:6001
  watchpost vector --listen 127.0.0.1:6000 --forward http://127.0.0.1:6001 --state vector.state
  watchpost vector --forward 127.0.0.1:6001 --verdicts events
  watchpost vector --forward 127.0.0.1:6001 --pass anomalous --sample 100

Upstream, a sink of type `vector` has the address of --listen; downstream, a source of type `vector` listens at that of \
--forward; the sinks behind it have `acknowledgements.enabled: true`. Ctrl-C and SIGTERM end it cleanly: batches on their \
way are delivered, the state is saved, and the exit code is 0.")]
pub(crate) struct Vector {
    /// Where the upstream's `vector` sink connects to; anybody who can connect can send events.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6000")]
    listen: String,

    /// Where the downstream's `vector` source listens: `HOST:PORT` or `http://HOST:PORT`, without TLS.
    #[arg(long, value_name = "ADDRESS")]
    forward: String,

    /// The configuration, in JSON, YAML or TOML by its extension; see `watchpost config schema`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The detector's state: gone on from when the file exists, saved now and then and at the end. What is in it has been
    /// delivered.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// How often the state is saved, in seconds; 0 is after each batch.
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    save_every: u64,

    /// How verdicts are told: as a field of each event, as log events of their own, one for each alarm, or both.
    #[arg(long, value_name = "HOW", default_value = "fields")]
    verdicts: Verdicts,

    /// The field that holds the verdict. An anomalous metric has the tag `<FIELD>_anomaly` instead.
    #[arg(long, value_name = "FIELD", default_value = "watchpost", value_parser = field)]
    annotate: FieldName,

    /// Which events are passed on: `all`, those that are `normal`, or those that are `anomalous`; an event that cannot be
    /// judged is passed on always.
    #[arg(long, value_name = "WHICH", default_value = "all")]
    pass: Which,

    /// Of the events that `--pass` leaves out, passes one in N on as well.
    #[arg(long, value_name = "N", requires = "pass")]
    sample: Option<NonZeroU64>,

    /// The largest batch that is taken, in MiB once it is unpacked; Vector drops what is refused for its size.
    #[arg(long, value_name = "MIB", default_value = "64", value_parser = clap::value_parser!(u16).range(1..=1024))]
    largest_batch: u16,

    /// The budget of false alarms over all subjects together, instead of the configuration's.
    #[arg(long, value_name = "N", value_parser = alarm_rate)]
    false_alarms_per_day: Option<AlarmRate>,

    #[command(flatten)]
    engine: EngineOptions,
}

/// How verdicts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verdicts {
    /// As a field of each event.
    Fields,
    /// As log events of their own, one for each alarm.
    Events,
    /// Both.
    Both,
}

/// Batches on their way have so long to be delivered when the end has come. Supervisors allow half a minute, as a rule.
const GRACE: Duration = Duration::from_secs(20);

/// A side that does not answer for so long has gone.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

impl Vector {
    pub(crate) fn run(&self, console: &Console) -> anyhow::Result<Exit> {
        let mut document = document::load(self.config.as_deref())?;
        if let Some(budget) = self.false_alarms_per_day {
            document.detector.false_alarms_per_day = budget;
        }
        let endpoint = endpoint(&self.forward)?;
        if names_itself(&self.listen, &endpoint) {
            let message = "this is the address of --listen: give that of the downstream's `vector` source";
            return Err(Usage(format!("--forward {}: {message}", self.forward)).into());
        }
        let snapshot = self.state.as_deref().map(state::load).transpose()?.flatten();
        // Before any slow work, so that nobody finds the door closed.
        let listener = TcpListener::bind(&self.listen);
        let listener = listener.map_err(|error| Usage(format!("--listen {}: {error}", self.listen)))?;
        listener.set_nonblocking(true)?;

        let open = move |snapshot: Option<&[u8]>| self.engine.open(&document, snapshot);
        let engine = open(snapshot.as_deref());
        let engine = match &self.state {
            Some(path) => engine.map_err(|error| state::refused(path, error))?,
            None => engine?,
        };
        let input = Input {
            year: current_year()?,
            ..Input::new(Format::Ndjson)
        };
        let telling = Telling {
            field: self.annotate.clone(),
            in_events: self.verdicts != Verdicts::Events,
            as_events: self.verdicts != Verdicts::Fields,
        };
        let scoring = Scoring::new(engine, input, self.pass.into(), self.sample, telling)?;
        let every = Duration::from_secs(self.save_every);
        let file = self.state.clone().map(|path| (path, every));
        let (judge, desk) = Judge::new(console, Box::new(open), scoring, file);

        let stop = listen_for_signals()?;
        let address = listener.local_addr()?;
        thread::scope(|scope| {
            let judging = thread::Builder::new()
                .name("detector".to_owned())
                .spawn_scoped(scope, || {
                    let ended = judge.run();
                    // When it fails, nothing can be judged any more.
                    stop.notify_one();
                    ended
                })?;
            console.note(format_args!("listening on {address}, forwarding to {}", endpoint.uri()));
            let served = self.serve(listener, &endpoint, &desk, &stop);
            desk.end();
            let judged = judging.join().map_err(|_| anyhow!("the detector's thread panicked"))?;
            served.and(judged)
        })?;
        Ok(Exit::Fine)
    }

    /// Takes batches until the end is asked for and everything on its way has been delivered.
    fn serve(&self, listener: TcpListener, endpoint: &Endpoint, desk: &Desk, stop: &Notify) -> anyhow::Result<()> {
        // One thread is plenty for passing bytes on, and on one thread calls begin in the order in which they were judged.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = runtime.block_on(async {
            let downstream = endpoint.connect_lazy();
            let bridge = Bridge::new(desk.clone(), downstream, usize::from(self.largest_batch) << 20);
            let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener)?).with_nodelay(Some(true));
            let (end, ended) = oneshot::channel::<()>();
            let server = Server::builder()
                .max_concurrent_streams(Some(IN_FLIGHT as u32))
                .http2_keepalive_interval(Some(KEEP_ALIVE))
                .serve_with_incoming_shutdown(bridge, incoming, async {
                    let _ = ended.await;
                });
            let server = tokio::spawn(server);
            stop.notified().await;
            let _ = end.send(());
            match tokio::time::timeout(GRACE, server).await {
                Ok(served) => Ok(served??),
                // What is on its way still is handed back by being cut off.
                Err(_) => Ok(()),
            }
        });
        // What is left of the tasks is dropped with it, before the detector is told that this is the end.
        drop(runtime);
        served
    }
}

fn endpoint(address: &str) -> anyhow::Result<Endpoint> {
    let usage = |message: &str| Usage(format!("--forward {address}: {message}"));
    let uri = match address.split_once("://") {
        None => format!("http://{address}"),
        Some(("http", _)) => address.to_owned(),
        Some(_) => return Err(usage("give HOST:PORT or http://HOST:PORT; TLS is not spoken").into()),
    };
    let endpoint = Channel::from_shared(uri).map_err(|error| usage(&error.to_string()))?;
    if endpoint.uri().port().is_none() {
        return Err(usage("give the port, too").into());
    }
    Ok(endpoint
        .connect_timeout(CONNECT_PATIENCE)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .tcp_nodelay(true))
}

/// Whether what is sent there comes back here.
fn names_itself(listen: &str, endpoint: &Endpoint) -> bool {
    let authority = endpoint.uri().authority().map(http::uri::Authority::as_str);
    let resolved = |address: &str| -> Vec<SocketAddr> {
        // An address that cannot be found is told when it is used.
        address.to_socket_addrs().map(Iterator::collect).unwrap_or_default()
    };
    let there = authority.map(resolved).unwrap_or_default();
    resolved(listen).iter().any(|here| there.contains(here))
}

/// What is told when a signal to end has come. The second one ends the program on the spot.
fn listen_for_signals() -> anyhow::Result<Arc<Notify>> {
    let stop = Arc::new(Notify::new());
    let notify = Arc::clone(&stop);
    let interrupted = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if interrupted.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        notify.notify_one();
    })
    .context("cannot listen for signals")?;
    Ok(stop)
}
