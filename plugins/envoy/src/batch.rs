//! Exchanges on their way from the workers to the service: the service's label, then one after the other.

use watchpost_detector::Request;

use crate::host;
use crate::metrics::Metrics;

/// The name of the queue, in the VM id of the service.
pub(crate) const QUEUE: &str = "watchpost.exchanges";

/// A batch is sent when it is this large, or when a second has passed.
const LARGE: usize = 64 << 10;

/// So much is kept for a service that has not spoken yet.
const MOST: usize = 1 << 20;

/// What is known of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// It has not spoken yet: it is being made, perhaps.
    Expected,
    Reads,
    /// It has spoken and does no more. A queue that nobody reads would grow for ever.
    Silent,
}

/// What a worker has seen since it sent its last batch.
pub(crate) struct Batch {
    /// The VM that has the queue.
    to: String,
    queue: Option<u32>,
    service: Option<String>,
    bytes: Vec<u8>,
    requests: u64,
}

impl Batch {
    pub(crate) fn new(to: String, service: Option<String>) -> Self {
        Batch {
            to,
            queue: None,
            service,
            bytes: Vec::new(),
            requests: 0,
        }
    }

    /// Adds an exchange.
    pub(crate) fn add(&mut self, request: &Request<'_>, service: Service, metrics: &mut Metrics) {
        if self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            self.bytes = postcard::to_extend(&self.service.as_deref(), bytes).unwrap_or_default();
        }
        let bytes = std::mem::take(&mut self.bytes);
        // Writing to a Vec cannot fail, and neither can writing down a request.
        self.bytes = postcard::to_extend(request, bytes).unwrap_or_default();
        self.requests += 1;
        if self.bytes.len() >= LARGE {
            self.send(service, metrics);
        }
    }

    pub(crate) fn send(&mut self, service: Service, metrics: &mut Metrics) {
        if self.bytes.is_empty() || service == Service::Expected && self.bytes.len() < MOST {
            return;
        }
        if self.queue.is_none() {
            self.queue = host::resolve_queue(&self.to, QUEUE).ok();
        }
        let sent = match self.queue {
            Some(queue) if service == Service::Reads => host::enqueue(queue, &self.bytes).is_ok(),
            _ => false,
        };
        if !sent {
            // A service that was made anew has another queue.
            self.queue = None;
            metrics.count("watchpost_dropped", &[("of", "queue")], self.requests);
        }
        self.bytes.clear();
        self.requests = 0;
    }
}

/// Reads a batch: the label, and each exchange. What cannot be read ends it.
pub(crate) fn read(bytes: &[u8], mut each: impl FnMut(Option<&str>, &Request<'_>)) -> Result<(), postcard::Error> {
    let (service, mut rest) = postcard::take_from_bytes::<Option<&str>>(bytes)?;
    while !rest.is_empty() {
        let (request, after) = postcard::take_from_bytes::<Request<'_>>(rest)?;
        each(service, &request);
        rest = after;
    }
    Ok(())
}
