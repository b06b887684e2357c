use super::super::tests::check;
use crate::wire::Format;

#[test]
fn formats() {
    for (object, expected) in [
        (
            r#"{"raw_log":"{\"timestamp\": \"2024-01-01T10:00:00Z\", \"level\": \"INFO\", \"response_time\": 150}","service":"web_server","source":"nginx","format_type":"json"}"#,
            "2024-01-01T10:00:00Z {service=web_server} response_time=150",
        ),
        (
            r#"{"raw_log":"{\"timestamp\": \"2024-01-01T10:00:00Z\", \"level\": \"INFO\", \"message\":\"up\", \"response_time\": \"5000ms\"}","service":"web_server","format_type":"json"}"#,
            "2024-01-01T10:00:00Z {service=web_server} info: up [response_time=5000]",
        ),
        (
            r#"{"raw_log":"timestamp=2024-01-01T10:00:00Z level=WARN message=\"slow query\" query_time_ms=3000","service":"database","format_type":"kv"}"#,
            "2024-01-01T10:00:00Z {service=database} warn: slow query [query_time_ms=3000]",
        ),
        (
            r#"{"raw_log":"slow level=WARN","service":"database","timestamp":1704103200,"format_type":"kv"}"#,
            "2024-01-01T10:00:00Z {service=database} warn: slow level=WARN",
        ),
        (
            r#"{"raw_log":"2024-01-01T10:00:00Z|WARN|slow|3000ms","service":"database","format_type":"regex","custom_config":{"pattern":"^(?P<ts>[^|]+)\\|(?P<lvl>\\w+)\\|(?P<text>[^|]+)\\|(.*)$","field_mapping":{"ts":"timestamp","level":"lvl","text":"message","4":"took"}}}"#,
            "2024-01-01T10:00:00Z {service=database} warn: slow [took=3000]",
        ),
        (
            r#"{"raw_log":"no match","service":"database","format_type":"regex","timestamp":1704103200,"custom_config":{"pattern":"^(?<level>\\d+)$"}}"#,
            "2024-01-01T10:00:00Z {service=database} -: no match",
        ),
        (
            r#"{"raw_log":"2024-01-01 10:00:00 ERROR refused","service":"cart"}"#,
            "2024-01-01T10:00:00Z {service=cart} error: refused",
        ),
        (
            r#"{"raw_log":"not json {","service":"cart","format_type":"json","timestamp":1704103200}"#,
            "2024-01-01T10:00:00Z {service=cart} -: not json {",
        ),
        (
            r#"{"raw_log":"x","format_type":"regex"}"#,
            "line 1 [custom_config.pattern]: there is no expression: write one with a named group for each field, for \
             example \"(?<time>\\\\S+) (?<level>\\\\w+) (?<message>.*)\"",
        ),
    ] {
        check(Format::Ndjson, object, &[expected]);
    }
    let broken = super::compile("(").unwrap_err();
    assert!(broken.starts_with("the expression cannot be used: "), "{broken}");
}

#[test]
fn many_in_one_body() {
    check(
        Format::Ndjson,
        "{\n  \"logs\": [\n    {\n      \"raw_log\": \"level=warn msg=slow\",\n      \"service\": \"db\",\n      \
         \"format_type\": \"kv\"\n    },\n    {\"raw_log\": \"\", \"service\": \"db\"}\n  ]\n}\n",
        &["1970-01-01T00:00:00Z {service=db} warn: slow", "blank"],
    );
}
