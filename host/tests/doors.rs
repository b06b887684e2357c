//! One corpus of events of each kind, and one hash of the verdicts on them, whichever door they came through: the library
//! linked natively, the engine under wasmtime, the WASI command under two runtimes, the transform for Vector by both of its
//! ways in, `watchpost vector` over gRPC, and the module for Fluent Bit.
//!
//! `WATCHPOST_PARITY_EVENTS` says how many events of each kind go through each door (20,000 where it is not set). A million
//! is what a release is tried on:
//!
//! ```sh
//! RUST_TEST_NOCAPTURE=1 WATCHPOST_PARITY_EVENTS=1000000 cargo xtask test judged_alike
//! ```
//!
//! How many events a second came through is told with each hash, and is no part of the test.

#[allow(dead_code, reason = "shared with the other tests, of which each needs a part")]
mod support;

#[path = "vector/peers.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of Vector's protocol, which need more of it"
)]
mod peers;
#[path = "vector/wire.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of Vector's protocol, which need more of it"
)]
mod wire;

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use peers::{Downstream, Program, Upstream};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use support::variable;
use tempfile::TempDir;

const EVENTS: usize = 20_000;

fn events() -> usize {
    env::var("WATCHPOST_PARITY_EVENTS").map_or(EVENTS, |text| {
        text.parse().expect("WATCHPOST_PARITY_EVENTS is a number of events")
    })
}

/// A way in and out of the detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Native,
    Engine,
    CliWasmtime,
    CliNode,
    VectorPipe,
    VectorSocket,
    VectorGrpc,
    FluentBit,
}

const DOORS: [Door; 8] = [
    Door::Native,
    Door::Engine,
    Door::CliWasmtime,
    Door::CliNode,
    Door::VectorPipe,
    Door::VectorSocket,
    Door::VectorGrpc,
    Door::FluentBit,
];

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Door::Native => "native",
            Door::Engine => "engine, wasmtime",
            Door::CliWasmtime => "plugins/cli, wasmtime",
            Door::CliNode => "plugins/cli, Node",
            Door::VectorPipe => "plugins/vector, pipe",
            Door::VectorSocket => "plugins/vector, TCP",
            Door::VectorGrpc => "watchpost vector, gRPC",
            Door::FluentBit => "plugins/fluent-bit, its ABI",
        })
    }
}

impl Door {
    /// Whether events come as Vector's.
    fn is_of_vector(self) -> bool {
        matches!(self, Door::VectorPipe | Door::VectorSocket)
    }

    /// The program behind it, which reads events and writes them with their verdicts; one that listens is told where. Over
    /// gRPC there are two programs to talk to, and none that reads and writes.
    fn command(self, folder: &Path, address: SocketAddr) -> Command {
        let wasmtime = |options: &[&str], module: &str| {
            let mut command = Command::new(variable("WATCHPOST_WASMTIME"));
            command.arg("run").args(options).arg(variable(module));
            command
        };
        let watchpost = || Command::new(env!("CARGO_BIN_EXE_watchpost"));
        let score = ["score", "--quiet", "--annotate"];
        let mut command = match self {
            Door::Native | Door::Engine => {
                let mut command = watchpost();
                let engine = if self == Door::Native { "native" } else { "wasm" };
                command.args(score).args(["--input", "ndjson", "--engine", engine]);
                command
            }
            Door::CliWasmtime => {
                let mut command = wasmtime(&[], "WATCHPOST_CLI_MODULE");
                command.args(score).args(["--input", "ndjson"]);
                command
            }
            Door::CliNode => {
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/wasi/node.mjs");
                let mut command = Command::new("node");
                command.arg("--no-warnings").arg(script);
                command.arg(variable("WATCHPOST_CLI_MODULE")).arg(folder);
                command.args(score).args(["--input", "ndjson"]);
                command
            }
            Door::VectorGrpc => unreachable!("it is two programs, which `over_grpc` starts"),
            Door::VectorPipe => {
                let mut command = wasmtime(&[], "WATCHPOST_VECTOR_MODULE");
                command.arg("--quiet");
                command
            }
            Door::VectorSocket => {
                let mut command = wasmtime(&["-S", "inherit-network"], "WATCHPOST_VECTOR_MODULE");
                command.args(["--quiet", "--listen", &address.to_string()]);
                command
            }
            Door::FluentBit => {
                let mut command = watchpost();
                command.arg("run").arg(variable("WATCHPOST_FLUENT_BIT_MODULE"));
                command
            }
        };
        command.current_dir(folder).stdout(Stdio::piped());
        command
    }

