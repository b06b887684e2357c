use super::*;
use crate::{Detector, Emit, Input, Scorer, wire::Format};

/// Scores bytes line by line in chunks of this size and relays them; returns what is passed on, and what is said aside.
fn relay(config: RelayConfig, format: Format, bytes: &[u8], chunk: usize) -> (String, String, Relayed) {
    let mut scorer = Scorer::new(Detector::new(crate::Config::default()));
    scorer.begin(Input {
        line_by_line: true,
        emit: Emit::All,
        ..Input::new(format)
    });
    let mut relay = Relay::new(config);
    let (mut said, mut out, mut aside) = (Vec::new(), Vec::new(), Vec::new());
    for chunk in bytes.chunks(chunk) {
        said.clear();
        scorer.push(chunk, &mut said);
        relay.pass(chunk, &said, &mut out, &mut aside);
    }
    said.clear();
    scorer.finish(&mut said);
    relay.finish(&said, &mut out, &mut aside);
    said.clear();
    scorer.close(&mut said);
    relay.aside(&said, &mut out, &mut aside);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(out), text(aside), relay.relayed())
}

fn annotated() -> RelayConfig {
    RelayConfig {
        annotate: Some(FieldName::default()),
        ..RelayConfig::default()
    }
}

fn log() -> String {
    let mut log = String::new();
    for n in 0..300 {
        let (minute, second) = (n / 6, n % 6 * 10);
        log.push_str(&format!(
            "2026-11-20 09:{minute:02}:{second:02} INFO GET /cart took {} ms\n",
            10 + n % 7
        ));
    }
    log.push_str("2026-11-20 09:50:00 FATAL out of memory: killed process 4242\n");
    log.push_str("2026-11-20 09:50:10 INFO GET /cart took 11 ms\n");
    log
}

#[test]
fn lines_are_passed_on_to_the_byte_however_they_are_cut() {
    let text = "{\"cpu\":1.0}\r\n\n{\"cpu\":\n\u{e9} no json\n  {\"cpu\": 2.0} \n{\"cpu\":3}";
    for chunk in [1, 2, 7, 1000] {
        let (passed, aside, relayed) = relay(RelayConfig::default(), Format::Ndjson, text.as_bytes(), chunk);
        assert_eq!(passed, text, "chunks of {chunk}");
        assert_eq!(aside.matches("\"problem\"").count(), 2, "{aside}");
        assert_eq!((relayed.lines, relayed.unread), (6, 2));
    }
}

#[test]
fn the_format_is_found_out_and_no_line_is_lost() {
    let log = log();
    for chunk in [1, 100, 100_000] {
        let (passed, aside, _) = relay(RelayConfig::default(), Format::Auto, log.as_bytes(), chunk);
        assert_eq!(passed, log);
        assert!(aside.starts_with("{\"note\":\"read as log lines"), "{aside}");
    }
}

#[test]
fn lines_are_routed_by_what_is_strange_in_them() {
    let log = log();
    let with = |pass, sample: u64| RelayConfig {
        pass,
        sample: NonZeroU64::new(sample),
        ..RelayConfig::default()
    };
    let (strange, _, relayed) = relay(with(Pass::Anomalous, 0), Format::Text, log.as_bytes(), 4096);
    assert_eq!(
        strange,
        "2026-11-20 09:50:00 FATAL out of memory: killed process 4242\n"
    );
    assert_eq!(
        (relayed.lines, relayed.anomalous, relayed.passed, relayed.sampled),
        (302, 1, 1, 0)
    );
    let (usual, _, relayed) = relay(with(Pass::Normal, 0), Format::Text, log.as_bytes(), 4096);
    assert!(!usual.contains("FATAL") && relayed.passed == 301);
    let (sampled, _, relayed) = relay(with(Pass::Anomalous, 100), Format::Text, log.as_bytes(), 4096);
    assert!(sampled.contains("FATAL"));
    assert_eq!((relayed.passed, relayed.sampled), (5, 4));
}

