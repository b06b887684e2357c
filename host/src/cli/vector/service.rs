//! The two sides of the wire: a server for a `vector` sink, and a client of a `vector` source.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use prost::Message;
use tokio::sync::Semaphore;
use tonic::body::Body;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::UnaryService;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use super::judge::Desk;
use super::schema::{HealthCheckResponse, ServingStatus};

const PUSH_EVENTS: &str = "/vector.Vector/PushEvents";
const HEALTH_CHECK: &str = "/vector.Vector/HealthCheck";

/// So many batches are judged, delivered and waited for at once; those that come then wait unread in their sockets.
pub(super) const IN_FLIGHT: usize = 16;

/// A downstream that does not answer for so long is not healthy.
const HEALTH_PATIENCE: Duration = Duration::from_secs(5);

/// Takes batches, has them judged, and answers when they are delivered.
#[derive(Clone)]
pub(super) struct Bridge {
    desk: Desk,
    downstream: Channel,
    permits: Arc<Semaphore>,
    largest: usize,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Status>> + Send>>;

impl Bridge {
    /// Batches may have so many bytes once they are unpacked.
    pub(super) fn new(desk: Desk, downstream: Channel, largest: usize) -> Self {
        Bridge {
            desk,
            downstream,
            permits: Arc::new(Semaphore::new(IN_FLIGHT)),
            largest,
        }
    }

    /// Judges a batch and delivers it. When nobody waits for the answer any more, this is dropped wherever it stands,
    /// and so is the call to the downstream.
    async fn push(self, batch: Bytes, packed: bool) -> Result<Response<Bytes>, Status> {
        let judged = self.desk.judge(batch).await?;
        let answer = match judged.outgoing() {
            // Nothing of it is passed on.
            outgoing if outgoing.is_empty() => Ok(Response::new(Bytes::new())),
            outgoing => self.call(PUSH_EVENTS, outgoing, packed).await,
        };
        match &answer {
            Ok(_) => judged.delivered(),
            Err(status) if is_final(status.code()) => judged.refused(),
            // It comes again, so what was said of it is kept.
            Err(status) => judged.failed(status),
        }
        answer
    }

    async fn health(self) -> Response<Bytes> {
        let asked = tokio::time::timeout(HEALTH_PATIENCE, self.call(HEALTH_CHECK, Bytes::new(), false)).await;
        let answer = asked.ok().and_then(Result::ok);
        let health = answer.and_then(|answer| HealthCheckResponse::decode(answer.into_inner()).ok());
        let status = match health.map(|health| health.status()) {
            Some(ServingStatus::Serving) => ServingStatus::Serving,
            Some(ServingStatus::NotServing) | None => ServingStatus::NotServing,
        };
        let status = i32::from(status);
        Response::new(HealthCheckResponse { status }.encode_to_vec().into())
    }

    async fn call(&self, path: &'static str, message: Bytes, packed: bool) -> Result<Response<Bytes>, Status> {
        let mut client = tonic::client::Grpc::new(self.downstream.clone());
        if packed {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        let ready = client.ready().await;
        ready.map_err(|error| handed_back(&Status::from_error(error.into())))?;
        let answer = client
            .unary(Request::new(message), PathAndQuery::from_static(path), Raw)
            .await;
        // Headers are about the connection that they came over.
        answer
            .map(|answer| Response::new(answer.into_inner()))
            .map_err(|status| handed_back(&status))
    }
}

/// What the upstream is told when the downstream did not take a batch. What the downstream said is handed back as it
/// said it; when it could not be reached, or went away, the batch has to come again.
fn handed_back(status: &Status) -> Status {
    match status.source() {
        Some(source) => Status::unavailable(format!("the downstream cannot be reached: {}", innermost(source))),
        None => Status::with_details(
            status.code(),
            status.message(),
            Bytes::copy_from_slice(status.details()),
        ),
    }
}

fn innermost<'a>(mut error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// Whether Vector's sink drops a batch after this answer; after every other it sends it again.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::NotFound
            | Code::InvalidArgument
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated
            | Code::DataLoss
    )
}

impl tower_service::Service<http::Request<Body>> for Bridge {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let bridge = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Raw)
                .accept_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Zstd)
                .max_decoding_message_size(bridge.largest);
            Ok(match request.uri().path() {
                PUSH_EVENTS => {
                    let permits = Arc::clone(&bridge.permits);
                    // It is never closed, and the batch is not read before.
                    let _permit = permits.acquire().await;
                    grpc.unary(Push(bridge), request).await
                }
                HEALTH_CHECK => grpc.unary(Health(bridge), request).await,
                path => Status::unimplemented(format!("there is no method {path}")).into_http(),
            })
        })
    }
}

struct Push(Bridge);

impl UnaryService<Bytes> for Push {
    type Response = Bytes;
    type Future = Answer;

    fn call(&mut self, request: Request<Bytes>) -> Answer {
        let packing = request.metadata().get("grpc-encoding");
        let packed = packing.is_some_and(|packing| packing != "identity");
        Box::pin(self.0.clone().push(request.into_inner(), packed))
    }
}

struct Health(Bridge);

impl UnaryService<Bytes> for Health {
    type Response = Bytes;
    type Future = Answer;

    fn call(&mut self, _: Request<Bytes>) -> Answer {
        let health = self.0.clone().health();
        Box::pin(async { Ok(health.await) })
    }
}

/// Messages stay the bytes that they are.
struct Raw;

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
