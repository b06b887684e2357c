use super::*;

#[test]
fn units() {
    for (text, value, dimension) in [
        ("5000ms", 5_000.0, Dimension::Duration),
        ("1.5s", 1_500.0, Dimension::Duration),
        ("250µs", 0.25, Dimension::Duration),
        ("250us", 0.25, Dimension::Duration),
        ("7ns", 7e-6, Dimension::Duration),
        ("3 min", 180_000.0, Dimension::Duration),
        ("2m30s", 150_000.0, Dimension::Duration),
        ("1h2m3.5s", 3_723_500.0, Dimension::Duration),
        ("-2m30s", -150_000.0, Dimension::Duration),
        ("1.2GiB", 1_288_490_188.8, Dimension::Size),
        ("10kB", 10_000.0, Dimension::Size),
        ("64Mi", 67_108_864.0, Dimension::Size),
        ("512 bytes", 512.0, Dimension::Size),
        ("30%", 30.0, Dimension::Percent),
        ("1,234", 1_234.0, Dimension::None),
        ("1,234,567.5", 1_234_567.5, Dimension::None),
        ("-4e2", -400.0, Dimension::None),
        (" 12 ", 12.0, Dimension::None),
    ] {
        assert_eq!(read(text), Some(Quantity { value, dimension }), "{text}");
    }
    for text in [
        "", "-", "ms", "abc", "1,23", "1234,567", "1.2.3", "10.0.0.9", "5x", "5M", "2m30", "1e999", "3 apples", "0x1f",
        "µ",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn names_tell_units() {
    for (name, expected) in [
        ("took_ms", Some((Dimension::Duration, 1.0))),
        ("request_seconds", Some((Dimension::Duration, 1e3))),
        ("durationMs", Some((Dimension::Duration, 1.0))),
        ("elapsedNanos", Some((Dimension::Duration, 1e-6))),
        ("time_s", Some((Dimension::Duration, 1e3))),
        ("heap.bytes", Some((Dimension::Size, 1.0))),
        ("size_kb", Some((Dimension::Size, 1e3))),
        ("cpu_percent", Some((Dimension::Percent, 1.0))),
        ("items", None),
        ("team_b", None),
        ("DBMs", None),
        ("ms", None),
    ] {
        assert_eq!(unit_of_name(name), expected, "{name}");
    }
    assert_eq!(split_unit("request_time_ms"), Some(("request_time", "ms")));
}
