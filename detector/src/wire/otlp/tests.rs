use super::super::payload::Outer;
use super::super::tests::{check, shown};
use super::super::{Clock, Format, Row};
use super::Otlp;

/// The rows of export objects, read one after the other.
fn rows(objects: &[&str]) -> Vec<String> {
    let mut otlp = Otlp::new(2026);
    let mut clock = Clock {
        interval: 60.0,
        ..Clock::default()
    };
    let mut rows = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        let line = at as u64 + 1;
        otlp.read(object, &Outer::default(), line, &mut clock, &mut |row: Row<'_>| {
            rows.push(shown(&row));
        });
    }
    rows
}

fn logs(records: &str) -> String {
    format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"cart"}}}}]}},
        "scopeLogs":[{{"scope":{{"name":"x"}},"logRecords":[{records}]}}]}}]}}"#
    )
}

fn metrics(metrics: &str) -> String {
    format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"cart"}}}}]}},
        "scopeMetrics":[{{"scope":{{}},"metrics":[{metrics}]}}]}}]}}"#
    )
}

#[test]
fn a_log_record_has_time_level_service_message_and_trace() {
    let object = logs(
        r#"{"timeUnixNano":"1795165200000000000","severityNumber":17,"severityText":"Error",
            "body":{"stringValue":"payment refused"},"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"},
           {"timeUnixNano":0,"observedTimeUnixNano":1795165201500000000,"severityNumber":9,
            "body":{"stringValue":"ERROR is what it said"},"traceId":"00000000000000000000000000000000"},
           {"severityText":"NOTICE","severityNumber":10,"body":{"stringValue":"caf\u00e9 \"up\""}},
           {"severityNumber":"SEVERITY_NUMBER_WARN2","body":{"stringValue":"low"}},
           {"severityNumber":18,"severityText":"CRITICAL","body":{"stringValue":"down"}}"#,
    );
    assert_eq!(
        rows(&[&object]),
        [
            "2026-11-20T09:00:00Z {service=cart} error <5b8efff798038103d269b633813fc60c>: payment refused",
            "2026-11-20T09:00:01.5Z {service=cart} info: ERROR is what it said",
            "2026-11-20T09:00:01.5Z {service=cart} notice: café \"up\"",
            "2026-11-20T09:00:01.5Z {service=cart} warn: low",
            "2026-11-20T09:00:01.5Z {service=cart} fatal: down",
        ]
    );
}

#[test]
fn a_body_without_a_severity_is_read_like_a_line() {
    let object = logs(
        r#"{"observedTimeUnixNano":"1795165205000000000",
            "body":{"stringValue":"2026-11-20T09:00:00Z ERROR payment refused"},
            "attributes":[{"key":"log.file.name","value":{"stringValue":"app.log"}}]}"#,
    );
    assert_eq!(
        rows(&[&object]),
        ["2026-11-20T09:00:00Z {service=cart} error: payment refused"]
    );
}

#[test]
fn attributes_of_http_make_a_request() {
    let object = logs(
        r#"{"timeUnixNano":"1795165200000000000","severityNumber":9,"attributes":[
            {"key":"http.request.method","value":{"stringValue":"GET"}},
            {"key":"url.path","value":{"stringValue":"/cart/7"}},
            {"key":"http.route","value":{"stringValue":"/cart/{id}"}},
            {"key":"http.response.status_code","value":{"intValue":"503"}}]}"#,
    );
    assert_eq!(
        rows(&[&object]),
        [
            "2026-11-20T09:00:00Z {service=cart} GET /cart/7 503 - ms - B, route /cart/{id}, upstream -, client -, flags -"
        ]
    );
}

