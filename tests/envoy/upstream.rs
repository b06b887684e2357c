//! The services behind Envoy: as slow and as faulty as a test wants them, from one moment to the next.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::site::{Usual, duration};
use crate::random::Random;

/// A server that answers every path.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    routes: Arc<Routes>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

/// What a route does; paths begin with the name of their route.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Behaviour {
    Answers(Usual),
    /// Answers at once, with this body.
    Gives(Bytes),
    /// Takes the request and never says anything.
    Hangs,
}

#[derive(Debug)]
struct Routes {
    by_name: Mutex<HashMap<String, Behaviour>>,
    random: Mutex<Random>,
    posted: Mutex<Vec<Posted>>,
}

/// What was sent here.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Posted {
    pub(super) path: String,
    pub(super) kind: String,
    pub(super) body: Bytes,
}

/// What a route does that nobody has said anything about: it answers at once.
const AT_ONCE: Usual = Usual {
    median: 0.0,
    spread: 0.0,
    errors: 0.0,
};

impl Upstream {
    pub(super) async fn start(seed: u64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let routes = Arc::new(Routes {
            by_name: Mutex::default(),
            random: Mutex::new(Random::new(seed)),
            posted: Mutex::default(),
        });
        Upstream {
            address: listener.local_addr().expect("it is bound"),
            accepting: Mutex::new(Some(tokio::spawn(accept(listener, routes.clone())))),
            routes,
        }
    }

    pub(super) fn set(&self, route: &str, behaviour: Behaviour) {
        let mut routes = self.routes.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        routes.insert(route.to_owned(), behaviour);
    }

    /// What was sent here so far, in the order in which it came.
    pub(super) fn posted(&self) -> Vec<Posted> {
        let posted = self.routes.posted.lock().unwrap_or_else(PoisonError::into_inner);
        posted.clone()
    }

    /// Closes its port and its connections: whoever comes now is refused.
    pub(super) async fn refuse(&self) {
        let accepting = self.accepting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(accepting) = accepting {
            accepting.abort();
            // It ends by being aborted, and says so.
            let _ = accepting.await;
        }
    }

    /// Is there again after it has refused.
    pub(super) async fn accept(&self) {
        let listener = TcpListener::bind(self.address).await.expect("the port is still free");
        let accepting = tokio::spawn(accept(listener, self.routes.clone()));
        *self.accepting.lock().unwrap_or_else(PoisonError::into_inner) = Some(accepting);
    }
}

async fn accept(listener: TcpListener, routes: Arc<Routes>) {
    // The connections go with the listener.
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a socket that listens accepts");
        while connections.try_join_next().is_some() {}
        let routes = routes.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(routes.clone(), request));
            // Envoy closes connections as it likes.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(routes: Arc<Routes>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let name = request.uri().path().split('/').nth(1).unwrap_or_default();
    let behaviour = {
        let routes = routes.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        routes.get(name).cloned().unwrap_or(Behaviour::Answers(AT_ONCE))
    };
    if request.method() == Method::POST {
        keep(&routes, request).await;
    }
    let usual = match behaviour {
        Behaviour::Answers(usual) => usual,
        Behaviour::Gives(body) => return Ok(Response::new(Full::from(body))),
        Behaviour::Hangs => return pending().await,
    };
    let (fails, took) = {
        let mut random = routes.random.lock().unwrap_or_else(PoisonError::into_inner);
        (random.unit() < usual.errors, duration(&usual, &mut random))
    };
    if took > 0.0 {
        tokio::time::sleep(Duration::from_secs_f64(took / 1e3)).await;
    }
    let mut response = Response::new(Full::from(Bytes::from_static(b"done\n")));
    if fails {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}

async fn keep(routes: &Routes, request: Request<Incoming>) {
    let path = request.uri().path().to_owned();
    let kind = request.headers().get("content-type");
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    // What Envoy breaks off was not sent.
    if let Ok(body) = request.into_body().collect().await {
        let body = body.to_bytes();
        let mut posted = routes.posted.lock().unwrap_or_else(PoisonError::into_inner);
        posted.push(Posted { path, kind, body });
    }
}
