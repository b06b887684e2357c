//! What the name of a metric tells about it, by the conventions of Prometheus and OpenTelemetry.

/// The unit that a metric's name ends in, as it is printed: `ms` of `latency_p99_ms`.
pub fn unit(name: &str) -> Option<&'static str> {
    // A counter's own ending stands behind the unit.
    let name = [
        "_total", "_sum", "_count", "_max", "_min", "_avg", "_mean", "_p50", "_p90", "_p95", "_p99",
    ]
    .into_iter()
    .find_map(|ending| name.strip_suffix(ending))
    .unwrap_or(name);
    Some(match name.rsplit(['_', '.']).next()? {
        "seconds" | "secs" => "s",
        "ms" | "millis" | "milliseconds" => "ms",
        "us" | "micros" | "microseconds" => "us",
        "ns" | "nanos" | "nanoseconds" => "ns",
        "bytes" => "B",
        "ratio" => "1",
        "percent" | "pct" => "%",
        "celsius" => "C",
        "rps" | "qps" => "1/s",
        "minute" if name.ends_with("per_minute") => "1/min",
        "second" if name.ends_with("per_second") => "1/s",
        _ => return None,
    })
}

/// Whether a metric only ever grows, so that its rate is what is watched: OpenMetrics requires a counter's
/// name to end in `_total`, and Prometheus' summaries and histograms count in the other three.
pub(crate) fn is_counter(name: &str) -> bool {
    ["_total", "_count", "_sum", "_bucket"]
        .into_iter()
        .any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_units() {
        for (name, expected) in [
            ("latency_p99_ms", Some("ms")),
            ("http_request_duration_seconds_sum", Some("s")),
            ("memory_bytes", Some("B")),
            ("error_ratio", Some("1")),
            ("requests_per_second", Some("1/s")),
            ("queue_depth", None),
            ("", None),
        ] {
            assert_eq!(unit(name), expected, "{name}");
        }
        assert!(is_counter("http_requests_total") && !is_counter("total"));
    }
}
