use super::super::tests::{check, rows};
use crate::scorer::Input;
use crate::wire::Format;

fn each(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        check(Format::NativeJson, line, &[expected]);
    }
}

#[test]
fn a_log_is_what_is_inside() {
    each(&[
        (
            r#"{"log":{"host":"web1","level":"error","message":"payment refused","service":"cart","source_type":"http_server","timestamp":"2026-11-20T09:00:00.123456789Z","took_ms":12.5}}"#,
            "2026-11-20T09:00:00.123456789Z {service=cart} error: payment refused [took_ms=12.5]",
        ),
        // A line that no transform has parsed: what it says itself wins over when it was read.
        (
            r#"{"log":{"file":"/var/log/app.log","host":"web1","message":"2026-11-20T08:59:59Z ERROR payment refused","source_type":"file","timestamp":"2026-11-20T09:00:00Z"}}"#,
            "2026-11-20T08:59:59Z error: payment refused",
        ),
        (
            r#"{"log":{"command":["app"],"message":"level=warn service=cart msg=slow took=5ms","pid":17,"source_type":"exec","timestamp":"2026-11-20T09:00:00Z"}}"#,
            "2026-11-20T09:00:00Z {service=cart} warn: slow [took=5]",
        ),
        (
            r#"{"log":{"message":"GET /pay","method":"GET","path":"/pay","source_type":"http_server","status":503,"timestamp":"2026-11-20T09:00:00Z"}}"#,
            "2026-11-20T09:00:00Z GET /pay 503 - ms - B, route -, upstream -, client -, flags -",
        ),
        (
            r#" { "log" : { "cpu" : 1.5 , "service" : "cart" , "timestamp" : "2026-11-20T09:00:00Z" } } "#,
            "2026-11-20T09:00:00Z {service=cart} cpu=1.5",
        ),
        (r#"{"log":{}}"#, "blank"),
        (r#"{"log":{"message":null,"x":null}}"#, "blank"),
    ]);
}

/// A second field beside it makes it an object like any other.
#[test]
fn what_only_looks_like_an_event_is_none() {
    check(
        Format::NativeJson,
        r#"{"log":{"level":"info"},"message":"up","@timestamp":"2026-11-20T09:00:00Z"}"#,
        &["2026-11-20T09:00:00Z info: up"],
    );
    check(
        Format::NativeJson,
        "{\"metric\":{\"a\":1},\"service\":\"cart\"}\nno json\n",
        &[
            "1970-01-01T00:00:00Z {service=cart} metric.a=1",
            "line 2: \"no json\" is no JSON object: write one such as {\"message\": \"started\"} or {\"cpu_percent\": 41.5}; \
             for an input that is no JSON, --input auto finds out what it is",
        ],
    );
}

fn metric(rest: &str) -> String {
    format!(r#"{{"metric":{{"name":"n","namespace":"ns","timestamp":"2026-11-20T09:00:00Z",{rest}}}}}"#)
}

#[test]
fn every_kind_of_metric_is_read() {
    for (rest, expected) in [
        (r#""kind":"absolute","counter":{"value":7.0}"#, "ns_n_total=7"),
        (
            r#""kind":"incremental","interval_ms":10000,"counter":{"value":7.0}"#,
            "ns_n_per_second=0.7",
        ),
        (r#""kind":"incremental","counter":{"value":7.0}"#, "ns_n_delta=7"),
        (r#""kind":"absolute","gauge":{"value":-1.5}"#, "ns_n=-1.5"),
        (r#""kind":"incremental","gauge":{"value":2}"#, "ns_n_delta=2"),
        (r#""kind":"absolute","set":{"values":["a","b"]}"#, "ns_n_unique=2"),
        (
            r#""kind":"incremental","distribution":{"samples":[{"value":9.0,"rate":1},{"value":1.0,"rate":3}],"statistic":"histogram"}"#,
            "ns_n_count_delta=4 ns_n_sum_delta=12 ns_n_mean=3 ns_n_p50=1 ns_n_p95=9 ns_n_p99=9",
        ),
        (
            r#""kind":"absolute","aggregated_histogram":{"buckets":[{"upper_limit":10.0,"count":30},{"upper_limit":20.0,"count":30},{"upper_limit":"inf","count":0}],"count":60,"sum":600.0}"#,
            "ns_n_count=60 ns_n_sum=600 ns_n_mean=10 ns_n_p50=10 ns_n_p95=19 ns_n_p99=19.8",
        ),
        (
            r#""kind":"incremental","interval_ms":60000,"aggregated_histogram":{"buckets":[{"upper_limit":"-inf","count":0},{"upper_limit":"NaN","count":1}],"count":60,"sum":600.0}"#,
            "ns_n_count_per_second=1 ns_n_sum_per_second=10 ns_n_mean=10",
        ),
        (
            r#""kind":"absolute","aggregated_summary":{"quantiles":[{"quantile":0.5,"value":2.0},{"quantile":0.99,"value":4.0},{"quantile":1.0,"value":null}],"count":4,"sum":10.0}"#,
            "ns_n_count=4 ns_n_sum=10 ns_n_mean=2.5 ns_n_p50=2 ns_n_p99=4",
        ),
        (
            r#""kind":"incremental","sketch":{"sketch":{"AgentDDSketch":{"bins":{"k":[-1338,0,1338],"n":[1,1,8]},"count":10,"min":-1.0,"max":1.0,"sum":7.0,"avg":0.7}}}"#,
            "ns_n_count_delta=10 ns_n_sum_delta=7 ns_n_mean=0.7 ns_n_p50=1 ns_n_p95=1 ns_n_p99=1",
        ),
    ] {
        let expected = format!("2026-11-20T09:00:00Z {expected}");
        check(Format::NativeJson, &metric(rest), &[&expected]);
    }
}

#[test]
fn tags_are_labels() {
    check(
        Format::NativeJson,
        r#"{"metric":{"name":"up","tags":{"bare":null,"in_list":[null],"many":["a",null,"b"],"one":"x"},"kind":"absolute","gauge":{"value":1.0}}}"#,
        &["1970-01-01T00:00:00Z {bare=true in_list=true many=b one=x} up=1"],
    );
}

#[test]
fn what_is_no_number_is_no_value() {
    for rest in [
        r#""kind":"absolute","gauge":{"value":null}"#,
        r#""kind":"absolute","counter":{"value":"NaN"}"#,
        r#""kind":"absolute","aggregated_summary":{"quantiles":[],"count":null,"sum":0.0}"#,
    ] {
        check(Format::NativeJson, &metric(rest), &["blank"]);
    }
}

#[test]
fn a_cumulative_histogram_tells_what_is_new() {
    let at = |second: u32, counts: [u32; 2], sum: f64| {
        format!(
            r#"{{"metric":{{"name":"wait","timestamp":"2026-11-20T09:00:{second:02}Z","kind":"absolute","aggregated_histogram":{{"buckets":[{{"upper_limit":1.0,"count":{}}},{{"upper_limit":2.0,"count":{}}}],"count":{},"sum":{sum:?}}}}}}}"#,
            counts[0],
            counts[1],
            counts[0] + counts[1]
        )
    };
    let text = format!("{}\n{}\n", at(0, [10, 0], 5.0), at(10, [10, 10], 20.0));
    check(
        Format::NativeJson,
        &text,
        &[
            "2026-11-20T09:00:00Z wait_count=10 wait_sum=5 wait_mean=0.5 wait_p50=0.5 wait_p95=0.95 wait_p99=0.99",
            "2026-11-20T09:00:10Z wait_count=20 wait_sum=20 wait_mean=1.5 wait_p50=1.5 wait_p95=1.95 wait_p99=1.99",
        ],
    );
}

#[test]
fn what_is_broken_is_named() {
    each(&[
        (
            r#"{"metric":{"kind":"absolute","gauge":{"value":1.0}}}"#,
            "line 1 [metric]: it has no name: give it one",
        ),
        (
            r#"{"metric":{"name":"n","kind":"Other","gauge":{"value":1.0}}}"#,
            "line 1 [metric]: its kind is \"Other\": write `absolute` or `incremental`",
        ),
        (
            r#"{"metric":{"name":"n","kind":"absolute"}}"#,
            "line 1 [metric]: it has no value that is known: write a counter, a gauge or another one of Vector's",
        ),
        (
            r#"{"event":{"log":{"value":{"rawBytes":"dXA="}}}}"#,
            "line 1 [event]: the log is a value that is no map",
        ),
    ]);
}

#[test]
fn a_span_of_a_server_is_a_request() {
    let span = |kind: u8| {
        format!(
            r#"{{"trace":{{"attributes":{{"http.request.method":"GET","http.response.status_code":503,"url.path":"/pay","http.route":"/pay"}},"end_time_unix_nano":"2026-11-20T09:00:00.250Z","kind":{kind},"name":"GET /pay","resources":{{"service.name":"cart"}},"span_id":"eee19b7ec3c1b174","start_time_unix_nano":"2026-11-20T09:00:00Z","status":{{"code":2,"message":""}},"trace_id":"5b8efff798038103d269b633813fc60c"}}}}"#
        )
    };
    each(&[
        (
            &span(2),
            "2026-11-20T09:00:00.25Z {service=cart} GET /pay 503 250 ms - B, route /pay, upstream -, client -, flags -",
        ),
        (&span(3), "blank"),
        (r#"{"trace":{"spans":[{"name":"x"}],"priority":1}}"#, "blank"),
    ]);
}

#[test]
fn the_json_of_protobuf_says_the_same() {
    each(&[
        (
            r#"{"event":{"log":{"metadata":{"map":{}},"value":{"map":{"fields":{"level":{"rawBytes":"ZXJyb3I="},"list":{"array":{"items":[{"integer":"1"},{"null":"NULL_VALUE"}]}},"message":{"rawBytes":"cGF5bWVudCByZWZ1c2Vk"},"nested":{"map":{"fields":{"ok":{"boolean":true},"took_ms":{"float":12.5}}}},"rows":{"integer":"17"},"service":{"rawBytes":"Y2FydA=="},"timestamp":{"timestamp":"2026-11-20T09:00:00.123Z"}}}}}}}"#,
            "2026-11-20T09:00:00.123Z {service=cart} error: payment refused [nested.took_ms=12.5 rows=17]",
        ),
        (r#"{"event":{"log":{"value":{"map":{}}}}}"#, "blank"),
        (
            r#"{"event":{"metric":{"counter":{"value":7},"intervalMs":10000,"name":"n","namespace":"ns","tagsV1":{"k":"v"},"tagsV2":{"bare":{"values":[{}]},"k":{"values":[{"value":"v"}]}},"timestamp":"2026-11-20T09:00:00Z"}}}"#,
            "2026-11-20T09:00:00Z {bare=true k=v} ns_n_per_second=0.7",
        ),
        (
            r#"{"event":{"metric":{"gauge":{},"kind":"Absolute","name":"n","timestamp":"2026-11-20T09:00:00Z"}}}"#,
            "2026-11-20T09:00:00Z n=0",
        ),
        (
            r#"{"event":{"metric":{"aggregatedHistogram3":{"buckets":[{"count":"30","upperLimit":10},{"count":"30","upperLimit":20},{"upperLimit":"Infinity"}],"count":"60","sum":600},"kind":"Absolute","name":"n","timestamp":"2026-11-20T09:00:00Z"}}}"#,
            "2026-11-20T09:00:00Z n_count=60 n_sum=600 n_mean=10 n_p50=10 n_p95=19 n_p99=19.8",
        ),
        (
            r#"{"event":{"metric":{"kind":"Absolute","name":"n","sketch":{"agentDdSketch":{"avg":1,"count":8,"k":[1338],"max":1,"min":1,"n":[8],"sum":8}},"timestamp":"2026-11-20T09:00:00Z"}}}"#,
            "2026-11-20T09:00:00Z n_count=8 n_sum=8 n_mean=1 n_p50=1 n_p95=1 n_p99=1",
        ),
        (
            r#"{"event":{"trace":{"fields":{"method":{"rawBytes":"R0VU"},"path":{"rawBytes":"L3BheQ=="},"status":{"integer":"200"}}}}}"#,
            "1970-01-01T00:00:00Z GET /pay 200 - ms - B, route -, upstream -, client -, flags -",
        ),
    ]);
}

#[test]
fn a_list_holds_many() {
    let text = format!(
        r#"[{{"log":{{"message":"up","timestamp":"2026-11-20T09:00:00Z"}}}},{}]"#,
        metric(r#""kind":"absolute","gauge":{"value":1.0}"#)
    );
    check(
        Format::NativeJson,
        &text,
        &["2026-11-20T09:00:00Z -: up", "2026-11-20T09:00:00Z ns_n=1"],
    );
}

/// They are read wherever JSON is, and an input of them is found to be JSON.
#[test]
fn they_need_not_be_announced() {
    let text = metric(r#""kind":"absolute","gauge":{"value":1.0}"#);
    for format in [Format::Ndjson, Format::Auto] {
        let rows = rows(&Input::new(format), text.as_bytes());
        assert_eq!(rows.last().unwrap(), "2026-11-20T09:00:00Z ns_n=1");
    }
}
