//! What the names of pairs mean, in the schemas that people have.

use super::super::quantity::split_unit;

/// What a name tells about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Time,
    /// When an exchange began.
    Began,
    Seconds,
    Nanos,
    Level,
    /// A number of syslog, 0 to 7.
    Priority,
    /// A number of OpenTelemetry, 1 to 24.
    SeverityNumber,
    /// A number of Python, 10 to 50.
    PythonLevel,
    /// A number of Logback, 5000 to 40000.
    LogbackLevel,
    Service,
    /// The name of the program in bunyan and pino, of the logger elsewhere.
    Name,
    /// The name of a logger, which may be a service.
    Logger,
    /// A pod of Kubernetes.
    Pod,
    /// Whose label is `service`, also in rows of metrics.
    OwnService,
    Message,
    /// What may be a message where nothing else is.
    Text,
    /// The text of a container's line.
    Log,
    Stream,
    Session,
    /// `session`, which is no label of a row of metrics.
    OwnSession,
    Method,
    Path,
    /// `GET /pay HTTP/1.1`.
    RequestLine,
    Status,
    Duration,
    Bytes,
    Route,
    Upstream,
    Client,
    Flags,
    MetricName,
    MetricValue,
    RawLog,
    FormatType,
    Pattern,
    /// Neither a number to watch nor a label of logs: an identifier, a place in the code.
    Nothing,
    Other,
}

impl Meaning {
    pub(super) const COUNT: usize = Meaning::Other as usize + 1;
}

/// What a name tells about the schema of the whole record.
pub(super) mod schema {
    pub(in super::super) const ENVOY: u16 = 1;
    pub(in super::super) const TRAEFIK: u16 = 2;
    pub(in super::super) const CADDY: u16 = 4;
    pub(in super::super) const GELF: u16 = 8;
    pub(in super::super) const JOURNAL: u16 = 16;
    pub(in super::super) const SHIPPED: u16 = 32;
    pub(in super::super) const SERILOG: u16 = 64;
    pub(in super::super) const CLOUD: u16 = 128;
    pub(in super::super) const MONGO: u16 = 256;
    pub(in super::super) const VECTOR: u16 = 512;
}

/// Which part of the record a name belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The outermost object.
    Top,
    /// `labels`, `tags` or `dimensions`: what follows is the label's name.
    Labels,
    /// `metrics`: what follows is the metric's name.
    Metrics,
    /// Another object.
    Nested,
}

/// A name, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) meaning: Meaning,
    /// Of two names with the same meaning, the one with the lower rank counts.
    pub(super) rank: u8,
    pub(super) place: Place,
    /// How much of the name its place is.
    pub(super) prefix: u8,
    /// Bits of [`schema`].
    pub(super) schema: u16,
}

/// The rank of the name of a container.
pub(super) const CONTAINER: u8 = 5;

/// The rank of what names a part of a program only.
pub(super) const COMPONENT: u8 = 8;

const LONGEST: usize = 40;

/// Understands names, and remembers those it has met: the same few come in every line.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Made when the first name comes.
    met: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    length: u8,
    name: [u8; LONGEST],
    known: Known,
}

const SLOTS: usize = 256;

const UNKNOWN: Known = Known {
    meaning: Meaning::Other,
    rank: 0,
    place: Place::Top,
    prefix: 0,
    schema: 0,
};

impl Names {
    pub(super) fn understand(&mut self, name: &str) -> Known {
        const EMPTY: Entry = Entry {
            length: 0,
            name: [0; LONGEST],
            known: UNKNOWN,
        };
        if self.met.is_empty() {
            self.met.resize(SLOTS, EMPTY);
        }
        let bytes = name.as_bytes();
        let Some(entry) = self.met.get_mut(slot(bytes)) else {
            return understand(name);
        };
        if !bytes.is_empty() && entry.name.get(..usize::from(entry.length)) == Some(bytes) {
            return entry.known;
        }
        let known = understand(name);
        if let Some(kept) = entry.name.get_mut(..bytes.len()) {
            kept.copy_from_slice(bytes);
            entry.length = bytes.len() as u8;
            entry.known = known;
        }
        known
    }
}

/// Where a name is remembered: a mix of its first and last bytes and its length, which is enough for the names of one
/// input; names that share a place push each other out.
fn slot(name: &[u8]) -> usize {
    let word = |bytes: Option<&[u8]>| {
        bytes.and_then(|bytes| bytes.first_chunk::<4>()).map_or_else(
            || name.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)),
            |chunk| u32::from_le_bytes(*chunk),
        )
    };
    let first = word(Some(name));
    let last = word(name.get(name.len().saturating_sub(4)..));
    let middle = name.get(name.len() / 2).copied().unwrap_or(0);
    let mixed = (u64::from(first) << 32 | u64::from(last)) ^ (name.len() as u64) << 24 ^ u64::from(middle) << 40;
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize % SLOTS
}

