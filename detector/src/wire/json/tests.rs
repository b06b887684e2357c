use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use super::*;

/// What serde_json makes of the object, flattened in the same way.
fn flatten(prefix: &str, depth: usize, map: &Map<String, Json>, into: &mut Vec<(String, Json)>) {
    for (name, value) in map {
        let name = format!("{prefix}{name}");
        match value {
            Json::Object(inner) if depth < DEEPEST_NAME => flatten(&format!("{name}."), depth + 1, inner, into),
            value => into.push((name, value.clone())),
        }
    }
}

fn shown(scan: &Scan, line: &str) -> Vec<(String, Json)> {
    let pairs = scan.pairs.iter().map(|pair| {
        let value = match pair.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(value),
            Value::Number(number, written) => {
                let expected: f64 = scan.text(written, line).parse().unwrap();
                assert_eq!(number.to_bits(), expected.to_bits(), "{}", scan.text(written, line));
                serde_json::from_str(scan.text(written, line)).unwrap()
            }
            Value::Text(text) => Json::String(scan.text(text, line).to_owned()),
            Value::List(list) => serde_json::from_str(scan.text(list, line)).unwrap(),
        };
        (scan.text(pair.name, line).to_owned(), value)
    });
    pairs.collect()
}

/// serde_json's map is in order and has no name twice.
fn in_order(mut pairs: Vec<(String, Json)>) -> Vec<(String, String)> {
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
        .into_iter()
        .map(|(name, value)| (name, value.to_string()))
        .collect()
}

/// What JSON calls blank, which is less than Unicode does.
fn is_blank(text: &str) -> bool {
    text.chars()
        .all(|character| matches!(character, ' ' | '\n' | '\t' | '\r'))
}

fn check(text: &str) {
    let mut scan = Scan::default();
    let found = scan.read(text);
    match serde_json::from_str::<Json>(text) {
        Ok(Json::Object(map)) => {
            let end = found.unwrap_or_else(|| panic!("refused {text:?}"));
            assert!(is_blank(&text[end..]), "{text:?}");
            let mut expected = Vec::new();
            flatten("", 1, &map, &mut expected);
            let mut pairs = shown(&scan, text);
            if pairs.len() == expected.len() {
                assert_eq!(in_order(pairs), in_order(expected), "{text:?}");
            } else {
                // A name came twice: serde_json keeps the last one.
                pairs.retain(|pair| expected.contains(pair));
                assert!(pairs.len() >= expected.len(), "{text:?}");
            }
        }
        Ok(_) => assert_eq!(found, None, "{text:?}"),
        Err(error) => {
            // What follows an object is not looked at.
            let whole = found.is_some_and(|end| !is_blank(&text[end..]));
            assert!(found.is_none() || whole, "accepted {text:?}: {error}");
        }
    }
}

#[test]
fn the_same_texts_are_json() {
    for text in [
        "{}",
        " { } ",
        "{\"a\":1}",
        "{\"a\" : -0 , \"b\":-0.0,\"c\":0.1,\"d\":1e5,\"e\":1E-5,\"f\":1.5e+3}",
        "{\"a\":123456789012345678901234567890,\"b\":0.1234567890123456789,\"c\":5e-324,\"d\":1.7976931348623157e308}",
        "{\"a\":9007199254740993,\"b\":999999999999999.9,\"c\":0.000000000000001,\"d\":99999999999999999}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":1e999}",
        "{\"a\":[1e999]}",
        "{\"a\":NaN}",
        "{\"a\":tru}",
        "{\"a\":truefalse}",
        "{\"a\":true false}",
        "{\"a\":\"\\u00e9\\ud83d\\ude00\\n\\/\\b\\f\\r\\t\\\"\\\\\"}",
        "{\"a\":\"\\ud83d\"}",
        "{\"a\":\"\\ude00\"}",
        "{\"a\":\"\\ud83d\\u0041\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u+123\"}",
        "{\"a\":\"\u{1f}\"}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\u{7f}é漢😀\"}",
        "{\"a\":\"12345678\u{1}\"}",
        "{\"a\":\"\u{80}\u{81}\u{a0}\u{a2}\u{dc}12\"}",
        "{\"a\":{\"b\":{\"c\":1,\"\":2}},\"\":{\"\":3}}",
        "{\"\\u0061\":{\"\\u0062\":1}}",
        "{\"a\":[1,{\"b\":[\"\\u0061\"]}],\"c\":2}",
        "{\"a\":[1,]}",
        "{\"a\":[,1]}",
        "{\"a\":[1 2]}",
        "{\"a\":[{\"b\"}]}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1",
        "{\"a\":\"",
        "{\"a\":[",
        "{\"a\":{\"b\":1}",
        "[]",
        "1",
        "",
        "{\"a\":1}}",
        "{\"a\":1}\u{b}",
        "{\"a\":1,\"a\":2}",
    ] {
        check(text);
    }
    for depth in [1, 7, 8, 9, 126, 127, 128, 129, 1_000] {
        check(&format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)));
        check(&format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)));
        check(&format!(
            "{{\"a\":{}1{}}}",
            "[{\"b\":".repeat(depth),
            "}]".repeat(depth)
        ));
    }
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        (0u32..2_000_000, 1u32..1_000_000).prop_map(|(n, parts)| Json::from(f64::from(n) / f64::from(parts))),
        (0u32..2_000_000, 0usize..9)
            .prop_map(|(n, digits)| { serde_json::from_str(&format!("{n}.{}", "7".repeat(digits + 1))).unwrap() }),
        any::<String>().prop_map(Json::from),
        "[a-z\\\\\"\u{0}-\u{1f}é漢😀]{0,20}".prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            proptest::collection::hash_map("[a-z.\\\\\"é]{0,10}", inner, 0..5)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn objects_read_as_serde_json_reads_them(
        map in proptest::collection::hash_map("[a-zA-Z_.é\\\\\"]{0,12}", json(), 0..8),
        pretty in any::<bool>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<char>(), any::<bool>()), 0..3),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let json = Json::Object(map.into_iter().collect());
        let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) };
        let mut text: Vec<char> = text.unwrap().chars().collect();
        for (at, character, replace) in changes {
            const COMMON: [char; 20] = [
                '"', '\\', '{', '}', '[', ']', ':', ',', '0', '1', '-', '.', 'e', 'u', 'd', '8', ' ', '\n', 't', 'n',
            ];
            let at = at.index(text.len());
            let character = if (character as u32).is_multiple_of(2) {
                COMMON[character as usize / 2 % COMMON.len()]
            } else {
                character
            };
            if replace {
                text[at] = character;
            } else {
                text.insert(at, character);
            }
        }
        if let Some(cut) = cut {
            text.truncate(cut.index(text.len()));
        }
        check(&text.into_iter().collect::<String>());
    }
}