    /// Sends the events of a corpus through, and hashes the verdicts that come back.
    fn verdicts(self, corpus: &Corpus) -> Verdicts {
        if self == Door::VectorGrpc {
            return over_grpc(corpus);
        }
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = self.command(corpus.folder.path(), address);
        let listens = self == Door::VectorSocket;
        command.stdin(if listens { Stdio::null() } else { Stdio::piped() });
        let mut running = Running(command.spawn().unwrap());
        let stdin = running.0.stdin.take();
        let events = BufReader::new(File::open(&corpus.path).unwrap());
        let feeder = thread::spawn(move || {
            let to: Box<dyn Write> = match stdin {
                Some(stdin) => Box::new(stdin),
                None => Box::new(connected(address)),
            };
            let mut to = BufWriter::with_capacity(1 << 16, to);
            for event in events.lines() {
                let event = event.unwrap();
                if self.is_of_vector() {
                    writeln!(to, "{{\"log\":{event}}}").unwrap();
                } else {
                    writeln!(to, "{event}").unwrap();
                }
            }
            to.flush().unwrap();
        });
        let mut verdicts = Verdicts::default();
        let mut out = BufReader::with_capacity(1 << 16, running.0.stdout.take().unwrap());
        let mut line = String::new();
        // One that listens does not end by itself.
        while verdicts.events < corpus.events && out.read_line(&mut line).unwrap() > 0 {
            let event: Value =
                serde_json::from_str(&line).unwrap_or_else(|problem| panic!("{self}: {problem}: {line}"));
            let record = if self.is_of_vector() { &event["log"] } else { &event };
            verdicts.add(
                record
                    .get("watchpost")
                    .unwrap_or_else(|| panic!("{self}: no verdict: {line}")),
            );
            line.clear();
        }
        feeder.join().unwrap();
        if !listens {
            // What is open at the end of the input is told on lines of its own, of no event.
            let rest = out.lines().map(|line| line.unwrap());
            assert!(
                rest.into_iter().all(|line| !line.contains("\"row\"")),
                "{self} wrote more than it was given"
            );
            assert!(running.0.wait().unwrap().success(), "{self}");
        }
        verdicts
    }
}

/// The events of a batch, as many as Vector sends at once by itself.
const BATCH: usize = 1000;

/// Sends the events to `watchpost vector` as a sink of Vector does, and takes them as a source does.
fn over_grpc(corpus: &Corpus) -> Verdicts {
    let downstream = Downstream::new();
    let program = Program::start(downstream.address, &[]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let upstream = Upstream::of(&program);
        let mut events = BufReader::new(File::open(&corpus.path).unwrap()).lines().peekable();
        while events.peek().is_some() {
            let mut batch = Vec::new();
            for event in events.by_ref().take(BATCH) {
                let event: Map<String, Value> = serde_json::from_str(&event.unwrap()).unwrap();
                batch.extend(wire::len(1, wire::len(1, fields(&event))));
            }
            upstream.push(batch).await.unwrap();
        }
    });
    let mut verdicts = Verdicts::default();
    for object in downstream.objects() {
        verdicts.add(&object["watchpost"]);
    }
    verdicts
}

fn fields(object: &Map<String, Value>) -> Vec<u8> {
    let entries: Vec<(&str, Vec<u8>)> = object.iter().map(|(name, value)| (&**name, field(value))).collect();
    wire::fields_of(&entries)
}