fn understand(name: &str) -> Known {
    for (prefix, place) in [
        ("labels.", Place::Labels),
        ("tags.", Place::Labels),
        ("dimensions.", Place::Labels),
        ("metrics.", Place::Metrics),
    ] {
        if name.len() > prefix.len() && name.starts_with(prefix) {
            return Known {
                place,
                prefix: prefix.len() as u8,
                ..UNKNOWN
            };
        }
    }
    if let Some(at) = metrics_inside(name) {
        return Known {
            place: Place::Metrics,
            prefix: at,
            ..UNKNOWN
        };
    }
    let place = if name.contains('.') { Place::Nested } else { Place::Top };
    let mut plain = [0; LONGEST];
    let Some(plain) = normal(name, &mut plain) else {
        return Known { place, ..UNKNOWN };
    };
    let found = meaning(plain)
        .or_else(|| inside(plain))
        .or_else(|| {
            // `request_time_ms` is a `request_time`.
            let (head, _) = split_unit(name)?;
            let mut plain = [0; LONGEST];
            let head = normal(head, &mut plain)?;
            meaning(head)
                .or_else(|| inside(head))
                .filter(|found| matches!(found.0, Meaning::Duration | Meaning::Bytes))
        })
        .or_else(|| {
            let is_id = plain.ends_with(".id") || name.ends_with("_id") || name.ends_with("Id");
            is_id.then_some((Meaning::Nothing, 0))
        });
    let (meaning, rank) = found.unwrap_or((Meaning::Other, 0));
    Known {
        meaning,
        rank,
        place,
        prefix: 0,
        schema: of_schema(plain),
    }
}

/// In lower case, without what people separate words with.
fn normal<'a>(name: &str, into: &'a mut [u8; LONGEST]) -> Option<&'a str> {
    let mut length = 0;
    for byte in name.bytes() {
        if !matches!(byte, b'_' | b'-' | b':' | b' ') {
            *into.get_mut(length)? = byte.to_ascii_lowercase();
            length += 1;
        }
    }
    std::str::from_utf8(into.get(..length)?).ok()
}

/// Objects that libraries and collectors put a whole record into.
const INSIDE: [&str; 20] = [
    "jsonpayload.",
    "fields.",
    "source.",
    "attributes.",
    "json.",
    "data.",
    "properties.",
    "context.",
    "extra.",
    "mdc.",
    "contextmap.",
    "payload.",
    "attr.",
    "resource.",
    "resources.",
    "log.",
    "meta.",
    "parsed.",
    "detail.",
    "record.",
];

/// Where the name of a metric begins in `record.metrics.durationMs`, as in the reports of Lambda.
fn metrics_inside(name: &str) -> Option<u8> {
    let rest = INSIDE.iter().find_map(|prefix| name.strip_prefix(prefix))?;
    let metric = rest.strip_prefix("metrics.").filter(|metric| !metric.is_empty())?;
    u8::try_from(name.len() - metric.len()).ok()
}

/// A meaning in one of [`INSIDE`].
fn inside(name: &str) -> Option<(Meaning, u8)> {
    let rest = INSIDE.iter().find_map(|prefix| name.strip_prefix(prefix))?;
    let (meaning, rank) = meaning(rest)?;
    Some((meaning, rank + 20))
}

fn of_schema(name: &str) -> u16 {
    match name {
        "responseflags" | "responsecodedetails" | "xenvoyupstreamservicetime" | "upstreamtransportfailurereason" => {
            schema::ENVOY
        }
        "downstreamstatus" | "downstreamcontentsize" => schema::TRAEFIK,
        "request.uri" | "request.remoteip" => schema::CADDY,
        "shortmessage" => schema::GELF,
        "realtimetimestamp" | "systemdunit" | "syslogidentifier" | "cursor" => schema::JOURNAL,
        "@t" | "@mt" | "messagetemplate" | "renderedmessage" => schema::SERILOG,
        "insertid" | "logname" | "textpayload" | "jsonpayload.message" => schema::CLOUD,
        "t.$date" => schema::MONGO,
        "sourcetype" => schema::VECTOR,
        _ if name.starts_with("kubernetes.") || name.starts_with("docker.") || name.starts_with("agent.") => {
            schema::SHIPPED
        }
        "ecscluster" | "ecstaskdefinition" => schema::SHIPPED,
        _ => 0,
    }
}

