//! Who stands on both sides: a downstream that does what a test wants, the program, and an upstream.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use tokio::sync::{Semaphore, oneshot};
use tonic::body::Body;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::UnaryService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};

use super::wire;

/// Messages as bytes.
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}

/// A `vector` source. It takes every batch, unless it is told to do something else with the next ones.
#[derive(Clone)]
pub(crate) struct Downstream {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    taken: Mutex<Vec<Bytes>>,
    /// How the taken ones were packed.
    packings: Mutex<Vec<Option<String>>>,
    answers: Mutex<VecDeque<Code>>,
    /// Each batch takes one of them; there are plenty unless batches are held.
    gate: Semaphore,
    waiting: AtomicUsize,
    most_waiting: AtomicUsize,
    health: AtomicUsize,
    end: Mutex<Option<oneshot::Sender<()>>>,
}

impl Downstream {
    pub(crate) fn new() -> Self {
        Downstream::at("127.0.0.1:0".parse().unwrap())
    }

    pub(crate) fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel();
        let inner = Arc::new(Inner {
            taken: Mutex::default(),
            packings: Mutex::default(),
            answers: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            waiting: AtomicUsize::new(0),
            most_waiting: AtomicUsize::new(0),
            health: AtomicUsize::new(0),
            end: Mutex::new(Some(end)),
        });
        let downstream = Downstream { address, inner };
        let service = downstream.clone();
        // On one thread batches are taken in the order in which they come.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::spawn(Server::builder().serve_with_incoming(service, TcpIncoming::from(listener)));
                let _: Result<(), _> = ended.await;
            });
        });
        downstream
    }

    /// Answers the next batches so and does not take them.
    pub(crate) fn answer(&self, codes: &[Code]) {
        self.inner.answers.lock().unwrap().extend(codes);
    }

    /// Holds all batches until they are let go.
    pub(crate) fn hold(&self) {
        self.inner.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn let_go(&self, batches: usize) {
        self.inner.gate.add_permits(batches);
    }

    /// Batches that are being held.
    pub(crate) fn waiting(&self) -> usize {
        self.inner.waiting.load(Ordering::SeqCst)
    }

    pub(crate) fn most_waiting(&self) -> usize {
        self.inner.most_waiting.load(Ordering::SeqCst)
    }

    pub(crate) fn be_unhealthy(&self) {
        self.inner.health.store(1, Ordering::SeqCst);
    }

    /// The batches that it took, in order.
    pub(crate) fn taken(&self) -> Vec<Bytes> {
        self.inner.taken.lock().unwrap().clone()
    }

    pub(crate) fn packings(&self) -> Vec<Option<String>> {
        self.inner.packings.lock().unwrap().clone()
    }

    /// The logs and traces that it took, in JSON.
    pub(crate) fn objects(&self) -> Vec<serde_json::Map<String, serde_json::Value>> {
        let batches = self.taken();
        let events = batches.iter().flat_map(|batch| wire::fields(batch));
        events
            .map(|(_, event)| wire::object(wire::fields(event)[0].1))
            .collect()
    }

    /// Goes away in the middle of everything.
    pub(crate) fn stop(&self) {
        self.inner.end.lock().unwrap().take();
    }

    async fn push(self, batch: Bytes, packing: Option<String>) -> Result<Response<Bytes>, Status> {
        let inner = &self.inner;
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let waiting = inner.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        let _waiting = Waiting(&inner.waiting);
        inner.most_waiting.fetch_max(waiting, Ordering::SeqCst);
        inner.gate.acquire().await.unwrap().forget();
        if let Some(code) = inner.answers.lock().unwrap().pop_front() {
            return Err(Status::new(code, "said the downstream"));
        }
        inner.taken.lock().unwrap().push(batch);
        inner.packings.lock().unwrap().push(packing);
        Ok(Response::new(Bytes::new()))
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Status>> + Send>>;

struct Push(Downstream);

impl UnaryService<Bytes> for Push {
    type Response = Bytes;
    type Future = Answer;

    fn call(&mut self, request: Request<Bytes>) -> Answer {
        let packing = request.metadata().get("grpc-encoding");
        let packing = packing.map(|packing| packing.to_str().unwrap().to_owned());
        Box::pin(self.0.clone().push(request.into_inner(), packing))
    }
}

struct Health(Downstream);

impl UnaryService<Bytes> for Health {
    type Response = Bytes;
    type Future = Answer;

    fn call(&mut self, _: Request<Bytes>) -> Answer {
        let answer = match self.0.inner.health.load(Ordering::SeqCst) {
            // Serving is 0, which is not written.
            0 => Vec::new(),
            status => wire::int(1, status as u64),
        };
        Box::pin(async { Ok(Response::new(answer.into())) })
    }
}

impl tower_service::Service<http::Request<Body>> for Downstream {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Raw)
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(usize::MAX);
            Ok(match request.uri().path() {
                "/vector.Vector/PushEvents" => grpc.unary(Push(this), request).await,
                "/vector.Vector/HealthCheck" => grpc.unary(Health(this), request).await,
                path => panic!("{path}"),
            })
        })
    }
}