/// A value as Vector has it.
fn field(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => wire::null(),
        Value::Bool(value) => wire::boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => wire::integer(integer),
            None => wire::float(number.as_f64().unwrap()),
        },
        Value::String(text) => wire::text(text),
        Value::Array(items) => wire::array(&items.iter().map(field).collect::<Vec<_>>()),
        Value::Object(object) => wire::len(7, fields(object)),
    }
}

/// Ends the program when nothing more is wanted of it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Connects when somebody listens.
fn connected(address: SocketAddr) -> TcpStream {
    let start = Instant::now();
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return stream,
            Err(problem) => assert!(start.elapsed() < Duration::from_secs(300), "{address}: {problem}"),
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// What was said of the events of a corpus.
#[derive(Default)]
struct Verdicts {
    events: usize,
    anomalous: usize,
    hash: Sha256,
}

impl Verdicts {
    fn add(&mut self, verdict: &Value) {
        self.events += 1;
        self.anomalous += usize::from(verdict["anomaly"] == true);
        canonical(verdict, &mut self.hash);
        self.hash.update(b"\n");
    }
}

/// Keys in order, numbers in their shortest form, no blanks.
fn canonical(value: &Value, hash: &mut Sha256) {
    match value {
        Value::Object(object) => {
            hash.update(b"{");
            for (name, value) in object.iter().collect::<BTreeMap<_, _>>() {
                hash.update(serde_json::to_vec(name).unwrap());
                hash.update(b":");
                canonical(value, hash);
                hash.update(b",");
            }
            hash.update(b"}");
        }
        Value::Array(items) => {
            hash.update(b"[");
            for item in items {
                canonical(item, hash);
                hash.update(b",");
            }
            hash.update(b"]");
        }
        single => hash.update(serde_json::to_vec(single).unwrap()),
    }
}

/// Events of one kind, each a JSON object on a line.
struct Corpus {
    folder: TempDir,
    path: PathBuf,
    events: usize,
}

impl Corpus {
    /// What the shop of `watchpost simulate` writes in some days of many incidents.
    fn new(kind: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("events.ndjson");
        let mut shop = Command::new(env!("CARGO_BIN_EXE_watchpost"));
        // Lines come in slowly, so that a few of them are a day of a service.
        let rate = if kind == "logs" { "0.2" } else { "1" };
        let options = [
            "--duration",
            "60d",
            "--rate",
            rate,
            "--seed",
            "20261120",
            "--anomalies",
            "1/hour",
            "--calm",
            "1h",
        ];
        shop.args(["simulate", kind])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut shop = Running(shop.spawn().unwrap());
        let mut to = BufWriter::new(File::create(&path).unwrap());
        let mut lines = BufReader::new(shop.0.stdout.take().unwrap()).lines();
        let events = events();
        for _ in 0..events {
            writeln!(to, "{}", lines.next().expect("sixty days are long enough").unwrap()).unwrap();
        }
        to.flush().unwrap();
        Corpus { folder, path, events }
    }
}

fn the_same(kind: &str) {
    let corpus = Corpus::new(kind);
    let mut first = None;
    for door in DOORS {
        let start = Instant::now();
        let verdicts = door.verdicts(&corpus);
        let rate = corpus.events as f64 / start.elapsed().as_secs_f64();
        let hash: String = verdicts
            .hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let (events, anomalous) = (verdicts.events, verdicts.anomalous);
        println!("{kind:9} {door:28} {events:9} events {anomalous:7} anomalous {rate:9.0} a second  {hash}");
        assert_eq!(events, corpus.events, "{door}");
        assert!(anomalous > 0, "{door}: nothing was strange, which says little");
        assert_eq!(
            *first.get_or_insert(hash.clone()),
            hash,
            "{door} judges {kind} differently"
        );
    }
}

mod real_wasi {
    use super::the_same;

    #[test]
    fn requests_are_judged_alike_through_every_door() {
        the_same("requests");
    }

    #[test]
    fn lines_are_judged_alike_through_every_door() {
        the_same("logs");
    }

    #[test]
    fn measurements_are_judged_alike_through_every_door() {
        the_same("metrics");
    }
}
