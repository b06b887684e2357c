//! What a VM of the plugin saw, replayed natively, gives the same verdicts to the byte.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use watchpost_detector::{
    Config, Detector, Event, Finite, Label, Report, Request, RowVerdict, State, Subject, Timestamp,
};

use super::admin;
use super::bootstrap::{LISTENER, Listener, Plugin, answered, bootstrap, cluster, route};
use super::lines::{Entry, Seen, journals, lines, verdicts};
use super::live::{check, run};
use super::process::{Envoy, folder, module, until};
use super::site::{Fault, ROUTES, SERVICE};
use super::upstream::{Behaviour, Upstream};

/// Every worker has a detector of its own, which keeps a journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_of_what_the_workers_saw_gives_the_same_verdicts() {
    let run = run("filter", |snapshot| {
        let document = json!({
            "envoy": {"service": SERVICE, "warm_start": {"snapshot": snapshot}, "journal": true},
        });
        (Plugin::new("watchpost", &module(), &document).filter(), Vec::new())
    })
    .await;
    check(&run);
    let (exchanges, alarms) = compare(&run.log, Some(&run.snapshot));
    assert_eq!(exchanges, run.accesses.len(), "the journal has every request once");
    assert!(alarms >= Fault::ALL.len());
    // The access log prints what the journal has, to the byte.
    let lines = lines(&run.log);
    let entries = journals(&lines).into_values().flat_map(|(_, entries)| entries);
    let mut said: Vec<&str> = entries
        .filter_map(|entry| match entry {
            Entry::Exchange(_, verdict) => Some(verdict),
            Entry::Tick(_) => None,
        })
        .collect();
    let mut printed: Vec<&str> = run
        .accesses
        .iter()
        .filter_map(|access| access["verdict"].as_str())
        .collect();
    said.sort_unstable();
    printed.sort_unstable();
    assert_eq!(said, printed);
}

/// What is odd about requests does not get lost on the way: how they failed, who went away, what is not plain text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_of_odd_requests_gives_the_same_verdicts() {
    let upstream = Upstream::start(7).await;
    let module = module();
    let document = json!({"envoy": {"service": SERVICE, "journal": true}});
    let files = folder();
    let listener = Listener::new(vec![
        route("cart", "orders"),
        answered("", "/plain", 200),
        answered("odd", "/odd/", 418),
    ])
    .with_filter(&Plugin::new("watchpost", &module, &document));
    let config = bootstrap(&[listener], &[cluster("orders", upstream.address)], &[]);
    let envoy = Envoy::start(files, &config, 2).await;
    let client = envoy.client(LISTENER).await;
    let status = async |path: &str, from: &str| {
        let answer = client.get(path, Some(from)).await;
        answer.expect("Envoy answers").status
    };
    assert_eq!(status("/cart/1?of=%22me%22", "192.0.2.1").await, 200);
    assert_eq!(status("/plain/of/no/name", "192.0.2.1").await, 200);
    assert_eq!(status("/odd/\"},\"verdict\":{/%ff%00/%e9", "2001:db8::1").await, 418);
    assert_eq!(
        status(&format!("/odd/{}", "%e2%82%ac".repeat(1_200)), "2001:db8::2").await,
        418
    );
    assert_eq!(status("/nowhere", "192.0.2.2").await, 404);
    upstream.set("cart", Behaviour::Hangs);
    assert_eq!(status("/cart/2", "192.0.2.1").await, 504);
    let impatient = tokio::time::timeout(Duration::from_millis(300), client.get("/cart/3", None));
    assert!(impatient.await.is_err(), "it hangs");
    until("Envoy notices that the client has gone", async || {
        envoy.log().contains("\"DC\"").then_some(())
    })
    .await;
    upstream.refuse().await;
    assert_eq!(status("/cart/4", "192.0.2.1").await, 503);
    upstream.accept().await;
    upstream.set("cart", Behaviour::Answers(ROUTES[0].usual));
    assert_eq!(status("/cart/5", "192.0.2.1").await, 200);
    // The last tick hands over what is still to be said.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let log = envoy.log();
    let lines = lines(&log);
    let mut seen = Vec::new();
    for (_, entries) in journals(&lines).into_values() {
        for entry in entries {
            if let Entry::Exchange(of, _) = entry {
                seen.push(of.exchange);
            }
        }
    }
    seen.sort_by_key(|exchange| exchange.time);
    let told: Vec<_> = seen
        .iter()
        .map(|of| {
            (
                of.route.as_deref(),
                of.upstream.as_deref(),
                of.status,
                of.flags.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (Some("cart"), Some("orders"), Some(200), None),
            (None, None, Some(200), None),
            (Some("odd"), None, Some(418), None),
            (Some("odd"), None, Some(418), None),
            (None, None, Some(404), Some("NR")),
            (Some("cart"), Some("orders"), Some(504), Some("UT")),
            (Some("cart"), Some("orders"), None, Some("DC")),
            (Some("cart"), Some("orders"), Some(503), Some("UF")),
            (Some("cart"), Some("orders"), Some(200), None),
        ]
    );
    let clients: Vec<_> = seen.iter().map(|of| of.client.as_deref()).collect();
    assert_eq!(
        clients[4],
        Some("192.0.2.2"),
        "who asks for what does not exist is told"
    );
    assert_eq!(clients[2], Some("2001:db8::1"));
    assert_eq!(compare(&log, None).0, 9);
}