/// The program, which is ended when it is dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    said: Option<JoinHandle<String>>,
}

impl Program {
    pub(crate) fn start(downstream: SocketAddr, arguments: &[&str]) -> Self {
        Program::at("127.0.0.1:0".parse().unwrap(), downstream, arguments)
    }

    pub(crate) fn at(listen: SocketAddr, downstream: SocketAddr, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_watchpost"))
            .args(["vector", "--listen", &listen.to_string()])
            .args(["--forward", &downstream.to_string()])
            .args(arguments)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").and_then(|rest| rest.split_once(','));
        let address = address.map(|(address, _)| address.parse().unwrap());
        let Some(address) = address else {
            stderr.read_to_string(&mut line).unwrap();
            panic!("{line}");
        };
        let said = std::thread::spawn(move || {
            let mut said = String::new();
            stderr.read_to_string(&mut said).unwrap();
            said
        });
        Program {
            child,
            address,
            said: Some(said),
        }
    }

    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it cleanly; returns how it ended and what it said.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        self.terminate();
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.said.take().unwrap().join().unwrap())
    }

    /// Ends it as a crash does.
    pub(crate) fn crash(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A `vector` sink, as far as it sends and hears.
#[derive(Clone)]
pub(crate) struct Upstream {
    channel: Channel,
    packing: Option<CompressionEncoding>,
}

impl Upstream {
    pub(crate) fn of(program: &Program) -> Self {
        let uri = format!("http://{}", program.address);
        Upstream {
            channel: Channel::from_shared(uri).unwrap().connect_lazy(),
            packing: None,
        }
    }

    pub(crate) fn packing(self, packing: CompressionEncoding) -> Self {
        Upstream {
            packing: Some(packing),
            ..self
        }
    }

    pub(crate) async fn push(&self, batch: impl Into<Bytes>) -> Result<(), Status> {
        let answer = self.call("/vector.Vector/PushEvents", batch.into()).await?;
        assert!(answer.is_empty());
        Ok(())
    }

    /// Whether it says that it is serving.
    pub(crate) async fn is_healthy(&self) -> bool {
        self.call("/vector.Vector/HealthCheck", Bytes::new())
            .await
            .unwrap()
            .is_empty()
    }

    pub(crate) async fn call(&self, path: &'static str, message: Bytes) -> Result<Bytes, Status> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        if let Some(packing) = self.packing {
            client = client.send_compressed(packing);
        }
        client.ready().await.map_err(|error| Status::from_error(error.into()))?;
        let answer = client
            .unary(Request::new(message), PathAndQuery::from_static(path), Raw)
            .await?;
        Ok(answer.into_inner())
    }
}
