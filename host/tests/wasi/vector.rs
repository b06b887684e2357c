//! The transform for Vector under the wasmtime CLI, with a peer that does what Vector does: its `exec` source starts the
//! program, reads what it writes, and starts it again when it ends; its `socket` sink connects, again and again until
//! somebody listens, and writes one event after the other.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ChildStdout;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::*;

/// One event of every kind, as Vector writes them, and what else may come.
const EVENTS: &str = include_str!("events.ndjson");

fn vector(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(variable("WATCHPOST_WASMTIME"));
    command
        .args(["run", "-S", "inherit-network", "--dir", "."])
        .arg(variable("WATCHPOST_VECTOR_MODULE"))
        .args(arguments)
        .current_dir(folder);
    piped(command)
}

/// An address that nobody listens on.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The log of a shop as Vector reads it from a file, a metric in which something is slow for a while, and all else.
fn events() -> Vec<u8> {
    let mut events = String::new();
    for line in log().lines() {
        events += &format!(
            "{{\"log\":{{\"file\":\"/var/log/shop.log\",\"message\":\"{line}\",\"source_type\":\"file\"}}}}\n"
        );
    }
    for n in 0..900 {
        let slow = if (800..805).contains(&n) { 100.0 } else { 0.0 };
        let latency = 40.0 + f64::from(n * 7919 % 101) / 10.0 + slow;
        events += &format!(
            "{{\"metric\":{{\"name\":\"latency_ms\",\"tags\":{{\"service\":\"cart\",\"bare\":null}},\
             \"timestamp\":\"2026-11-21T{:02}:{:02}:00Z\",\"kind\":\"absolute\",\"gauge\":{{\"value\":{latency:?}}}}}}}\n",
            n / 60,
            n % 60
        );
    }
    (events + EVENTS).into_bytes()
}

/// Lines of what is read, as they come.
fn lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Connects as the sink does: what is refused is tried again, each time after twice as long.
fn connect(address: SocketAddr) -> TcpStream {
    let mut pause = Duration::from_millis(500);
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return stream,
            Err(_) => thread::sleep(pause),
        }
        assert!(pause < Duration::from_secs(60), "nobody listens on {address}");
        pause *= 2;
    }
}

/// Kills the program when the test is over, however it ends.
struct Listening {
    child: Child,
    address: SocketAddr,
    lines: Receiver<String>,
}