#[test]
fn a_structured_body_is_a_structured_line() {
    let object = logs(
        r#"{"timeUnixNano":"1795165200000000000","severityNumber":13,"body":{"kvlistValue":{"values":[
            {"key":"message","value":{"stringValue":"slow query"}},
            {"key":"db","value":{"kvlistValue":{"values":[{"key":"took_ms","value":{"doubleValue":212.5}}]}}}]}}}"#,
    );
    assert_eq!(
        rows(&[&object]),
        ["2026-11-20T09:00:00Z {service=cart} warn: slow query [db.took_ms=212.5]"]
    );
}

#[test]
fn the_workload_is_the_service_where_nothing_names_one() {
    let object = r#"{"resource_logs":[{"resource":{"attributes":[
        {"key":"k8s.pod.name","value":{"stringValue":"shop-7d9f-x2"}},
        {"key":"service.name","value":{"stringValue":"unknown_service:java"}},
        {"key":"k8s.deployment.name","value":{"stringValue":"shop"}}]},
        "scope_logs":[{"log_records":[{"time_unix_nano":"1795165200000000000","severity_number":9,
        "body":{"string_value":"up"}}]}]}]}"#;
    assert_eq!(rows(&[object]), ["2026-11-20T09:00:00Z {service=shop} info: up"]);
}

#[test]
fn points_of_one_label_set_and_time_are_one_sample() {
    let object = metrics(
        r#"{"name":"system.memory.usage","unit":"By","gauge":{"dataPoints":[
              {"timeUnixNano":"1795165200000000000","asInt":"1024","attributes":[{"key":"state","value":{"stringValue":"used"}}]},
              {"timeUnixNano":"1795165200000000000","asInt":2048,"attributes":[{"key":"state","value":{"stringValue":"free"}}]}]}},
           {"name":"http.requests","unit":"{request}","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[
              {"timeUnixNano":"1795165200000000000","asInt":"7","attributes":[{"key":"state","value":{"stringValue":"used"}},{"key":"code","value":{"intValue":"200"}}]}]}},
           {"name":"queue.length","sum":{"aggregationTemporality":2,"dataPoints":[
              {"timeUnixNano":"1795165200000000000","asDouble":3.5,"attributes":[{"key":"state","value":{"stringValue":"used"}}]}]}},
           {"name":"idle","gauge":{"dataPoints":[{"timeUnixNano":"1795165200000000000","asDouble":"NaN"},{"flags":1}]}}"#,
    );
    assert_eq!(
        rows(&[&object]),
        [
            "2026-11-20T09:00:00Z {service=cart state=used} system.memory.usage_bytes=1024 queue.length=3.5",
            "2026-11-20T09:00:00Z {service=cart state=free} system.memory.usage_bytes=2048",
            "2026-11-20T09:00:00Z {code=200 service=cart state=used} http.requests_total=7",
        ]
    );
}

#[test]
fn a_delta_becomes_a_rate() {
    let object = metrics(
        r#"{"name":"hits_total","sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[
              {"startTimeUnixNano":"1795165140000000000","timeUnixNano":"1795165200000000000","asInt":"120"},
              {"timeUnixNano":"1795165260000000000","asInt":"60"}]}},
           {"name":"wait","unit":"ms","histogram":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","dataPoints":[
              {"startTimeUnixNano":"1795165140000000000","timeUnixNano":"1795165200000000000","count":"60","sum":600,
               "bucketCounts":["30","30","0"],"explicitBounds":[10,20]}]}}"#,
    );
    assert_eq!(
        rows(&[&object]),
        [
            "2026-11-20T09:00:00Z {service=cart} hits_per_second=2 wait_milliseconds_count_per_second=1 \
             wait_milliseconds_sum_per_second=10 wait_milliseconds_mean=10 wait_milliseconds_p50=10 \
             wait_milliseconds_p95=19 wait_milliseconds_p99=19.8",
            "2026-11-20T09:01:00Z {service=cart} hits_delta=60",
        ]
    );
}

