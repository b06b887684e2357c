//! What is asked of Envoy about one exchange. Whatever returns bytes costs about two microseconds, because the host
//! comes back into the module for a place to put them: so little is asked for, and the rest only where it matters.

use std::rc::Rc;

use proxy_wasm::types::MapType;
use watchpost_detector::{Finite, Request, Subject, Timestamp};

use crate::clusters::Clusters;
use crate::host::{self, Bytes, Headers, text_of};
use crate::settings::RouteBy;

/// What Istio calls routes that it was given no name for.
const UNNAMED: &str = "default";

/// Paths are not looked at beyond this.
const MOST_PATH: usize = 1024;

/// What Envoy said; the texts are as it returned them.
pub(crate) struct Exchange {
    asked: Asked,
    route: Bytes,
    upstream: Rc<str>,
    client: Bytes,
    flags: String,
    status: Option<u16>,
    duration: Option<Finite>,
}

/// What was asked for. Where a route has a name, its path says nothing more; and one header is cheaper than all.
enum Asked {
    Method(Bytes),
    Headers(Headers),
    Nothing,
}

impl Exchange {
    /// Reads the exchange that is being logged. `nanos` is how long it took where that is known; Envoy is asked
    /// otherwise.
    pub(crate) fn read(by: RouteBy, nanos: Option<i64>, clusters: &mut Clusters) -> Self {
        let status = host::number("response\0code").and_then(|code| u16::try_from(code).ok());
        let status = status.filter(|status| (100..600).contains(status));
        let nanos = nanos.or_else(|| host::number("request\0duration"));
        // How an exchange failed, and who asked for what does not exist, matters where it did.
        let failed = status.is_none_or(|status| status >= 400);
        let bits = if failed { host::number("response\0flags") } else { None };
        let client = match status {
            Some(400..=499) => host::property("source\0address").unwrap_or_default(),
            _ => Bytes::default(),
        };
        let route = route(by);
        let name = text_of(&route);
        let asked = if named(&route, by).is_some() {
            host::header(MapType::HttpRequestHeaders, ":method").map(Asked::Method)
        } else {
            host::headers(MapType::HttpRequestHeaders).map(Asked::Headers)
        };
        // Where a request failed, the question is with whom.
        let known = if failed || name.is_empty() {
            None
        } else {
            clusters.known(name)
        };
        let upstream = known.unwrap_or_else(|| {
            let asked = host::property("xds\0cluster_name").unwrap_or_default();
            let cluster = text_of(&asked);
            if !name.is_empty() {
                clusters.learn(name, cluster);
            }
            cluster.into()
        });
        Exchange {
            asked: asked.unwrap_or(Asked::Nothing),
            route,
            upstream,
            client,
            flags: flags(bits.unwrap_or(0)),
            status,
            duration: nanos.and_then(|nanos| Finite::new(nanos.max(0) as f64 / 1e6)),
        }
    }

    pub(crate) fn request<'a>(&'a self, time: Timestamp, subject: Subject<'a>, by: RouteBy) -> Request<'a> {
        let [method, path] = match &self.asked {
            Asked::Method(method) => [said(method), None],
            Asked::Headers(headers) => headers.find([":method", ":path"]),
            Asked::Nothing => [None; 2],
        };
        Request {
            time,
            subject,
            method,
            path: path.and_then(|path| path.get(..path.floor_char_boundary(MOST_PATH))),
            route: named(&self.route, by),
            upstream: Some(&*self.upstream).filter(|name| !name.is_empty()),
            client: said(&self.client).map(without_port),
            status: self.status,
            duration: self.duration,
            bytes: None,
            flags: (!self.flags.is_empty()).then_some(&*self.flags),
        }
    }
}

/// What Envoy calls the route, where that is what tells routes apart.
pub(crate) fn route(by: RouteBy) -> Bytes {
    match by {
        RouteBy::Path => Bytes::default(),
        RouteBy::Auto | RouteBy::Name => host::property("xds\0route_name").unwrap_or_default(),
    }
}

/// The name of a route that has one.
pub(crate) fn named(route: &Bytes, by: RouteBy) -> Option<&str> {
    said(route).filter(|name| by == RouteBy::Name || *name != UNNAMED)
}

pub(crate) fn said(bytes: &[u8]) -> Option<&str> {
    Some(text_of(bytes)).filter(|text| !text.is_empty())
}

/// `10.0.0.9` of `10.0.0.9:41234`, and `2001:db8::1` of `[2001:db8::1]:41234`.
fn without_port(address: &str) -> &str {
    if let Some((inside, _)) = address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return inside;
    }
    match address.split_once(':') {
        Some((host, port)) if !port.contains(':') => host,
        _ => address,
    }
}

/// Envoy's response flags by their bits, as its access log names them.
const FLAGS: [&str; 28] = [
    "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC", "URX", "SI", "IH",
    "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO",
];

fn flags(bits: i64) -> String {
    let mut text = String::new();
    for (bit, name) in FLAGS.iter().enumerate() {
        if bits >> bit & 1 == 1 {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(name);
        }
    }
    text
}