/// What clients send that mean harm, or are broken.
const BROKEN: &[&[u8]] = &[
    b"GET /cart/1 HTTP/1.0\r\n\r\n",
    b"GET /cart/1 HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"nonsense\r\n\r\n",
    b"CONNECT shop:443 HTTP/1.1\r\nhost: shop:443\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: shop\r\n\r\n",
    b"GET http://elsewhere/cart/1 HTTP/1.1\r\nhost: shop\r\n\r\n",
    b"HEAD /cart/1 HTTP/1.1\r\nhost: shop\r\n\r\n",
    b"MADEUPMETHOD /cart/1 HTTP/1.1\r\nhost: shop\r\n\r\n",
    b"POST /cart/1 HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nend: 1\r\n\r\n",
    b"POST /cart/1 HTTP/1.1\r\nhost: shop\r\ncontent-length: 9\r\n\r\nabc",
    b"POST /cart/1 HTTP/1.1\r\nhost: shop\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\nabc",
    b"GET /cart/1 HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    b"GET /cart/1 HTTP/1.1\r\nhost: shop\r\nx-bytes: \xff\xfe\x80\r\n\r\n",
    b"GET /cart/1 HTTP/1.1\r\nhost: \xff\r\nx-forwarded-for: not an address\r\n\r\n",
    b"GET /%2e%2e/%2f/..;/%c0%af?%00#x HTTP/1.1\r\nhost: shop\r\nx-forwarded-for: ::1, [::1]:9, 1.2.3\r\n\r\n",
    b"GET /a HTTP/1.1\r\nhost: shop\r\n\r\nGET /b HTTP/1.1\r\nhost: shop\r\n\r\nGET /cart/1 HTTP/1.1\r\nhost: shop\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x04\x00\x00\x00\x01\x82\x84\x87",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_requests_do_no_harm() {
    let upstream = Upstream::start(7).await;
    let module = module();
    let document = json!({
        "envoy": {"service": SERVICE, "journal": true, "response_header": "x-watchpost"},
    });
    let listener =
        Listener::new(vec![route("cart", "orders")]).with_filter(&Plugin::new("watchpost", &module, &document));
    let config = bootstrap(&[listener], &[cluster("orders", upstream.address)], &[]);
    let envoy = Envoy::start(folder(), &config, 2).await;
    let client = envoy.client(LISTENER).await;
    for bytes in BROKEN {
        let mut stream = TcpStream::connect(client.address).await.expect("Envoy listens");
        stream.write_all(bytes).await.expect("Envoy reads");
        // It answers or closes, or waits for more; then this end closes.
        let mut answer = [0; 1024];
        let _ = tokio::time::timeout(Duration::from_millis(300), stream.read(&mut answer)).await;
    }
    let beats = async || admin::metrics(envoy.admin()).await.sum("watchpost_heartbeat", &[]);
    let before = beats().await;
    until("all three VMs are alive", async || {
        (beats().await >= before + 9.0).then_some(())
    })
    .await;
    let answer = client.get("/cart/1", None).await.expect("Envoy answers");
    assert_eq!((answer.status, answer.headers.contains_key("x-watchpost")), (200, true));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let metrics = admin::metrics(envoy.admin()).await;
    assert_eq!(metrics.sum("watchpost_errors", &[]), 0.0);
    let (exchanges, _) = compare(&envoy.log(), None);
    println!("{} broken requests made {exchanges} exchanges", BROKEN.len());
    assert_eq!(metrics.sum("watchpost_requests", &[]), exchanges as f64);
}

/// Replays all journals of a log, and compares what was said of every exchange and all verdicts; says how many of
/// both there were.
pub(super) fn compare(log: &str, snapshot: Option<&[u8]>) -> (usize, usize) {
    let lines = lines(log);
    let mut logged: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for verdict in verdicts(&lines) {
        logged
            .entry(verdict.line.thread)
            .or_default()
            .push(verdict.line.message);
    }
    let mut exchanges = 0;
    let mut alarms = 0;
    for (vm, (thread, entries)) in journals(&lines) {
        let mut replay = Replay::new(snapshot);
        for entry in &entries {
            match entry {
                Entry::Tick(now) => replay.tick(*now),
                Entry::Exchange(seen, verdict) => {
                    exchanges += 1;
                    assert_eq!(
                        replay.exchange(seen),
                        *verdict,
                        "VM {vm} said something else of {seen:?}"
                    );
                }
            }
        }
        let logged = logged.remove(&thread).unwrap_or_default();
        alarms += logged.len();
        assert_eq!(replay.anomalies, logged, "VM {vm} wrote other verdicts");
    }
    assert!(logged.is_empty(), "verdicts of threads without a journal: {logged:?}");
    println!("replayed {exchanges} exchanges and {alarms} verdicts of all workers: the same bytes");
    (exchanges, alarms)
}

/// The detector natively, fed as the plugin feeds it.
struct Replay {
    detector: Detector,
    row: u64,
    anomalies: Vec<String>,
}

impl Replay {
    fn new(snapshot: Option<&[u8]>) -> Self {
        let config = Config::default();
        let mut detector = match snapshot {
            Some(snapshot) => Detector::restore(config, snapshot).expect("the plugin took it as well"),
            None => Detector::new(config),
        };
        detector.begin_input();
        Replay {
            row: detector.status().events,
            detector,
            anomalies: Vec::new(),
        }
    }

    fn tick(&mut self, now: Timestamp) {
        let mut reports = Vec::new();
        self.detector.tick(now, &mut reports);
        self.report(&reports);
    }

    fn exchange(&mut self, seen: &Seen) -> String {
        let exchange = &seen.exchange;
        let label = |value| Label { name: "service", value };
        let mut labels: Vec<Label<'_>> = seen.service.as_deref().map(label).into_iter().collect();
        let request = Request {
            time: exchange.time,
            subject: Subject::new(&mut labels),
            method: exchange.method.as_deref(),
            path: exchange.path.as_deref(),
            route: exchange.route.as_deref(),
            upstream: exchange.upstream.as_deref(),
            client: exchange.client.as_deref(),
            status: exchange.status,
            duration: exchange.duration.and_then(Finite::new),
            bytes: exchange.bytes.and_then(Finite::new),
            flags: exchange.flags.as_deref(),
        };
        let mut reports = Vec::new();
        let verdict = self.detector.observe(&Event::Request(request), &mut reports);
        self.report(&reports);
        let row = RowVerdict {
            row: self.row,
            score: verdict.score(),
            surprise: verdict.surprise,
            anomaly: verdict.state.is_anomalous(),
            onset: verdict.state == State::Anomalous { onset: true },
            template: None,
            template_id: None,
        };
        self.row += 1;
        serde_json::to_string(&row).expect("a verdict is JSON")
    }

    fn report(&mut self, reports: &[Report]) {
        for report in reports {
            if let Report::Anomaly(anomaly) = report {
                self.anomalies
                    .push(serde_json::to_string(anomaly).expect("a verdict is JSON"));
            }
        }
    }
}