impl Listening {
    fn start(folder: &Path, address: SocketAddr, arguments: &[&str]) -> Self {
        let listen = address.to_string();
        let mut arguments = arguments.to_vec();
        arguments.extend(["--listen", &listen]);
        // As the source does where `include_stderr` is false.
        let mut command = vector(folder, &arguments);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = lines(child.stdout.take().unwrap());
        Listening { child, address, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(60)).unwrap()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

mod real_wasi {
    use super::*;

    #[test]
    fn it_writes_what_watchpost_writes() {
        let folder = TempDir::new().unwrap();
        let events = events();
        let modes: [(&[&str], &[&str]); 4] = [
            (&[], &["--annotate"]),
            (&["--field=anomaly.v1"], &["--annotate=anomaly.v1"]),
            (
                &["--pass=anomalous", "--sample=50"],
                &["--annotate", "--pass=anomalous", "--sample=50"],
            ),
            (&["--verbatim", "--pass=normal"], &["--pass=normal"]),
        ];
        for (ours, its) in modes {
            let its = [&["score", "--quiet", "--input=native-json"][..], its].concat();
            let expected = fed(native(folder.path(), &its), &events);
            assert!(expected.status.success(), "{}", stderr(&expected));
            let found = fed(vector(folder.path(), &[ours, &["--quiet"]].concat()), &events);
            assert!(found.status.success(), "{}", stderr(&found));
            assert!(found.stdout == expected.stdout, "{ours:?}: {}", stderr(&found));
            let text = String::from_utf8(found.stdout).unwrap();
            assert!(text.contains("FATAL") != ours.contains(&"--pass=normal"));
            assert_eq!(
                text.contains("\"watchpost_anomaly\":\"true\""),
                !ours
                    .iter()
                    .any(|option| option.starts_with("--field") || *option == "--verbatim")
            );
        }
    }

    /// The verdict on every event is that of `watchpost score`, also through a connection.
    #[test]
    fn a_connection_gets_the_same_verdicts() {
        let folder = TempDir::new().unwrap();
        let events = events();
        let expected = fed(vector(folder.path(), &["--quiet"]), &events);
        let listening = Listening::start(folder.path(), free_address(), &[]);
        let mut stream = connect(listening.address);
        // Cut anywhere.
        for chunk in events.chunks(4093) {
            stream.write_all(chunk).unwrap();
        }
        let expected = String::from_utf8(expected.stdout).unwrap();
        for (number, line) in expected.lines().enumerate() {
            assert_eq!(listening.line(), line, "line {number}");
        }
    }

    /// What is not judged, and what is judged without being annotated, is what came, but for what Vector would refuse.
    #[test]
    fn events_pass_to_the_byte() {
        let folder = TempDir::new().unwrap();
        let found = fed(vector(folder.path(), &["--verbatim"]), EVENTS.as_bytes());
        let expected = EVENTS.replace("\"bare\":null", "\"bare\":[null]");
        assert!(expected != EVENTS);
        assert_eq!(String::from_utf8(found.stdout.clone()).unwrap(), expected);
        let said = stderr(&found);
        assert!(said.contains("stdin:") && said.contains("is no JSON object"), "{said}");
        let annotated = fed(vector(folder.path(), &[]), EVENTS.as_bytes());
        let annotated = String::from_utf8(annotated.stdout).unwrap();
        for (line, before) in annotated.lines().zip(expected.lines()) {
            let is_event = before.starts_with("{\"log\"") || before.starts_with("{\"trace\"");
            let is_log = (is_event || before.starts_with("{\"event\":{\"log\"")) && !before.contains("},\"metric\":");
            let gets_verdict = is_log && serde_json::from_str::<serde_json::Value>(before).is_ok();
            assert_eq!(line.contains("watchpost"), gets_verdict, "{line}");
            if !gets_verdict {
                assert_eq!(line, before);
            }
        }
    }

    #[test]
    fn a_line_of_ten_megabytes_is_ordinary() {
        let folder = TempDir::new().unwrap();
        let mut bytes = b"{\"log\":{\"message\":\"before\"}}\n{\"log\":{\"message\":\"".to_vec();
        bytes.resize(bytes.len() + 10_000_000, b'x');
        bytes.extend_from_slice(b"\"}}\n{\"log\":{\"message\":\"after\"}}\n");
        let output = fed(vector(folder.path(), &["--verbatim"]), &bytes);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(output.stdout == bytes);
        assert!(stderr(&output).contains("stdin:2: the line is longer than"));

        // Another connection does not come in between.
        let listening = Listening::start(folder.path(), free_address(), &["--verbatim"]);
        let (mut one, mut other) = (connect(listening.address), connect(listening.address));
        let half = bytes.len() / 2;
        let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        one.write_all(&bytes[..first]).unwrap();
        assert_eq!(listening.line(), "{\"log\":{\"message\":\"before\"}}");
        one.write_all(&bytes[first..half]).unwrap();
        other.write_all(b"{\"log\":{\"message\":\"other\"}}\n").unwrap();
        one.write_all(&bytes[half..]).unwrap();
        let mut rest = [listening.line(), listening.line(), listening.line()];
        rest.sort_by_key(|line| (line.len(), line.clone()));
        assert_eq!(
            (rest[0].as_str(), rest[1].as_str()),
            ("{\"log\":{\"message\":\"after\"}}", "{\"log\":{\"message\":\"other\"}}")
        );
        assert_eq!(rest[2].as_bytes(), &bytes[first..bytes.len() - rest[0].len() - 2]);
    }

    #[test]
    fn connections_at_once_keep_their_lines_whole_and_in_order() {
        const LINES: usize = 2000;
        let folder = TempDir::new().unwrap();
        let listening = Listening::start(folder.path(), free_address(), &["--verbatim"]);
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let address = listening.address;
                thread::spawn(move || {
                    let mut stream = connect(address);
                    let text: String = (0..LINES)
                        .map(|n| format!("{{\"log\":{{\"from\":{sender},\"n\":{n},\"message\":\"up\"}}}}\n"))
                        .collect();
                    for chunk in text.as_bytes().chunks(997 + sender) {
                        stream.write_all(chunk).unwrap();
                    }
                })
            })
            .collect();
        let mut next = [0; 4];
        for _ in 0..4 * LINES {
            let event: serde_json::Value = serde_json::from_str(&listening.line()).unwrap();
            let (from, n) = (
                event["log"]["from"].as_u64().unwrap(),
                event["log"]["n"].as_u64().unwrap(),
            );
            let next = &mut next[from as usize];
            assert_eq!(n, *next, "of {from}");
            *next += 1;
        }
        for sender in senders {
            sender.join().unwrap();
        }
    }

