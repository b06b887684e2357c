//! What is measured.

use crate::host;

/// Some calls, and what they are called in the table.
pub(crate) struct Sequence {
    pub(crate) name: &'static str,
    calls: &'static [Call],
}

enum Call {
    Property(&'static [u8]),
    Headers(u32),
    Header(u32, &'static [u8]),
    /// An index of [`EXPRESSIONS`].
    Expression(usize),
    SetProperty(&'static [u8]),
    Count,
    Enqueue,
    Share,
    LogBelowLevel,
}

use Call::{Count, Enqueue, Expression, Header, Headers, LogBelowLevel, Property, SetProperty, Share};

const REQUEST: u32 = 0;
const RESPONSE: u32 = 2;

const ROUTE: Call = Property(b"xds\0route_name");
const CODE: Call = Property(b"response\0code");
const DURATION: Call = Property(b"request\0duration");
const FLAGS: Call = Property(b"response\0flags");
const METHOD: Call = Property(b"request\0method");
const PATH: Call = Property(b"request\0path");
const CLUSTER: Call = Property(b"xds\0cluster_name");
const SOURCE: Call = Property(b"source\0address");
const UPSTREAM: Call = Property(b"upstream\0address");

/// One attribute that is absent makes the whole evaluation fail: only what a finished proxied request has.
const EXPRESSIONS: [&str; 8] = [
    "response.code",
    "[xds.route_name, response.code]",
    "[xds.route_name, response.code, request.duration]",
    "[xds.route_name, response.code, request.duration, response.flags]",
    "[xds.route_name, response.code, request.duration, response.flags, request.method]",
    "[xds.route_name, response.code, request.duration, response.flags, request.method, request.path]",
    "[xds.route_name, response.code, request.duration, response.flags, request.method, request.path, \
      xds.cluster_name, source.address]",
    "[xds.route_name, has(response.code) ? response.code : 0, request.duration, response.flags, request.method, \
      request.path, has(xds.cluster_name) ? xds.cluster_name : '', source.address]",
];

/// As long as the verdict on a row.
const VERDICT: &[u8] = br#"{"row":123456,"score":0.512,"surprise":1.25,"anomaly":false}"#;

#[rustfmt::skip]
pub(crate) const SEQUENCES: [Sequence; 37] = [
    Sequence { name: "nothing", calls: &[] },
    Sequence { name: "property xds.route_name", calls: &[ROUTE] },
    Sequence { name: "property response.code", calls: &[CODE] },
    Sequence { name: "property request.duration", calls: &[DURATION] },
    Sequence { name: "property response.flags", calls: &[FLAGS] },
    Sequence { name: "property request.method", calls: &[METHOD] },
    Sequence { name: "property request.path", calls: &[PATH] },
    Sequence { name: "property xds.cluster_name", calls: &[CLUSTER] },
    Sequence { name: "property source.address", calls: &[SOURCE] },
    Sequence { name: "property upstream.address", calls: &[UPSTREAM] },
    Sequence { name: "property that does not exist", calls: &[Property(b"no\0such")] },
    Sequence { name: "2 properties: route, code", calls: &[ROUTE, CODE] },
    Sequence { name: "3 properties: and duration", calls: &[ROUTE, CODE, DURATION] },
    Sequence { name: "4 properties: and flags", calls: &[ROUTE, CODE, DURATION, FLAGS] },
    Sequence { name: "5 properties: and method", calls: &[ROUTE, CODE, DURATION, FLAGS, METHOD] },
    Sequence { name: "6 properties: and path", calls: &[ROUTE, CODE, DURATION, FLAGS, METHOD, PATH] },
    Sequence { name: "8 properties: and cluster, source", calls: &[ROUTE, CODE, DURATION, FLAGS, METHOD, PATH, CLUSTER, SOURCE] },
    Sequence { name: "all request headers", calls: &[Headers(REQUEST)] },
    Sequence { name: "all response headers", calls: &[Headers(RESPONSE)] },
    Sequence { name: "all request headers and 3 properties", calls: &[Headers(REQUEST), ROUTE, CODE, DURATION] },
    Sequence { name: "header :path", calls: &[Header(REQUEST, b":path")] },
    Sequence { name: "headers :path and :method", calls: &[Header(REQUEST, b":path"), Header(REQUEST, b":method")] },
    Sequence { name: "expression: code", calls: &[Expression(0)] },
    Sequence { name: "expression: list of 2, route, code", calls: &[Expression(1)] },
    Sequence { name: "expression: list of 3, and duration", calls: &[Expression(2)] },
    Sequence { name: "expression: list of 4, and flags", calls: &[Expression(3)] },
    Sequence { name: "expression: list of 5, and method", calls: &[Expression(4)] },
    Sequence { name: "expression: list of 6, and path", calls: &[Expression(5)] },
    Sequence { name: "expression: list of 8, and cluster, source", calls: &[Expression(6)] },
    Sequence { name: "expression: list of 8, two of them guarded by has()", calls: &[Expression(7)] },
    Sequence { name: "set property", calls: &[SetProperty(b"watchpost")] },
    Sequence { name: "set 2 properties", calls: &[SetProperty(b"watchpost"), SetProperty(b"score")] },
    Sequence { name: "1 counter", calls: &[Count] },
    Sequence { name: "3 counters", calls: &[Count, Count, Count] },
    Sequence { name: "shared queue, 60 bytes", calls: &[Enqueue] },
    Sequence { name: "shared data, 60 bytes", calls: &[Share] },
    Sequence { name: "log below the level", calls: &[LogBelowLevel] },
];

/// What has to be asked of the host once.
pub(crate) struct Prepared {
    expressions: [[u8; 4]; EXPRESSIONS.len()],
    counter: u32,
    queue: u32,
}

impl Prepared {
    pub(crate) fn new() -> Self {
        Prepared {
            expressions: EXPRESSIONS.map(host::expression),
            counter: host::counter("hostcalls"),
            queue: host::queue("hostcalls"),
        }
    }
}

impl Sequence {
    /// Performs the calls and says how many of them the host refused.
    pub(crate) fn perform(&self, prepared: &Prepared) -> u64 {
        let mut refused = 0;
        for call in self.calls {
            let is_refused = match call {
                Property(path) => host::property(path).is_refused(),
                Headers(map) => host::headers(*map).is_refused(),
                Header(map, name) => host::header(*map, name).is_refused(),
                Expression(index) => prepared
                    .expressions
                    .get(*index)
                    .is_none_or(|token| host::evaluate(*token).is_refused()),
                SetProperty(name) => host::set_property(name, VERDICT),
                Count => host::increment(prepared.counter),
                Enqueue => host::enqueue(prepared.queue, VERDICT),
                Share => host::share("hostcalls", VERDICT),
                LogBelowLevel => host::log_below_level(VERDICT),
            };
            refused += u64::from(is_refused);
        }
        refused
    }
}