/// Names in lower case, without `_`, `-` and `:`.
fn meaning(name: &str) -> Option<(Meaning, u8)> {
    use Meaning as M;
    Some(match name {
        "timestamp" | "time" | "ts" | "@timestamp" => (M::Time, 0),
        "@t" | "t.$date" | "realtimetimestamp" | "datetime" | "eventtime" | "timeiso8601" | "instant" => (M::Time, 1),
        "asctime" | "logtime" | "logtimestamp" | "timelocal" | "timestampms" | "timemillis" | "epochmillis"
        | "timestampnanos" | "timeunixnano" | "eventtimestamp" | "timestamp.$date" | "time.$date" | "msec"
        | "requesttimeepoch" | "@timestamp.$date" | "timestampms." => (M::Time, 2),
        "aws.timestamp" => (M::Time, 1),
        "date"
        | "t"
        | "epoch"
        | "sourcerealtimetimestamp"
        | "created"
        | "createdat"
        | "startutc"
        | "event.created"
        | "receivetimestamp"
        | "observedtimestamp"
        | "syslogtimestamp"
        | "generated"
        | "isotime" => (M::Time, 3),
        "starttime" => (M::Began, 3),
        "instant.epochsecond" | "timestamp.seconds" | "timestampseconds" => (M::Seconds, 0),
        "instant.nanoofsecond" | "timestamp.nanos" => (M::Nanos, 0),

        "level" | "severity" | "lvl" => (M::Level, 0),
        "levelname" | "loglevel" | "log.level" | "@l" | "severitytext" | "logging.level" | "level.name"
        | "severitylabel" | "log.severity" => (M::Level, 1),
        "syslog.severity.name" | "log.syslog.severity.name" | "l" | "prio" | "logseverity" => (M::Level, 2),
        "priority" | "syslogseverity" | "syslog.severity" | "log.syslog.severity.code" | "severitycode" => {
            (M::Priority, 0)
        }
        "severitynumber" => (M::SeverityNumber, 0),
        "levelno" => (M::PythonLevel, 0),
        "levelvalue" => (M::LogbackLevel, 0),

        "service" => (M::OwnService, 0),
        "service.name"
        | "servicename"
        | "svc"
        | "servicecontext.service"
        | "attributes.service.name"
        | "resource.service.name" => (M::Service, 1),
        "resource.labels.servicename" | "dd.service" => (M::Service, 2),
        "app" | "application" | "appname" | "app.name" | "application.name" | "applicationname" | "appid" => {
            (M::Service, 3)
        }
        "kubernetes.labels.app.kubernetes.io/name"
        | "kubernetes.labels.app"
        | "kubernetes.labels.appkubernetesio/name" => (M::Service, 4),
        "kubernetes.containername"
        | "kubernetes.container.name"
        | "resource.labels.containername"
        | "k8s.container.name"
        | "container.name"
        | "containername"
        | "resource.labels.configurationname" => (M::Service, CONTAINER),
        "syslogidentifier" | "program" | "programname" | "ident" | "syslog.appname" => (M::Service, 6),
        "attrs.tag" | "attrs.com.docker.compose.service" | "attrs.service" => (M::Service, 6),
        "systemdunit" => (M::Service, 7),
        "component"
        | "loggroup"
        | "comm"
        | "process.name"
        | "resource.labels.functionname"
        | "functionname"
        | "resource.labels.moduleid"
        | "facility" => (M::Service, COMPONENT),
        "name" => (M::Name, 9),
        "logger" | "loggername" | "log.logger" => (M::Logger, 0),
        "pod"
        | "podname"
        | "kubernetes.podname"
        | "kubernetes.pod.name"
        | "k8s.pod.name"
        | "resource.labels.podname" => (M::Pod, 0),

        "message" | "msg" => (M::Message, 0),
        "shortmessage" | "logmessage" | "@m" | "renderedmessage" | "textpayload" | "body.stringvalue" => {
            (M::Message, 1)
        }
        "m" | "detailtype" => (M::Text, 1),
        "text" | "event" | "body" | "content" | "description" | "@mt" | "messagetemplate" | "fullmessage"
        | "event.original" | "logline" | "line" | "rawmessage" | "messageraw" => (M::Text, 2),
        "error" | "err" | "error.message" | "err.message" | "exception" | "exception.message" | "reason"
        | "errormessage" | "err.msg" | "error.msg" | "action" => (M::Text, 3),
        "log" => (M::Log, 0),
        "stream" => (M::Stream, 0),

        "session" => (M::OwnSession, 0),
        "sessionid" => (M::Session, 1),
        "traceid" | "trace.id" | "dd.traceid" | "logging.googleapis.com/trace" | "xb3traceid" | "otelTraceID" => {
            (M::Session, 2)
        }
        "requestid" | "reqid" | "req.id" | "request.id" | "correlationid" | "xrequestid" | "http.request.id"
        | "transaction.id" => (M::Session, 3),

        "method"
        | "httpmethod"
        | "requestmethod"
        | "verb"
        | "http.method"
        | "http.request.method"
        | "request.method"
        | "req.method"
        | "httprequest.requestmethod"
        | "csmethod" => (M::Method, 0),
        "path"
        | "requesturi"
        | "requestpath"
        | "httppath"
        | "urlpath"
        | "url.path"
        | "http.target"
        | "http.path"
        | "request.uri"
        | "request.path"
        | "req.url"
        | "httprequest.requesturl"
        | "request.url"
        | "csuristem" => (M::Path, 0),
        "uri" | "url" | "requesturl" | "req.path" | "http.url" | "url.original" | "originalpath" | "target"
        | "resourcepath" | "endpoint" | "rawpath" => (M::Path, 1),
        "url.full" | "xenvoyoriginalpath" | "xenvoyoriginpath" => (M::Path, 2),
        "request" | "requestline" | "httprequest" => (M::RequestLine, 0),
        "status"
        | "statuscode"
        | "responsecode"
        | "responsestatus"
        | "httpstatus"
        | "httpstatuscode"
        | "http.statuscode"
        | "http.response.statuscode"
        | "response.status"
        | "response.statuscode"
        | "res.statuscode"
        | "res.status"
        | "httprequest.status"
        | "downstreamstatus"
        | "http.status"
        | "scstatus" => (M::Status, 0),
        "code" => (M::Status, 5),
        "duration"
        | "requestduration"
        | "requesttime"
        | "responsetime"
        | "httprequest.latency"
        | "event.duration"
        | "http.duration"
        | "response.duration"
        | "http.server.duration"
        | "reqtime"
        | "rt"
        | "response.time"
        | "http.responsetime" => (M::Duration, 0),
        "latency" | "elapsed" | "took" | "elapsedtime" | "processingtime" | "timetaken" | "totaltime"
        | "timeelapsed" | "latencyhuman" | "executiontime" | "responselatency" => (M::Duration, 1),
        "bytessent"
        | "bodybytessent"
        | "responsesize"
        | "httprequest.responsesize"
        | "http.response.body.bytes"
        | "downstreamcontentsize"
        | "responsebytes"
        | "res.contentlength"
        | "res.headers.contentlength"
        | "http.response.bytes"
        | "bytesout"
        | "responselength" => (M::Bytes, 0),
        "bytes" | "size" | "contentlength" | "length" => (M::Bytes, 1),
        "handler" => (M::Route, 1),
        "route" | "routename" | "http.route" | "routername" | "matchedroute" => (M::Route, 0),
        "upstreamcluster" | "upstreamaddr" | "upstream" | "serviceurl" => (M::Upstream, 0),
        "upstreamhost" | "serviceaddr" | "upstreamname" => (M::Upstream, 1),
        "clientip" | "client.ip" | "httprequest.remoteip" | "request.clientip" => (M::Client, 0),
        "remoteaddr"
        | "remoteip"
        | "remoteaddress"
        | "client"
        | "clientaddress"
        | "client.address"
        | "source.ip"
        | "source.address"
        | "request.remoteip"
        | "req.remoteaddress"
        | "clienthost"
        | "realip"
        | "sourceip"
        | "remotehost"
        | "downstreamremoteaddress"
        | "ip"
        | "http.clientip"
        | "clientaddr"
        | "cip" => (M::Client, 1),
        "request.remoteaddr" | "peer" | "req.remoteaddr" => (M::Client, 2),
        // What the client says of itself counts where nobody saw its address.
        "xforwardedfor" | "httpxforwardedfor" | "fwd" => (M::Client, 3),
        "responseflags" => (M::Flags, 0),

        "metricname" => (M::MetricName, 0),
        "metrictype" => (M::MetricName, 1),
        "metric" => (M::MetricName, 2),
        "value" => (M::MetricValue, 0),
        "rawlog" => (M::RawLog, 0),
        "formattype" => (M::FormatType, 0),
        "customconfig.pattern" => (M::Pattern, 0),

        "pid"
        | "tid"
        | "id"
        | "thread"
        | "threadid"
        | "lineno"
        | "linenumber"
        | "line.number"
        | "v"
        | "port"
        | "seq"
        | "sequence"
        | "process.pid"
        | "process.id"
        | "processid"
        | "threadpriority"
        | "endofbatch"
        | "msecs"
        | "relativecreated"
        | "process"
        | "version"
        | "@version"
        | "hostname"
        | "host"
        | "spanid"
        | "span.id"
        | "parentid"
        | "caller"
        | "source"
        | "file"
        | "instant.nanos"
        | "uid"
        | "gid"
        | "eventid"
        | "source.line"
        | "sourcelocation.line"
        | "log.origin.file.line"
        | "user"
        | "userid"
        | "monotonictimestamp"
        | "bootid"
        | "syslogfacility"
        | "syslogpid"
        | "priorityno"
        | "flags"
        | "channel" => (M::Nothing, 0),
        _ => return None,
    })
}
