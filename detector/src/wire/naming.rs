//! What a metric is called: the detector knows counters and units by the endings of names, so a source that states
//! them apart from the name has them added to it.

use crate::metric::is_counter;

/// How the values of a metric are to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows: its rate is what counts.
    Counter,
    /// It is what it is.
    Gauge,
    /// Whatever its name says.
    Unknown,
}

/// The ending that a name needs.
pub(super) fn ending(name: &str, kind: Kind) -> &'static str {
    match kind {
        Kind::Counter if !name.ends_with("_total") => "_total",
        Kind::Gauge if is_counter(name) => "_gauge",
        _ => "",
    }
}

/// The ending for a unit in the notation of OpenTelemetry (UCUM), by the convention of Prometheus; empty where the name
/// tells it already, and where the unit is no unit (`{requests}`).
pub(super) fn unit(name: &str, unit: &str, kind: Kind) -> &'static str {
    let ending = match unit {
        "s" => "_seconds",
        "ms" => "_milliseconds",
        "us" => "_microseconds",
        "ns" => "_nanoseconds",
        "By" => "_bytes",
        "%" => "_percent",
        "Cel" => "_celsius",
        // The utilisations of the semantic conventions; a count of things has the unit 1 as well.
        "1" if kind == Kind::Gauge && (name.ends_with("ratio") || name.ends_with("utilization")) => "_ratio",
        _ => return "",
    };
    let word = ending.trim_start_matches('_');
    let base = name.strip_suffix("_total").unwrap_or(name);
    let tells = base.ends_with(word) || (word == "milliseconds" && base.ends_with("ms"));
    if tells { "" } else { ending }
}

/// Adds the ending of a quantile as it is written: `_p99` for 0.99, `_p999` for 0.999, `_min` and `_max` for 0 and 1.
pub(super) fn push_quantile(name: &mut String, quantile: &str) {
    let digits = quantile.trim().strip_prefix('0').unwrap_or(quantile);
    let digits = digits.strip_prefix('.').unwrap_or_default().trim_end_matches('0');
    match quantile.trim().parse() {
        Ok(0.0) => name.push_str("_min"),
        Ok(1.0) => name.push_str("_max"),
        _ => {
            name.push_str("_p");
            name.push_str(if digits.is_empty() { quantile } else { digits });
            if digits.len() == 1 {
                name.push('0');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_the_endings_that_tell() {
        assert_eq!(ending("requests", Kind::Counter), "_total");
        assert_eq!(ending("requests_total", Kind::Counter), "");
        assert_eq!(ending("pool_count", Kind::Gauge), "_gauge");
        assert_eq!(ending("pool_count", Kind::Unknown), "");
        assert_eq!(unit("http.server.request.duration", "s", Kind::Gauge), "_seconds");
        assert_eq!(unit("latency_seconds", "s", Kind::Gauge), "");
        assert_eq!(unit("sent_bytes_total", "By", Kind::Counter), "");
        assert_eq!(unit("requests", "{request}", Kind::Counter), "");
        assert_eq!(unit("system.cpu.utilization", "1", Kind::Gauge), "_ratio");
    }

    #[test]
    fn quantiles_are_named_as_people_name_them() {
        for (quantile, expected) in [
            ("0.5", "x_p50"),
            ("0.50", "x_p50"),
            ("0.99", "x_p99"),
            ("0.999", "x_p999"),
            ("0.05", "x_p05"),
            ("0", "x_min"),
            ("1.0", "x_max"),
            ("odd", "x_podd"),
        ] {
            let mut name = "x".to_owned();
            push_quantile(&mut name, quantile);
            assert_eq!(name, expected);
        }
    }
}