#[test]
fn a_line_carries_its_verdict_and_what_was_reported_with_it() {
    let (passed, ..) = relay(annotated(), Format::Text, log().as_bytes(), 4096);
    let lines: Vec<serde_json::Value> = passed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let fatal = &lines[300];
    assert_eq!(
        fatal["message"],
        "2026-11-20 09:50:00 FATAL out of memory: killed process 4242"
    );
    assert_eq!(fatal["watchpost"]["row"], 300);
    assert_eq!(fatal["watchpost"]["anomaly"], true);
    assert_eq!(fatal["watchpost"]["reports"][0]["severity"], "critical");
    assert_eq!(lines[0]["watchpost"]["anomaly"], false);
    assert!(lines[0]["watchpost"].get("reports").is_none());
}

/// Two members of a name are an object that every reader takes for another one.
#[test]
fn a_field_that_is_there_already_is_replaced() {
    let annotate = |envelope, line: &str| {
        let mut relay = Relay::new(RelayConfig {
            envelope,
            ..annotated()
        });
        let mut out = Vec::new();
        let said = "{\"row\":0,\"anomaly\":true}\n";
        relay.pass(
            format!("{line}\n").as_bytes(),
            said.as_bytes(),
            &mut out,
            &mut Vec::new(),
        );
        String::from_utf8(out).unwrap()
    };
    let verdict = r#""watchpost":{"row":0,"anomaly":true}"#;
    for (line, expected) in [
        (r#"{"watchpost": 1, "a": 2}"#, r#"{ "a": 2,VERDICT}"#),
        (
            r#"{"a": 2, "watchpost" : {"row": 7, "reports": [{}, ","]} }"#,
            r#"{"a": 2,VERDICT}"#,
        ),
        (
            r#"{"a": 2, "watchpost": "x,\"}", "b": [1, 2]}"#,
            r#"{"a": 2,  "b": [1, 2],VERDICT}"#,
        ),
        (r#"{"watchpost": null, "watchpost": [1, 2]}"#, r#"{VERDICT}"#),
        (
            r#"{"a": {"watchpost": 1}, "b": "watchpost"}"#,
            r#"{"a": {"watchpost": 1}, "b": "watchpost",VERDICT}"#,
        ),
        (
            r#"{"a": ["watchpost", 1], "watchposts": 1}"#,
            r#"{"a": ["watchpost", 1], "watchposts": 1,VERDICT}"#,
        ),
    ] {
        let expected = expected.replace("VERDICT", verdict) + "\n";
        assert_eq!(annotate(Envelope::Object, line), expected);
    }
    assert_eq!(
        annotate(Envelope::NativeJson, r#"{"log":{"watchpost":{"row":1},"a":1}}"#),
        format!("{{\"log\":{{\"a\":1,{verdict}}}}}\n")
    );
}

#[test]
fn a_line_in_which_nothing_is_strange_can_stay_as_it_came() {
    let config = RelayConfig {
        only_strange: true,
        ..annotated()
    };
    let log = log();
    let (passed, _, relayed) = relay(config, Format::Text, log.as_bytes(), 4096);
    assert_eq!((relayed.passed, relayed.anomalous), (302, 1));
    // The line that is strange, and what belongs to no line.
    let changed: Vec<_> = passed.lines().filter(|line| !log.contains(line)).collect();
    let [fatal, last] = changed[..] else {
        panic!("{changed:?}")
    };
    assert!(
        fatal.contains("\"anomaly\":true") && fatal.contains("\"phase\":\"onset\""),
        "{fatal}"
    );
    assert!(last.starts_with("{\"watchpost\":{\"reports\":["), "{last}");
}

/// What hosts embed is what the detector wrote, to the byte.
#[test]
fn a_verdict_is_embedded_as_it_was_written() {
    let row = br#"{"row":7,"score":0.5,"surprise":0.30102999566398120,"anomaly":true,"onset":true}"#;
    let mut said = br#"{"timestamp":"2026-11-20T09:00:00Z","surprise":1.0}"#.to_vec();
    said.push(b'\n');
    said.extend_from_slice(row);
    let mut relay = Relay::new(annotated());
    let (mut out, mut aside) = (Vec::new(), Vec::new());
    relay.pass(b"{\"a\":{}} \r\n", &said, &mut out, &mut aside);
    let verdict = std::str::from_utf8(&row[..row.len() - 1]).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        format!(
            "{{\"a\":{{}},\"watchpost\":{verdict},\"reports\":[{{\"timestamp\":\"2026-11-20T09:00:00Z\",\"surprise\":1.0}}]}}}}\n"
        )
    );
}

#[test]
fn events_of_vector_are_annotated_inside() {
    let config = RelayConfig {
        envelope: Envelope::NativeJson,
        ..annotated()
    };
    let said = "{\"row\":0,\"anomaly\":true}\n";
    let annotate = |line: &str| {
        let mut relay = Relay::new(config.clone());
        let mut out = Vec::new();
        relay.pass(line.as_bytes(), said.as_bytes(), &mut out, &mut Vec::new());
        let text = String::from_utf8(out).unwrap();
        let _: serde_json::Value = serde_json::from_str(&text).unwrap();
        text
    };
    assert_eq!(
        annotate("{\"log\":{\"message\":\"}\"}}\n"),
        "{\"log\":{\"message\":\"}\",\"watchpost\":{\"row\":0,\"anomaly\":true}}}\n"
    );
    assert_eq!(
        annotate("{\"log\":{}}\n"),
        "{\"log\":{\"watchpost\":{\"row\":0,\"anomaly\":true}}}\n"
    );
    assert_eq!(
        annotate("{ \"trace\" : { \"a\" : 1 } } \n"),
        "{ \"trace\" : { \"a\" : 1 ,\"watchpost\":{\"row\":0,\"anomaly\":true}} }\n"
    );
    assert_eq!(
        annotate("{\"metric\":{\"name\":\"tags\",\"tags\":{\"k\":\"\\\"}\"},\"gauge\":{\"value\":1.0}}}\n"),
        "{\"metric\":{\"name\":\"tags\",\"tags\":{\"watchpost_anomaly\":\"true\",\"k\":\"\\\"}\"},\"gauge\":{\"value\":1.0}}}\n"
    );
    assert_eq!(
        annotate("{\"metric\":{\"name\":\"n\",\"gauge\":{\"value\":1.0}}}\n"),
        "{\"metric\":{\"tags\":{\"watchpost_anomaly\":\"true\"},\"name\":\"n\",\"gauge\":{\"value\":1.0}}}\n"
    );
    assert!(
        annotate("{\"metric\":{\"name\":\"n\",\"tags\":{}}}\n").contains("\"tags\":{\"watchpost_anomaly\":\"true\"}")
    );
    for other in [
        "[{\"log\":{\"message\":\"up\"}}]\n",
        "{\"metric\":{\"name\":\"n\",\"tags\":null}}\n",
    ] {
        assert_eq!(annotate(other), other);
    }
}

/// What Vector writes and would refuse is mended; nothing else is touched.
#[test]
fn events_of_vector_pass_to_the_byte_but_for_bare_tags() {
    let pass = |line: &str| {
        let mut relay = Relay::new(RelayConfig {
            envelope: Envelope::NativeJson,
            ..RelayConfig::default()
        });
        let mut out = Vec::new();
        relay.pass(
            line.as_bytes(),
            b"{\"row\":0,\"anomaly\":false}\n",
            &mut out,
            &mut Vec::new(),
        );
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        pass(
            "{\"metric\":{\"name\":\"n\",\"tags\":{\"a\":null,\"b\": \"null\",\"c\":[null], \"d\" : null },\"gauge\":{\"value\":null}}}\r\n"
        ),
        "{\"metric\":{\"name\":\"n\",\"tags\":{\"a\":[null],\"b\": \"null\",\"c\":[null], \"d\" : [null] },\"gauge\":{\"value\":null}}}\r\n"
    );
    for line in [
        "{\"log\":{\"tags\":{\"a\":null}}}\r\n",
        "{\"metric\":{\"name\":\"n\",\"tags\":null}} \n",
        "{\"event\":{\"metric\":{\"tagsV1\":{\"a\":null}}}}\n",
        "[{\"metric\":{\"tags\":{\"a\":null}}}]\n",
        "{\"metric\":{\"tags\":{\"a\":null}},\"b\":{\"tags\":{}}}\n",
        "{\"metric\":null\n",
        "null\n",
        "\n",
    ] {
        assert_eq!(pass(line), line);
    }
}

#[test]
fn events_in_the_json_of_protobuf_are_annotated_in_it() {
    let config = RelayConfig {
        envelope: Envelope::NativeJson,
        ..annotated()
    };
    let said = "{\"row\":0,\"score\":0.5,\"anomaly\":true,\"template\":\"up\",\"x\":[null]}\n";
    let annotate = |line: &str| {
        let mut relay = Relay::new(config.clone());
        let mut out = Vec::new();
        relay.pass(line.as_bytes(), said.as_bytes(), &mut out, &mut Vec::new());
        String::from_utf8(out).unwrap()
    };
    let verdict = "\"watchpost\":{\"map\":{\"fields\":{\"anomaly\":{\"boolean\":true},\"row\":{\"integer\":\"0\"},\
                   \"score\":{\"float\":0.5},\"template\":{\"rawBytes\":\"dXA=\"},\
                   \"x\":{\"array\":{\"items\":[{\"null\":\"NULL_VALUE\"}]}}}}}";
    assert_eq!(
        annotate(
            "{\"event\":{\"log\":{\"value\":{\"map\":{\"fields\":{\"a\":{\"integer\":\"1\"}}}},\"metadata\":{\"map\":{}}}}}\n"
        ),
        format!(
            "{{\"event\":{{\"log\":{{\"value\":{{\"map\":{{\"fields\":{{\"a\":{{\"integer\":\"1\"}},{verdict}}}}}}},\"metadata\":{{\"map\":{{}}}}}}}}}}\n"
        )
    );
    assert_eq!(
        annotate("{\"event\":{\"trace\":{\"fields\":{}}}}\n"),
        format!("{{\"event\":{{\"trace\":{{\"fields\":{{{verdict}}}}}}}}}\n")
    );
    assert_eq!(
        annotate("{\"event\":{\"metric\":{\"name\":\"n\"}}}\n"),
        "{\"event\":{\"metric\":{\"tagsV2\":{\"watchpost_anomaly\":{\"values\":[{\"value\":\"true\"}]}},\"name\":\"n\"}}}\n"
    );
}

#[test]
fn a_field_has_a_plain_name() {
    assert!(FieldName::try_from("@anomaly.v1".to_owned()).is_ok());
    for name in ["", "a\"b", "ä", &"a".repeat(65)] {
        assert!(FieldName::try_from(name.to_owned()).is_err());
    }
}

/// It is not judged, so nobody may leave it out; and it is passed on while it comes.
#[test]
fn a_line_that_is_too_long_is_passed_on() {
    let mut bytes = vec![b'x'; MAX_LINE_BYTES + 10];
    bytes.extend_from_slice(b"\nINFO fine\n");
    for (pass, fine) in [(Pass::All, "INFO fine\n"), (Pass::Anomalous, "")] {
        let config = RelayConfig {
            pass,
            ..RelayConfig::default()
        };
        let (passed, aside, relayed) = relay(config, Format::Text, &bytes, 10_000);
        assert_eq!(passed.len(), MAX_LINE_BYTES + 11 + fine.len());
        assert!(passed.ends_with(&format!("x\n{fine}")));
        assert!(aside.contains("longer than"));
        assert_eq!((relayed.lines, relayed.unread), (2, 1));
    }
}