    /// A connection may be closed in the middle of a line, and another one follows.
    #[test]
    fn a_connection_that_breaks_loses_no_more_than_its_last_line() {
        let folder = TempDir::new().unwrap();
        let listening = Listening::start(folder.path(), free_address(), &["--verbatim"]);
        let mut first = connect(listening.address);
        first
            .write_all(b"{\"log\":{\"message\":\"whole\"}}\n{\"log\":{\"mess")
            .unwrap();
        drop(first);
        assert_eq!(listening.line(), "{\"log\":{\"message\":\"whole\"}}");
        assert_eq!(listening.line(), "{\"log\":{\"mess");
        let mut second = connect(listening.address);
        second.write_all(b"{\"log\":{\"message\":\"next\"}}\n").unwrap();
        assert_eq!(listening.line(), "{\"log\":{\"message\":\"next\"}}");
    }

    /// Nobody reads: the sender waits, and nothing is lost.
    #[test]
    fn who_does_not_read_stops_who_writes() {
        let folder = TempDir::new().unwrap();
        let address = free_address();
        let listen = address.to_string();
        let mut command = vector(folder.path(), &["--verbatim", "--listen", &listen]);
        command.stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stream = connect(address);
        let line = format!("{{\"log\":{{\"message\":\"{}\"}}}}\n", "x".repeat(1000));
        let all = line.repeat(40_000);
        let (sender, sent) = channel();
        let feeder = thread::spawn(move || {
            let mut stream = stream;
            for chunk in all.as_bytes().chunks(1 << 16) {
                stream.write_all(chunk).unwrap();
                sender.send(chunk.len()).unwrap();
            }
        });
        let mut before = 0;
        while let Ok(count) = sent.recv_timeout(Duration::from_secs(3)) {
            before += count;
        }
        assert!(before < 40_000 * line.len() / 2, "{before} bytes were taken");
        let read = lines(child.stdout.take().unwrap());
        for number in 0..40_000 {
            let found = read.recv_timeout(Duration::from_secs(60)).unwrap();
            assert_eq!(found.len() + 1, line.len(), "line {number}");
        }
        feeder.join().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// The program is killed while events come. The sink, which holds back what it cannot write, connects again; the source
    /// starts the program again; what was under way is lost, and is no more than the pipes between them hold.
    #[test]
    fn a_kill_loses_what_was_under_way_and_no_more() {
        const EVENTS: usize = 6000;
        let folder = TempDir::new().unwrap();
        let address = free_address();
        let arguments = ["--verbatim", "--state", "state", "--save-every=0"];
        let mut listening = Listening::start(folder.path(), address, &arguments);
        let sink = thread::spawn(move || {
            let mut stream = connect(address);
            let mut at = 0;
            while at < EVENTS {
                let event = format!("{{\"log\":{{\"n\":{at},\"message\":\"up\"}}}}\n");
                // What was written is taken for delivered, as the sink does.
                match stream.write_all(event.as_bytes()) {
                    Ok(()) => at += 1,
                    Err(_) => stream = connect(address),
                }
                if at % 20 == 0 {
                    thread::sleep(Duration::from_millis(5));
                }
            }
        });
        let number = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["log"]["n"].as_u64().unwrap() as usize
        };
        let mut seen = Vec::new();
        while seen.len() < 1000 {
            seen.push(number(&listening.line()));
        }
        listening.child.kill().unwrap();
        listening.child.wait().unwrap();
        // What it has written is still read.
        while let Ok(line) = listening.lines.recv() {
            seen.push(number(&line));
        }
        assert!(folder.path().join("state").is_file());
        thread::sleep(Duration::from_secs(1));
        let listening = Listening::start(folder.path(), address, &arguments);
        let deadline = Instant::now() + Duration::from_secs(120);
        while *seen.last().unwrap() != EVENTS - 1 {
            assert!(Instant::now() < deadline, "the last event is {:?}", seen.last());
            seen.push(number(&listening.line()));
        }
        sink.join().unwrap();
        assert!(
            seen.windows(2).all(|pair| pair[0] < pair[1]),
            "in order, and none twice"
        );
        let lost = EVENTS - seen.len();
        println!("lost {lost} of {EVENTS} events by a kill");
        assert!(lost < 2500, "lost {lost}");
    }

