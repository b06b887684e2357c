//! What only this plugin needs to be told; the detector's part of the document is the same in every host.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use watchpost_detector::Config;

/// The plugin's configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Document {
    pub(crate) detector: Config,
    pub(crate) envoy: Settings,
}

/// The part of it that is this plugin's.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    /// The label `service` of everything that is reported.
    pub(crate) service: Option<String>,
    pub(crate) route: RouteBy,
    /// The `vm_id` of the service that scores what is seen here.
    pub(crate) forward_to: Option<String>,
    pub(crate) response_header: Option<HeaderName>,
    pub(crate) collector: Option<Collector>,
    pub(crate) warm_start: Option<WarmStart>,
    pub(crate) checkpoint_seconds: Seconds<1, 86_400>,
    /// Whether every exchange is written to Envoy's log, to be replayed.
    pub(crate) journal: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            mode: Mode::default(),
            service: None,
            route: RouteBy::default(),
            forward_to: None,
            response_header: None,
            collector: None,
            warm_start: None,
            checkpoint_seconds: Seconds(60),
            journal: false,
        }
    }
}

/// How the module is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    #[default]
    Filter,
    AccessLogger,
    Service,
}

/// What tells routes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RouteBy {
    /// The name where the route has one that says something, the path otherwise.
    #[default]
    Auto,
    Name,
    Path,
}

/// A whole number of seconds within these bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Seconds<const LEAST: u32, const MOST: u32>(pub(crate) u32);

impl<const LEAST: u32, const MOST: u32> TryFrom<f64> for Seconds<LEAST, MOST> {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        if (f64::from(LEAST)..=f64::from(MOST)).contains(&value) && value % 1.0 == 0.0 {
            Ok(Seconds(value as u32))
        } else {
            Err(format!(
                "{value} is not a time in seconds: give a whole number from {LEAST} to {MOST}"
            ))
        }
    }
}

/// The name of a header, in lower case as HTTP/2 has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HeaderName(pub(crate) String);

impl TryFrom<String> for HeaderName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !name.is_empty() && name.len() <= 64 && name.bytes().all(fits) {
            Ok(HeaderName(name.to_ascii_lowercase()))
        } else {
            Err(format!(
                "\"{name}\" is not the name of a header: give letters, digits, - and _, for example \"x-watchpost\""
            ))
        }
    }
}

/// Where anomalies are sent as CloudEvents.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Collector {
    /// A cluster of this Envoy.
    pub(crate) cluster: String,
    #[serde(default = "root_path")]
    pub(crate) path: String,
    /// The `:authority` of the requests; the cluster's name without it.
    #[serde(default)]
    pub(crate) authority: Option<String>,
    #[serde(default = "five_seconds")]
    pub(crate) timeout_seconds: Seconds<1, 60>,
    /// How many events wait at most; the oldest are dropped, and counted.
    #[serde(default = "a_thousand")]
    pub(crate) queue: u16,
}

fn root_path() -> String {
    "/".to_owned()
}

fn five_seconds() -> Seconds<1, 60> {
    Seconds(5)
}

fn a_thousand() -> u16 {
    1000
}

/// What the detector begins with where no checkpoint of its own is found.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Start")]
pub(crate) enum WarmStart {
    /// A state as `watchpost score --state` saves it.
    Given(Vec<u8>),
    /// The same from an HTTP server.
    Fetched(Fetched),
}

/// A server, as a cluster of this Envoy, and where it has the state.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    pub(crate) cluster: String,
    pub(crate) path: String,
    pub(crate) authority: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    #[serde(default)]
    snapshot: Option<Snapshot>,
    #[serde(default)]
    cluster: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    authority: Option<String>,
}

impl TryFrom<Start> for WarmStart {
    type Error = &'static str;

    fn try_from(start: Start) -> Result<Self, Self::Error> {
        match start {
            Start {
                snapshot: Some(Snapshot(bytes)),
                cluster: None,
                path: None,
                authority: None,
            } => Ok(WarmStart::Given(bytes)),
            Start {
                snapshot: None,
                cluster: Some(cluster),
                path: Some(path),
                authority,
            } => Ok(WarmStart::Fetched(Fetched {
                cluster,
                path,
                authority,
            })),
            _ => Err("give either `snapshot`, in base64, or `cluster` and `path`"),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct Snapshot(Vec<u8>);

impl TryFrom<String> for Snapshot {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text: String = text.split_ascii_whitespace().collect();
        BASE64_STANDARD
            .decode(text)
            .map(Snapshot)
            .map_err(|error| format!("the snapshot is not base64: {error}; `base64 -w0 FILE` prints it so"))
    }
}