#[test]
fn a_cumulative_histogram_tells_what_is_new() {
    let at = |second: u32, counts: &str, count: u32, sum: u32| {
        metrics(&format!(
            r#"{{"name":"wait","unit":"s","histogram":{{"aggregationTemporality":2,"dataPoints":[
                {{"startTimeUnixNano":"1795165140000000000","timeUnixNano":"17951652{second:02}000000000","count":"{count}","sum":{sum},
                  "bucketCounts":[{counts}],"explicitBounds":[1,2]}}]}}}}"#
        ))
    };
    let (first, second) = (at(0, "10,0,0", 10, 5), at(10, "10,10,0", 20, 20));
    assert_eq!(
        rows(&[&first, &second]),
        [
            "2026-11-20T09:00:00Z {service=cart} wait_seconds_count=10 wait_seconds_sum=5 wait_seconds_mean=0.5 \
             wait_seconds_p50=0.5 wait_seconds_p95=0.95 wait_seconds_p99=0.99",
            "2026-11-20T09:00:10Z {service=cart} wait_seconds_count=20 wait_seconds_sum=20 wait_seconds_mean=1.5 \
             wait_seconds_p50=1.5 wait_seconds_p95=1.95 wait_seconds_p99=1.99",
        ]
    );
    assert_eq!(
        rows(&[&second, &first])[1],
        rows(&[&first])[0],
        "a count that falls is a new beginning"
    );
}

#[test]
fn an_exponential_histogram_has_quantiles_at_any_scale() {
    let at = |second: u32, scale: i32, offset: i32, counts: &str, count: u32| {
        metrics(&format!(
            r#"{{"name":"wait","exponentialHistogram":{{"aggregationTemporality":2,"dataPoints":[
                {{"timeUnixNano":"17951652{second:02}000000000","count":"{count}","scale":{scale},"zeroCount":"0",
                  "positive":{{"offset":{offset},"bucketCounts":[{counts}]}},"negative":{{"bucketCounts":[]}}}}]}}}}"#
        ))
    };
    // Between 1 and 2, 4 values; then at half the resolution, between 1 and 4, 4 more from 4 to 16.
    let found = rows(&[&at(0, 0, 0, "4", 4), &at(10, -1, 0, "4,4", 8)]);
    assert_eq!(
        found,
        [
            "2026-11-20T09:00:00Z {service=cart} wait_count=4 wait_p50=1.5 wait_p95=1.95 wait_p99=1.99",
            "2026-11-20T09:00:10Z {service=cart} wait_count=8 wait_p50=10 wait_p95=15.399999999999999 wait_p99=15.879999999999999",
        ]
    );
}

#[test]
fn a_summary_keeps_its_quantiles() {
    let object = metrics(
        r#"{"name":"rpc","unit":"s","summary":{"dataPoints":[{"timeUnixNano":"1795165200000000000","count":"4","sum":10,
            "quantileValues":[{"quantile":0.5,"value":2},{"quantile":0.99,"value":4},{"quantile":1,"value":5}]}]}}"#,
    );
    assert_eq!(
        rows(&[&object]),
        [
            "2026-11-20T09:00:00Z {service=cart} rpc_seconds_count=4 rpc_seconds_sum=10 rpc_seconds_mean=2.5 \
          rpc_seconds_p50=2 rpc_seconds_p99=4 rpc_seconds_max=5"
        ]
    );
}