    /// Where the stream stands still, and where it ends, the state is saved.
    #[test]
    fn the_state_goes_on() {
        let folder = TempDir::new().unwrap();
        let events = events();
        let half = events[..events.len() / 2]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .unwrap()
            + 1;
        let whole = fed(vector(folder.path(), &["--quiet", "--state", "whole"]), &events);
        let mut parts = Vec::new();
        for part in [&events[..half], &events[half..]] {
            let output = fed(vector(folder.path(), &["--quiet", "--state", "parts"]), part);
            assert!(output.status.success(), "{}", stderr(&output));
            parts.extend_from_slice(&output.stdout);
        }
        // Rows are counted from the start of a run, and metrics do not have them.
        let lines = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let lines = text.lines().filter(|line| line.starts_with("{\"metric\""));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(lines(&parts), lines(&whole.stdout));

        let listening = Listening::start(folder.path(), free_address(), &["--verbatim", "--state", "connected"]);
        let mut stream = connect(listening.address);
        stream.write_all(b"{\"log\":{\"message\":\"up\"}}\n").unwrap();
        listening.line();
        drop(stream);
        let deadline = Instant::now() + Duration::from_secs(30);
        while !folder.path().join("connected").is_file() {
            assert!(Instant::now() < deadline, "nothing was saved");
            thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn verdicts_are_events_of_their_own() {
        let folder = TempDir::new().unwrap();
        let events = events();
        let told = fed(
            native(
                folder.path(),
                &["score", "--quiet", "--input=native-json", "--output=ndjson"],
            ),
            &events,
        );
        let told = String::from_utf8(told.stdout).unwrap();
        assert!(told.lines().count() > 1);
        let logs = fed(vector(folder.path(), &["--quiet", "--emit=log"]), &events);
        let logs = String::from_utf8(logs.stdout).unwrap();
        let mut alarms = 0;
        for line in logs.lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let mut log = event["log"].clone();
            assert!(!log["message"].as_str().unwrap().is_empty());
            log.as_object_mut().unwrap().remove("message");
            let is_it = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap() == log;
            alarms += usize::from(told.lines().any(is_it));
        }
        assert_eq!(alarms, told.lines().count());
        let metrics = fed(vector(folder.path(), &["--quiet", "--emit=metric"]), &events);
        let metrics = String::from_utf8(metrics.stdout).unwrap();
        assert_eq!(metrics.lines().count(), logs.lines().count());
        for line in metrics.lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let metric = &event["metric"];
            let value = metric["gauge"]["value"]
                .as_f64()
                .or(metric["counter"]["value"].as_f64());
            assert!((0.0..=1.0).contains(&value.unwrap()), "{line}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let folder = TempDir::new().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().unwrap().to_string();
        for (arguments, told) in [
            (&["--listen", &taken][..], "cannot listen on"),
            (&["--listen", "localhost"], "--listen"),
            (&["--emit", "log", "--pass", "normal"], "--pass"),
            (&["--field", "a b"], "is no name for a field"),
            (&["--state", "/etc/state"], "--dir"),
        ] {
            let output = fed(vector(folder.path(), arguments), b"");
            let said = stderr(&output);
            // This version of WASI knows success and failure, and no numbers.
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
            assert!(
                said.contains(told) && !said.contains("wasm trap"),
                "{arguments:?}: {said}"
            );
        }
    }

    /// What the plugin's README tells to type, and the commands of its configurations.
    #[test]
    fn the_commands_of_the_readme_and_the_examples_run() {
        let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/vector");
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("events.ndjson"), events()).unwrap();
        run_readme(&plugin.join("README.md"), folder.path(), "WATCHPOST_VECTOR_MODULE");

        fs::copy(
            variable("WATCHPOST_VECTOR_MODULE"),
            folder.path().join("watchpost-vector.wasm"),
        )
        .unwrap();
        for name in ["inline", "tee", "enrichment"] {
            let yaml = fs::read_to_string(plugin.join(format!("examples/{name}.yaml"))).unwrap();
            let start = yaml.find("command: [").unwrap() + "command: [".len();
            let command = &yaml[start..start + yaml[start..].find(']').unwrap()];
            let address = free_address().to_string();
            let parts: Vec<String> = command
                .split(',')
                .map(|part| part.trim().trim_matches('"').replace("127.0.0.1:9471", &address))
                .collect();
            assert_eq!(parts[0], "wasmtime");
            let mut child = Command::new(variable("WATCHPOST_WASMTIME"))
                .args(&parts[1..])
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let listening = Listening {
                lines: lines(child.stdout.take().unwrap()),
                child,
                address: address.parse().unwrap(),
            };
            let mut stream = connect(listening.address);
            stream
                .write_all(&fs::read(folder.path().join("events.ndjson")).unwrap())
                .unwrap();
            let line = listening.line();
            assert!(line.starts_with("{\"log\":{"), "{name}: {line}");
        }
    }
}
