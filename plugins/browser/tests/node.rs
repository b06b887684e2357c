//! The class as JavaScript calls it, in Node: `wasm-pack test --node plugins/browser`. What it says of every case of the
//! tests, and what becomes of it in a package, stands in `package.test.mjs`.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use js_sys::{Array, JSON, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;
use watchpost_browser::Watchpost;
use watchpost_detector::{Document, Emit, Input, Scorer, wire::Format};

const CSV: &[u8] = include_bytes!("../../../tests/cases/csv-spike/input.csv");
const LOG: &[u8] = include_bytes!("../../../tests/cases/text-records/input.log");

fn object(json: &str) -> JsValue {
    JSON::parse(json).unwrap()
}

/// What is said of an input in pieces of this size, and how many events it had.
fn said(input: &str, bytes: &[u8], size: usize) -> (Vec<u8>, u32) {
    let mut watchpost = Watchpost::new(&JsValue::NULL, None).unwrap();
    watchpost.begin(&object(input)).unwrap();
    let mut events = 0;
    for piece in bytes.chunks(size) {
        events += length(&watchpost.push(piece).unwrap(), "row");
    }
    events += length(&watchpost.finish().unwrap(), "row");
    watchpost.close().unwrap();
    (watchpost.said().to_vec(), events)
}

fn length(columns: &Object, name: &str) -> u32 {
    let column = Reflect::get(columns, &name.into()).unwrap();
    Reflect::get(&column, &"length".into()).unwrap().as_f64().unwrap() as u32
}

fn message(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .expect("what is thrown is an Error")
        .message()
        .into()
}

#[wasm_bindgen_test]
fn the_class_says_what_the_scorer_says_however_the_input_is_cut() {
    for (format, name, bytes) in [(Format::Csv, "csv", CSV), (Format::Text, "text", LOG)] {
        let mut scorer = Scorer::open("", None).unwrap();
        scorer.begin(Input {
            emit: Emit::All,
            ..Input::new(format)
        });
        let mut expected = Vec::new();
        scorer.push(bytes, &mut expected);
        scorer.finish(&mut expected);
        scorer.close(&mut expected);
        let input = format!(r#"{{"format": "{name}", "emit": "all"}}"#);
        let (whole, events) = said(&input, bytes, bytes.len());
        assert!(whole == expected, "{name}");
        assert!(events > 0, "{name}");
        for size in [1, 7, 64, 1000] {
            assert!(
                said(&input, bytes, size) == (expected.clone(), events),
                "{name} by {size}"
            );
        }
    }
}

#[wasm_bindgen_test]
fn what_is_wrong_is_told_in_the_words_of_the_detector() {
    let config = r#"{"detector":{"accept_after_minutes":0}}"#;
    let expected = watchpost_detector::parse_document::<Document>(config)
        .unwrap_err()
        .to_string();
    let error = Watchpost::new(&object(config), None).unwrap_err();
    assert_eq!(message(&error), format!("configuration: {expected}"));
    assert!(expected.contains("detector.accept_after_minutes"), "{expected}");
    let mut watchpost = Watchpost::new(&JsValue::UNDEFINED, None).unwrap();
    let error = watchpost.begin(&object(r#"{"interval_seconds": -1}"#)).unwrap_err();
    assert!(message(&error).contains("interval_seconds"));
}

#[wasm_bindgen_test]
fn a_snapshot_comes_back() {
    let mut watchpost = Watchpost::new(&JsValue::NULL, None).unwrap();
    watchpost.begin(&object(r#"{"format": "csv"}"#)).unwrap();
    watchpost.push(CSV).unwrap();
    watchpost.finish().unwrap();
    let snapshot = watchpost.snapshot().to_vec();
    let restored = Watchpost::new(&JsValue::NULL, Some(snapshot.clone())).unwrap();
    assert_eq!(restored.snapshot().to_vec(), snapshot);
    let error = Watchpost::new(&object(r#"{"detector":{"bounds":{"max_series":5}}}"#), Some(snapshot)).unwrap_err();
    assert!(message(&error).contains("max_series"));
}

#[wasm_bindgen_test]
fn names_are_told_once() {
    let mut watchpost = Watchpost::new(&JsValue::NULL, None).unwrap();
    watchpost.begin(&object(r#"{"format": "csv"}"#)).unwrap();
    let columns = watchpost.push(CSV).unwrap();
    assert_eq!(length(&columns, "value"), length(&columns, "value_series"));
    let count = |names: &JsValue, kind: &str| Array::from(&Reflect::get(names, &kind.into()).unwrap()).length();
    let names = watchpost.names().unwrap();
    assert_eq!((count(&names, "subjects"), count(&names, "groups")), (1, 0));
    assert!(count(&names, "series") > 0);
    assert_eq!(count(&watchpost.names().unwrap(), "series"), 0);
}
