//! What an anomaly is about, from its kind and from what was observed.

use super::{AnomalyType, Contribution, Explanation, Kind};
use crate::event::Level;
use crate::feature::{is_one_of, parts};
use crate::log::worst;

/// Words in the names of metrics and in the templates of log lines.
const MEMORY: [&str; 9] = [
    "memory", "mem", "heap", "rss", "swap", "oom", "leak", "leaked", "leaking",
];
const SLOW: [&str; 9] = [
    "latency",
    "timeout",
    "timeouts",
    "slow",
    "slowly",
    "lag",
    "delay",
    "overload",
    "overloaded",
];
/// Words that are about performance in the name of a metric only: a log line "sent the response" is about nothing.
const TIMED: [&str; 8] = [
    "duration",
    "elapsed",
    "response",
    "took",
    "wait",
    "cpu",
    "load",
    "throughput",
];
const ERROR: [&str; 12] = [
    "error",
    "errors",
    "err",
    "fail",
    "failed",
    "failure",
    "failures",
    "exception",
    "exceptions",
    "fatal",
    "panic",
    "panics",
];

/// What `level_severity` says of an error.
const ERROR_LEVEL: f64 = 4.0;

/// Units of time: a metric in one of them says how long something took.
const TIMES: [&str; 4] = ["s", "ms", "us", "ns"];

impl AnomalyType {
    /// What an anomaly is about.
    ///
    /// For requests and silence the kind says it. For metrics and hard limits the name of the strongest metric does,
    /// for log lines the template: memory where it names memory, performance where it names times, timeouts or load,
    /// an error where it names errors. A log line that is more severe than usual, or sounds like an error, is one in
    /// any case; anything else is a pattern.
    pub fn of(kind: Kind, explanation: &Explanation) -> AnomalyType {
        match kind {
            Kind::Latency | Kind::LatencySpread => AnomalyType::Performance,
            Kind::Errors | Kind::RetryStorm => AnomalyType::Error,
            Kind::TrafficDrop
            | Kind::TrafficSurge
            | Kind::ResponseSize
            | Kind::PathScan
            | Kind::LogMissing
            | Kind::Silence => AnomalyType::Pattern,
            Kind::LogSeverity | Kind::NewTemplate | Kind::LogBurst | Kind::Pattern => of_line(kind, explanation),
            Kind::Spike
            | Kind::Dip
            | Kind::LevelShift
            | Kind::Drift
            | Kind::TrendChange
            | Kind::VarianceChange
            | Kind::Stuck
            | Kind::Rule => explanation
                .contributions
                .first()
                .map_or(AnomalyType::Pattern, of_metric),
        }
    }
}

fn of_line(kind: Kind, explanation: &Explanation) -> AnomalyType {
    let text = explanation.template.as_deref().unwrap_or("");
    let severe = kind == Kind::LogSeverity
        || explanation
            .features
            .get("level_severity")
            .is_some_and(|level| *level >= ERROR_LEVEL)
        || worst(text).is_some_and(|(level, _)| level >= Level::Error);
    if has(text, &MEMORY) {
        AnomalyType::Memory
    } else if has(text, &SLOW) || text.contains("timed out") {
        AnomalyType::Performance
    } else if severe {
        AnomalyType::Error
    } else {
        AnomalyType::Pattern
    }
}

fn of_metric(part: &Contribution) -> AnomalyType {
    let time = part.unit.as_deref().is_some_and(|unit| TIMES.contains(&unit));
    let otherwise = if time {
        AnomalyType::Performance
    } else {
        AnomalyType::Pattern
    };
    if has(&part.of, &MEMORY) {
        AnomalyType::Memory
    } else if has(&part.of, &SLOW) || has(&part.of, &TIMED) {
        AnomalyType::Performance
    } else if has(&part.of, &ERROR) {
        AnomalyType::Error
    } else {
        otherwise
    }
}

#[inline(never)]
fn has(text: &str, list: &[&str]) -> bool {
    parts(text).any(|part| is_one_of(part, list))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Expected, Observation};

    fn about(kind: Kind, of: &str, unit: Option<&str>, template: Option<&str>) -> AnomalyType {
        let explanation = Explanation {
            contributions: vec![Contribution {
                of: of.to_owned(),
                model: "point".to_owned(),
                surprise: 4.0,
                observed: Observation::Number(2.0),
                expected: Expected {
                    value: Observation::Number(1.0),
                    low: None,
                    high: None,
                },
                unit: unit.map(str::to_owned),
            }],
            template: template.map(str::to_owned),
            ..Explanation::default()
        };
        AnomalyType::of(kind, &explanation)
    }

    #[test]
    fn kinds_and_names_tell_what_it_is_about() {
        for (kind, of, unit, expected) in [
            (Kind::Spike, "http_response_time", None, AnomalyType::Performance),
            (Kind::Spike, "step_seconds", Some("s"), AnomalyType::Performance),
            (
                Kind::Drift,
                "process_resident_memory_bytes",
                Some("B"),
                AnomalyType::Memory,
            ),
            (Kind::LevelShift, "heapUsed", None, AnomalyType::Memory),
            (Kind::Rule, "error_rate", None, AnomalyType::Error),
            (Kind::Rule, "cpu_usage_percent", Some("%"), AnomalyType::Performance),
            (Kind::Spike, "errors_per_minute", Some("1/min"), AnomalyType::Error),
            (Kind::Dip, "orders", None, AnomalyType::Pattern),
            (Kind::Latency, "duration", Some("ms"), AnomalyType::Performance),
            (Kind::LatencySpread, "duration", Some("ms"), AnomalyType::Performance),
            (Kind::Errors, "requests", None, AnomalyType::Error),
            (Kind::RetryStorm, "requests", None, AnomalyType::Error),
            (Kind::TrafficDrop, "requests", None, AnomalyType::Pattern),
            (Kind::PathScan, "paths", None, AnomalyType::Pattern),
            (
                Kind::Silence,
                "time since the last event",
                Some("s"),
                AnomalyType::Pattern,
            ),
        ] {
            assert_eq!(about(kind, of, unit, None), expected, "{kind:?} {of}");
        }
    }

    #[test]
    fn templates_tell_what_it_is_about() {
        for (kind, template, expected) in [
            (
                Kind::LogSeverity,
                "Database connection timeout after <*>",
                AnomalyType::Performance,
            ),
            (Kind::LogSeverity, "Operation timed out", AnomalyType::Performance),
            (Kind::LogSeverity, "killed by the OOM killer", AnomalyType::Memory),
            (Kind::LogSeverity, "the queue is full", AnomalyType::Error),
            (Kind::NewTemplate, "java.io.IOException: disk full", AnomalyType::Error),
            (Kind::NewTemplate, "connection refused by <*>", AnomalyType::Error),
            (Kind::NewTemplate, "finished with no errors", AnomalyType::Pattern),
            (Kind::NewTemplate, "user <*> logged in", AnomalyType::Pattern),
            (Kind::LogBurst, "served <*> in <*>", AnomalyType::Pattern),
        ] {
            assert_eq!(about(kind, "level", None, Some(template)), expected, "{template}");
        }
        assert_eq!(about(Kind::LogBurst, "lines", None, None), AnomalyType::Pattern);
    }
}
