//! Watchpost's detector: events in, verdicts out.
//!
//! A pure library. It has no clock, no I/O and no randomness of its own; the same events and the same
//! configuration give the same bytes on every machine and in every wasm host.

mod config;
mod decide;
mod detector;
mod episode;
mod event;
pub mod feature;
mod feedback;
mod footprint;
pub mod forest;
mod gamma_poisson;
pub mod joint;
mod keys;
mod limit;
mod log;
mod metric;
mod near;
mod number;
mod order;
mod pattern;
mod plain;
mod random;
mod relay;
mod request;
mod scorer;
mod series;
mod snapshot;
mod threshold;
mod verdict;
pub mod wire;

pub use config::{AlarmRate, Bounds, Config, ConfigError, Learning, Minutes, Models, parse as parse_document};
pub use detector::{Detector, Report, Status};
pub use event::{Event, Finite, Label, Level, LogRecord, Request, Sample, Subject, Timestamp, Value};
pub use footprint::{Part, footprint};
pub use limit::HardLimits;
pub use log::{Mined, Miner, Parameter, ParameterValue, SessionEvidence};
pub use metric::unit;
pub use near::NEAR_BUDGET;
pub use pattern::{
    Absence, By, Change, Changes, Count, Factor, Fuzzy, Growth, Lines, Pattern, PatternConfig, PatternName,
    PatternReport, PatternRules, Periodic, Rate, Regularity, Seconds, Sequence, Share, Spike, Surprise, Times, When,
    Words,
};
pub use plain::in_plain_words;
pub use relay::{Envelope, FieldName, Pass, Relay, RelayConfig, Relayed};
pub use scorer::{
    Answer, Document, Emit, Group, Input, Interval, Line, OpenError, Problem, Role, RowVerdict, Scorer, Seen,
    SessionVerdict,
};
pub use snapshot::SnapshotError;
pub use verdict::{
    Anomaly, AnomalyType, Contribution, Expected, Explanation, Fingerprint, Kind, Label as FeedbackLabel, NamedPattern,
    Observation, Phase, Severity, State, Substitution, Verdict, score,
};
