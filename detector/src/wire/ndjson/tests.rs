use super::super::tests::{check, check_input};
use crate::scorer::Input;
use crate::wire::Format;

fn ndjson(text: &str, expected: &[&str]) {
    check(Format::Ndjson, text, expected);
}

#[test]
fn rows_of_metrics() {
    for (line, expected) in [
        (r#"{"ts":0,"cpu":41.5}"#, "1970-01-01T00:00:00Z cpu=41.5"),
        (
            r#"{"ts":0,"service":"cart","region":"eu","canary":true,"b":2,"a":-1}"#,
            "1970-01-01T00:00:00Z {canary=true region=eu service=cart} a=-1 b=2",
        ),
        (
            r#"{"ts":0,"metrics":{"cpu":1e2,"memory":null},"labels":{"host":"w1","shard":3,"none":null}}"#,
            "1970-01-01T00:00:00Z {host=w1 shard=3} cpu=100",
        ),
        (
            r#"{"ts":0,"cpu":1,"nested":{"a":[1]},"list":[{}],"gone":null}"#,
            "1970-01-01T00:00:00Z cpu=1",
        ),
        (
            r#"{"ts":0,"cpu":1,"cpu":2,"host":"a","host":"b"}"#,
            "1970-01-01T00:00:00Z {host=b} cpu=2",
        ),
        (r#"{"ts":0,"cpu":1,"metrics":{"cpu":3}}"#, "1970-01-01T00:00:00Z cpu=3"),
        (
            r#"{"ts":0,"c\u0070u":1,"h\u006fst":"a\nb"}"#,
            "1970-01-01T00:00:00Z {host=a\nb} cpu=1",
        ),
        (
            r#"{"ts":0,"big":18446744073709551615}"#,
            "1970-01-01T00:00:00Z big=18446744073709552000",
        ),
        (
            r#"{"ts":0,"level":"warn","session":"s","cpu":1}"#,
            "1970-01-01T00:00:00Z cpu=1",
        ),
        (r#"{"ts":0,"cpu":null}"#, "blank"),
        (r#"{"ts":0,"metrics":{"cpu":null}}"#, "blank"),
    ] {
        ndjson(line, &[expected]);
    }
}

#[test]
fn log_lines() {
    for (line, expected) in [
        (r#"{"ts":0,"message":"up"}"#, "1970-01-01T00:00:00Z -: up"),
        (
            r#"{"ts":0,"msg":"say \"hi\"\t\u00e9"}"#,
            "1970-01-01T00:00:00Z -: say \"hi\"\té",
        ),
        (
            r#"{"ts":0,"message":"up","service":"cart","labels":{"zone":"a"},"trace":"x1","took_ms":3,"ok":true}"#,
            "1970-01-01T00:00:00Z {service=cart zone=a} -: up [took_ms=3]",
        ),
        (
            r#"{"ts":0,"message":"up","level":"Warning"}"#,
            "1970-01-01T00:00:00Z warn: up",
        ),
        (
            r#"{"ts":0,"message":"up","severity":"ERROR"}"#,
            "1970-01-01T00:00:00Z error: up",
        ),
        (
            r#"{"ts":0,"message":"up","lvl":"crit"}"#,
            "1970-01-01T00:00:00Z fatal: up",
        ),
        (
            r#"{"ts":0,"message":"up","level":"loud"}"#,
            "1970-01-01T00:00:00Z -: up",
        ),
        (
            r#"{"ts":0,"message":"up","level":10}"#,
            "1970-01-01T00:00:00Z trace: up",
        ),
        (r#"{"ts":0,"message":"up","level":30}"#, "1970-01-01T00:00:00Z info: up"),
        (
            r#"{"ts":0,"message":"up","level":60}"#,
            "1970-01-01T00:00:00Z fatal: up",
        ),
        (r#"{"ts":0,"message":"up","level":7}"#, "1970-01-01T00:00:00Z -: up"),
        (
            r#"{"ts":0,"message":"up","session":"r-1"}"#,
            "1970-01-01T00:00:00Z - <r-1>: up",
        ),
        (
            r#"{"ts":0,"message":"up","session":17}"#,
            "1970-01-01T00:00:00Z - <17>: up",
        ),
        (r#"{"ts":0,"message":""}"#, "1970-01-01T00:00:00Z -: "),
        (r#"{"ts":0,"message":"a","msg":"b"}"#, "1970-01-01T00:00:00Z -: b"),
    ] {
        ndjson(line, &[expected]);
    }
}

#[test]
fn times() {
    for (field, expected) in [
        (r#""timestamp":"2026-11-20T09:00:00Z""#, "2026-11-20T09:00:00Z"),
        (r#""time":"2026-11-20T09:00:00.25+01:30""#, "2026-11-20T07:30:00.25Z"),
        (r#""@timestamp":"2026-11-20 09:00:00""#, "2026-11-20T09:00:00Z"),
        (r#""ts":"2026-11-20 09:00:00.123""#, "2026-11-20T09:00:00.123Z"),
        (r#""ts":"2026-11-20""#, "2026-11-20T00:00:00Z"),
        (r#""ts":1795165200"#, "2026-11-20T09:00:00Z"),
        (r#""ts":1795165200.125"#, "2026-11-20T09:00:00.125Z"),
        (r#""ts":1795165200125"#, "2026-11-20T09:00:00.125Z"),
        (r#""ts":1795165200125250"#, "2026-11-20T09:00:00.12525Z"),
        (r#""ts":1795165200125250375"#, "2026-11-20T09:00:00.125250375Z"),
        (r#""ts":"1795165200""#, "2026-11-20T09:00:00Z"),
        (r#""ts":"1795165200.5""#, "2026-11-20T09:00:00.5Z"),
        (r#""ts":-1"#, "1969-12-31T23:59:59Z"),
        (r#""ts":5,"time":7"#, "1970-01-01T00:00:07Z"),
        (r#""ts":null"#, "1970-01-01T00:00:00Z"),
    ] {
        ndjson(&format!("{{{field},\"a\":1}}"), &[&format!("{expected} a=1")]);
    }
}

#[test]
fn problems() {
    const TIME: &str =
        "cannot be read: write RFC 3339 (2026-11-20T09:00:00Z) or Unix seconds, of the years 1678 to 2261";
    const NEITHER: &str = "line 1: the object has neither a message nor a number: write \"message\" for a log line, \
                           or a number such as \"duration_ms\": 12.5 for metrics";
    for (line, expected) in [
        (
            r#"{"time":"yesterday","a":1}"#,
            format!("line 1 [time]: the time \"yesterday\" {TIME}"),
        ),
        (r#"{"ts":true,"a":1}"#, format!("line 1 [ts]: the time true {TIME}")),
        (r#"{"ts":1e300,"a":1}"#, format!("line 1 [ts]: the time 1e300 {TIME}")),
        (
            r#"{"ts":99999999999,"a":1}"#,
            format!("line 1 [ts]: the time 99999999999 {TIME}"),
        ),
        (
            r#"{"ts":"2026-02-30T00:00:00Z","a":1}"#,
            format!("line 1 [ts]: the time \"2026-02-30T00:00:00Z\" {TIME}"),
        ),
        (
            r#"{"ts":[1],"a":1}"#,
            format!("line 1 [ts]: the time an object or a list {TIME}"),
        ),
        (r#"{"host":"a"}"#, NEITHER.to_owned()),
        ("{}", NEITHER.to_owned()),
        (r#"{"metrics":{}}"#, NEITHER.to_owned()),
        (
            r#"{"metrics":{"ok":1,"cpu":"41"}}"#,
            "line 1 [metrics.cpu]: the metric is \"41\": write it as a number, or null where there is none".to_owned(),
        ),
        (
            r#"{"metrics":[1]}"#,
            "line 1 [metrics]: metrics is an object or a list: write an object of numbers".to_owned(),
        ),
        (
            r#"{"labels":"a","cpu":1}"#,
            "line 1 [labels]: labels is \"a\": write an object of strings".to_owned(),
        ),
        (
            r#"{"labels":{"a":[]},"cpu":1}"#,
            "line 1 [labels.a]: the label is an object or a list: write it as a string".to_owned(),
        ),
        (
            r#"{"message":5}"#,
            "line 1 [message]: the message is 5: write it as a string".to_owned(),
        ),
        (
            r#"{"cpu":1e999}"#,
            "line 1 [cpu]: at column 12, the number is too large: the largest is 1.8e308".to_owned(),
        ),
        (
            r#"{"cpu":NaN}"#,
            "line 1 [cpu]: at column 8, JSON has no NaN and no infinity: write null".to_owned(),
        ),
        (
            r#"{"cpu":1"#,
            "line 1: at column 8, the text ends inside an object: a } is missing, or the end was cut off".to_owned(),
        ),
        (
            r#"{"cpu":1} x"#,
            "line 1: at column 11, something follows the object on its line: write one object a line".to_owned(),
        ),
        (
            r#"{"cpu" 1}"#,
            "line 1 [cpu]: at column 8, a colon is missing between a name and its value: write \"name\": value"
                .to_owned(),
        ),
        (
            "[1]",
            "line 1: 1 is no object: write one such as {\"message\": \"started\"} or {\"cpu_percent\": 41.5}"
                .to_owned(),
        ),
    ] {
        ndjson(line, &[&expected]);
    }
}

#[test]
fn lines() {
    let good = "1970-01-01T00:00:00Z a=1";
    ndjson(
        "\u{feff}{\"ts\":0,\"a\":1}\r\n\r\n \t\n{\"ts\":0,\"a\":1}",
        &[good, good],
    );
    ndjson("", &[]);
    ndjson(
        "\n\nx\n",
        &[
            "line 3: \"x\" is no JSON object: write one such as {\"message\": \"started\"} or {\"cpu_percent\": 41.5}; for an input that is no JSON, --input auto finds out what it is",
        ],
    );
    check_input(
        &Input::new(Format::Ndjson),
        b"{\"ts\":0,\"a\":1}\n{\"host\":\"\xff\"}\n{\"ts\":0,\"a\":1}\n",
        &[
            good,
            "line 2: the line is not UTF-8 at column 10: write it in UTF-8, or escape the character as \\uXXXX",
            good,
        ],
    );
}

#[test]
fn objects_of_several_lines() {
    ndjson(
        "{\n  \"ts\": 0,\n  \"a\": 1,\n  \"x\": {\n    \"b\": 2\n  }\n}\n{\"ts\":1,\"a\":2}\n",
        &["1970-01-01T00:00:00Z a=1 x.b=2", "1970-01-01T00:00:01Z a=2"],
    );
    ndjson(
        "[\n{\"ts\":0,\"a\":1},\n  {\"ts\":0,\n\"a\":2},\n{\"ts\":0,\"a\":3}]\n",
        &[
            "1970-01-01T00:00:00Z a=1",
            "1970-01-01T00:00:00Z a=2",
            "1970-01-01T00:00:00Z a=3",
        ],
    );
    ndjson(
        "[{\"ts\":0,\"a\":1}, {\"ts\":0,\"a\":2}]{\"ts\":0,\"a\":3}",
        &[
            "1970-01-01T00:00:00Z a=1",
            "1970-01-01T00:00:00Z a=2",
            "1970-01-01T00:00:00Z a=3",
        ],
    );
}

#[test]
fn an_object_that_does_not_end_costs_no_other() {
    let good = "1970-01-01T00:00:00Z a=1";
    for (broken, problem) in [
        (
            "{\"a\":",
            "line 1 [a]: at column 5, the text ends where a value should be: write one, or mend what was cut off",
        ),
        (
            "{\"a\":1,",
            "line 1: at column 7, the text ends where a value should be: write one, or mend what was cut off",
        ),
        (
            "{\"a\":[1,",
            "line 1 [a]: at column 8, the text ends where a value should be: write one, or mend what was cut off",
        ),
        (
            "{\"a\":{\"b\":1",
            "line 1 [a]: at column 11, the text ends inside an object: a } is missing, or the end was cut off",
        ),
        (
            "{\"msg\":\"cut of",
            "line 1 [msg]: at column 14, the text ends inside a string: a quote is missing, or the end was cut off",
        ),
    ] {
        ndjson(
            &format!("{broken}\n{{\"ts\":0,\"a\":1}}\n{{\"ts\":0,\"a\":1}}\n"),
            &[problem, good, good],
        );
    }
}

#[test]
fn many_fields_are_read_in_the_same_order() {
    let mut fields: Vec<String> = (0..100).map(|n| format!("\"m{n:02}\":{n}")).collect();
    let expected: String = (0..100).map(|n| format!(" m{n:02}={n}")).collect();
    let expected = format!("1970-01-01T00:00:00Z{expected}");
    ndjson(&format!("{{\"ts\":0,{}}}", fields.join(",")), &[&expected]);
    fields.reverse();
    ndjson(&format!("{{\"ts\":0,{}}}", fields.join(",")), &[&expected]);
    let labels: Vec<String> = (0..30).map(|n| format!("\"l{n:02}\":\"{n}\"")).collect();
    let expected: Vec<String> = (0..30).map(|n| format!("l{n:02}={n}")).collect();
    ndjson(
        &format!("{{\"ts\":0,\"a\":1,{}}}", labels.join(",")),
        &[&format!("1970-01-01T00:00:00Z {{{}}} a=1", expected.join(" "))],
    );
}
