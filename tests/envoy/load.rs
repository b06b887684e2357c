//! Who asks: single requests, and requests that keep coming as they do from many people.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Method, Request};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::site::{Fault, ROUTES, SCANNER, SCANS, STRAYS, client, gap, under};
use crate::random::Random;

/// A client of one address, which keeps its connections.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    pub(super) address: SocketAddr,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Client {
            pool: Pool::builder(TokioExecutor::new()).build_http(),
            address,
        }
    }

    /// Asks for a path, on behalf of a client with this address.
    pub(super) async fn get(&self, path: &str, from: Option<&str>) -> Result<Answer, String> {
        self.ask(Method::GET, path, from).await
    }

    pub(super) async fn post(&self, path: &str) -> Result<Answer, String> {
        self.ask(Method::POST, path, None).await
    }

    async fn ask(&self, method: Method, path: &str, from: Option<&str>) -> Result<Answer, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        if let Some(from) = from {
            request = request.header("x-forwarded-for", from);
        }
        let request = request
            .body(Full::default())
            .map_err(|error| format!("{path}: {error}"))?;
        let answer = self
            .pool
            .request(request)
            .await
            .map_err(|error| format!("{path}: {error:?}"))?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(|error| format!("{path}: {error}"))?;
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.to_bytes(),
        })
    }
}

/// Requests to all routes of the site as they come from many clients (Poisson arrivals), until it is stopped.
#[derive(Debug)]
pub(super) struct Load {
    shared: Arc<Shared>,
    sources: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    faults: Mutex<Vec<Fault>>,
    tally: Mutex<Tally>,
    over: AtomicBool,
}

impl Shared {
    /// How many requests of this source come in a second; nothing when it is over.
    fn rate(&self, source: usize) -> Option<f64> {
        if self.over.load(Ordering::Relaxed) {
            return None;
        }
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        Some(match ROUTES.get(source) {
            Some(route) => under(&faults, route).0,
            None if source == ROUTES.len() => STRAYS,
            None if faults.contains(&Fault::Scan) => SCANS,
            None => 0.0,
        })
    }
}

/// How often each route was answered with which status; 0 is a broken connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(pub(super) BTreeMap<(String, u16), u64>);

impl Tally {
    pub(super) fn all(&self) -> u64 {
        self.0.values().sum()
    }
}

impl Load {
    pub(super) fn start(client: &Client, seed: u64) -> Self {
        let shared = Arc::new(Shared::default());
        let sources = (0..ROUTES.len() + 2)
            .map(|source| tokio::spawn(keep_asking(client.clone(), shared.clone(), source, seed)))
            .collect();
        Load { shared, sources }
    }

    /// What is wrong with those who ask: who is silent, and who scans.
    pub(super) fn set(&self, faults: &[Fault]) {
        *self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults.to_vec();
    }

    /// Asks no more, and waits for the answers to what was asked.
    pub(super) async fn stop(self) -> Tally {
        self.shared.over.store(true, Ordering::Relaxed);
        for source in self.sources {
            source.await.expect("it asks and counts");
        }
        let tally = self.shared.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.clone()
    }
}

/// Asks as fast as it can, so many requests over so many connections at once, and counts the answers by their status.
pub(super) async fn flood(
    client: &Client,
    connections: u64,
    requests: Range<u64>,
    path: fn(u64) -> String,
) -> BTreeMap<u16, u64> {
    let mut open = JoinSet::new();
    for connection in 0..connections {
        let numbers = requests.clone().skip(connection as usize).step_by(connections as usize);
        let address = client.address;
        open.spawn(async move {
            let stream = TcpStream::connect(address).await.expect("Envoy listens");
            stream.set_nodelay(true).expect("a socket of our own");
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("Envoy speaks HTTP");
            // It ends with the sender.
            let connection = tokio::spawn(connection);
            let mut tally = BTreeMap::new();
            for number in numbers {
                let request = Request::builder()
                    .uri(path(number))
                    .header("host", "shop")
                    .header("x-forwarded-for", format!("198.51.100.{}", number % 250))
                    .body(Empty::<Bytes>::new())
                    .expect("a path is a path");
                let answer = sender.send_request(request).await.expect("Envoy answers");
                *tally.entry(answer.status().as_u16()).or_insert(0) += 1;
                let mut body = answer.into_body();
                while let Some(frame) = body.frame().await {
                    frame.expect("Envoy answers to the end");
                }
                sender.ready().await.expect("Envoy keeps the connection");
            }
            drop(sender);
            connection
                .await
                .expect("it does not panic")
                .expect("it is closed in order");
            tally
        });
    }
    let mut all = BTreeMap::new();
    while let Some(tally) = open.join_next().await {
        for (status, count) in tally.expect("no request fails") {
            *all.entry(status).or_insert(0) += count;
        }
    }
    all
}

async fn keep_asking(http: Client, shared: Arc<Shared>, source: usize, seed: u64) {
    let mut random = Random::new(seed * 1_000 + source as u64);
    let mut open = JoinSet::new();
    let mut next = Instant::now();
    while let Some(rate) = shared.rate(source) {
        while open.try_join_next().is_some() {}
        let now = Instant::now();
        if rate == 0.0 {
            next = now + MOST_SLEEP;
        } else {
            next += Duration::from_secs_f64(gap(rate, &mut random));
        }
        // What it does may change while it waits.
        while Instant::now() < next && shared.rate(source) == Some(rate) {
            sleep_until(next.min(Instant::now() + MOST_SLEEP)).await;
        }
        if shared.rate(source) != Some(rate) || rate == 0.0 {
            next = Instant::now();
            continue;
        }
        let number = random.below(1 << 40);
        let (name, path) = match ROUTES.get(source) {
            Some(route) => (route.name, format!("/{}/{number}", route.name)),
            None => ("", format!("/{number:x}.php")),
        };
        let from = if source > ROUTES.len() {
            SCANNER.to_owned()
        } else {
            client(&mut random)
        };
        let (http, shared) = (http.clone(), shared.clone());
        open.spawn(async move {
            let status = http.get(&path, Some(&from)).await.map_or(0, |answer| answer.status);
            let mut tally = shared.tally.lock().unwrap_or_else(PoisonError::into_inner);
            *tally.0.entry((name.to_owned(), status)).or_insert(0) += 1;
        });
    }
    while open.join_next().await.is_some() {}
}

/// So soon a source sees that something has changed.
const MOST_SLEEP: Duration = Duration::from_millis(500);