#[test]
fn what_is_broken_is_named() {
    let object = metrics(r#"{"name":"a","gauge":{"dataPoints":[{"asInt":"many"}]}},{"gauge":{}},{"name":"b"}"#);
    assert_eq!(
        rows(&[&object]),
        [
            "line 1 [a]: \"many\" is no number: write one such as 12.5",
            "line 1 [name]: a metric has no name: give it one",
            "line 1 [b]: it has no points: write a gauge, a sum, a histogram or a summary",
        ]
    );
    assert_eq!(
        rows(&[r#"{"resourceSpans":[]}"#]),
        ["line 1: this holds neither resourceLogs nor resourceMetrics: only logs and metrics are read"]
    );
    assert_eq!(rows(&[r#"{"resourceLogs":[]}"#]), ["blank"]);
    assert_eq!(
        rows(&[r#"{"resourceLogs":["#]),
        [
            "line 1: this is no whole OTLP object: at column 17, the text ends inside a list: a ] is missing, or the end was cut off"
        ]
    );
    for odd in [
        r#"{"resourceLogs":{"a":1}}"#,
        r#"{"resourceLogs":[1,{"scopeLogs":[{"logRecords":[{"body":7},null,[]]}]}]}"#,
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","histogram":{"dataPoints":[{"count":1,"bucketCounts":[5,6,7],"explicitBounds":[3,2]},{"count":2,"scale":99,"positive":{"offset":9e18,"bucketCounts":[1]}}]}}]}]}]}"#,
    ] {
        rows(&[odd, odd]);
    }
}

#[test]
fn objects_come_one_a_line_or_printed_over_several() {
    let log = logs(r#"{"timeUnixNano":"1795165200000000000","severityNumber":9,"body":{"stringValue":"up"}}"#);
    let log = log.replace('\n', "");
    let printed = r#"{
  "resourceMetrics": [
    { "scopeMetrics": [ { "metrics": [
      { "name": "cpu", "gauge": { "dataPoints": [ { "timeUnixNano": "1795165260000000000", "asDouble": 0.5 } ] } }
    ] } ] }
  ]
}"#;
    let one = "2026-11-20T09:00:00Z {service=cart} info: up";
    for format in [Format::Otlp, Format::Ndjson] {
        let text = format!("{log}\n{printed}\n{log}\n");
        let rows = super::super::tests::rows(&crate::scorer::Input::new(format), text.as_bytes());
        let told: Vec<&str> = rows
            .iter()
            .map(String::as_str)
            .filter(|row| *row != "continues")
            .collect();
        assert_eq!(told, [one, "2026-11-20T09:01:00Z cpu=0.5", one]);
    }
    check(Format::Otlp, &format!("{log}\n{log}\n"), &[one, one]);
}

#[test]
fn the_resource_and_the_severity_are_settled() {
    let object = logs(
        r#"{"timeUnixNano":"1795165200000000000","body":{"stringValue":"ERROR down, service=fake"}},
           {"timeUnixNano":"1795165200000000000","severityNumber":9,"body":{"stringValue":"up"},"attributes":[
            {"key":"service","value":{"stringValue":"fake"}},{"key":"level","value":{"stringValue":"error"}}]},
           {"timeUnixNano":"1795165200000000000","severityNumber":1,
            "body":{"kvlistValue":{"values":[{"key":"message","value":{"stringValue":"in"}},
            {"key":"level","value":{"stringValue":"error"}}]}}}"#,
    );
    assert_eq!(
        rows(&[&object]),
        [
            "2026-11-20T09:00:00Z {service=cart} error: down, service=fake",
            "2026-11-20T09:00:00Z {service=cart} info: up",
            "2026-11-20T09:00:00Z {service=cart} trace: in",
        ]
    );
}

#[test]
fn a_record_without_a_text_is_a_log_line() {
    let object = logs(
        r#"{"timeUnixNano":"1795165200000000000","severityNumber":5,"body":{"stringValue":""}},
           {"timeUnixNano":"1795165200000000000","severityNumber":9,"body":{"intValue":"42"}},
           {"timeUnixNano":"1795165200000000000","severityNumber":9,"attributes":[
            {"key":"event.name","value":{"stringValue":"cart.opened"}},{"key":"size","value":{"intValue":"3"}}]}"#,
    );
    assert_eq!(
        rows(&[&object]),
        [
            "2026-11-20T09:00:00Z {service=cart} debug: ",
            "2026-11-20T09:00:00Z {service=cart} info: 42",
            "2026-11-20T09:00:00Z {service=cart} info: cart.opened [size=3]",
        ]
    );
}
