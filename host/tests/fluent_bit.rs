//! The module for Fluent Bit, driven through the agent's ABI: it writes what `watchpost score` writes, and nothing that
//! an agent can hand over harms it. `cargo xtask test` builds the modules and says where they are.

#[allow(dead_code, reason = "shared with the other tests, of which each needs a part")]
mod support;

use std::env;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use support::{fed, stderr, variable};
use tempfile::TempDir;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use watchpost::guest::{Answer, Filter, Given, Limits, Shape};
use watchpost_detector::Timestamp;

const FUNCTION: &str = "watchpost_filter";

fn module() -> Vec<u8> {
    fs::read(variable("WATCHPOST_FLUENT_BIT_MODULE")).unwrap()
}

fn filter() -> Filter {
    Filter::load(&module(), FUNCTION, Limits::default(), None).unwrap()
}

/// Runs `watchpost` to its end, with this on standard input.
fn watchpost(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost"));
    command.args(arguments).current_dir(folder);
    fed(command, input)
}

fn simulated(stream: &str, duration: &str) -> Vec<u8> {
    let folder = TempDir::new().unwrap();
    let arguments = [
        "simulate",
        stream,
        "--duration",
        duration,
        "--seed",
        "3",
        "--anomalies",
        "1/hour",
    ];
    let output = watchpost(folder.path(), &arguments, b"");
    assert!(output.status.success(), "{}", stderr(&output));
    output.stdout
}

fn record(answer: &Answer) -> Value {
    match answer {
        Answer::Record(record) => serde_json::from_slice(record).unwrap(),
        answer => panic!("{answer:?}"),
    }
}

/// An hour of a service's log in which memory runs out once, as the agent's records.
fn log() -> Vec<u8> {
    let mut log = Vec::new();
    for n in 0..400 {
        let text = match n {
            350 => "FATAL out of memory: killed process 4242".to_owned(),
            n => format!("INFO GET /cart/{} took {} ms", n * 37 % 1000, 10 + n * 13 % 17),
        };
        writeln!(
            log,
            r#"{{"time":"2026-11-20T{:02}:{:02}:{:02}Z","log":"{text}"}}"#,
            9 + n / 360,
            n / 6 % 60,
            n % 6 * 10
        )
        .unwrap();
    }
    log
}

/// What the agent's runtime can load: no SIMD, and nothing to be had from outside.
#[test]
fn the_module_imports_nothing_and_needs_no_simd() {
    let module = module();
    let features = WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::FLOATS;
    Validator::new_with_features(features).validate_all(&module).unwrap();
    for payload in Parser::new(0).parse_all(&module) {
        assert!(!matches!(payload.unwrap(), Payload::ImportSection(_)));
    }
    assert_eq!(Shape::of(&module).unwrap(), Shape::Filter(vec![FUNCTION.to_owned()]));
    assert!(!filter().has_small_heap());
}

#[test]
fn verdicts_are_those_of_watchpost_score() {
    let folder = TempDir::new().unwrap();
    let module = variable("WATCHPOST_FLUENT_BIT_MODULE");
    let module = module.to_str().unwrap();
    let without_times = (0..500).fold(Vec::new(), |mut rows, n| {
        writeln!(
            rows,
            r#"{{"cpu":{},"service":"cart"}}"#,
            if n == 400 { 95 } else { 20 + n * 13 % 7 }
        )
        .unwrap();
        rows
    });
    let mut anomalies = 0;
    for input in [
        simulated("requests", "3h"),
        simulated("logs", "3h"),
        simulated("metrics", "6h"),
        log(),
        without_times,
    ] {
        let expected = watchpost(
            folder.path(),
            &["score", "--annotate", "--input=ndjson", "--quiet"],
            &input,
        );
        let found = watchpost(folder.path(), &["run", "--quiet", module], &input);
        assert!(found.status.success(), "{}", stderr(&found));
        let lines = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();
        let (expected, found) = (lines(&expected), lines(&found));
        anomalies += found.matches("\"phase\":\"onset\"").count();
        // What belongs to no line is a line of its own in a stream that ends; the agent's never does.
        for (at, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "line {at}");
        }
        assert_eq!(found.lines().count(), input.split(|byte| *byte == b'\n').count() - 1);
    }
    assert!(anomalies > 2, "only {anomalies} episodes were compared");
}

/// The time that the agent gives counts for records that tell none.
#[test]
fn a_record_without_a_time_is_of_the_agents() {
    let mut filter = filter();
    let start = Timestamp::from_nanos(1_763_629_200_000_000_000);
    let mut onset = None;
    for n in 0..300 {
        let time = start.plus_seconds(f64::from(n) * 10.0);
        let text = if n == 280 {
            "FATAL out of memory"
        } else {
            "INFO all is well"
        };
        let answer = filter.call("app.web", time, format!(r#"{{"log":"{text}"}}"#).as_bytes());
        if let Some(report) = record(&answer)["watchpost"]["reports"].get(0) {
            onset = onset.or(Some((n, report["timestamp"].clone())));
        }
    }
    let (row, timestamp) = onset.expect("it stands out");
    assert_eq!(row, 280);
    assert_eq!(timestamp.as_str().unwrap(), start.plus_seconds(2800.0).to_string());
}

#[test]
fn what_an_agent_can_hand_over_harms_nothing() {
    let mut filter = filter();
    let time = Timestamp::from_nanos(1_763_629_200_000_000_000);
    let mut call = |record: &[u8]| filter.call("tag", time, record);
    assert_eq!(call(b""), Answer::LeftOut);
    // What is no JSON is returned as it came, and what the agent makes of it is the agent's.
    for (text, told) in [
        (&b"no json"[..], "no json"),
        (b"{\"cpu\":", "{\\\"cpu\\\":"),
        (b"[1,2]", "[1,2]"),
    ] {
        let Answer::Dropped(why) = call(text) else {
            panic!("{text:?}")
        };
        assert!(why.contains(told), "{why}");
    }
    // A nought and the end of a line between tokens are spaces, so that the record does not end there.
    let spaced = record(&call(b"{\"cpu\":1,\n\"host\":\0\"a\"}"));
    assert_eq!(
        (&spaced["host"], &spaced["watchpost"]["anomaly"]),
        (&Value::from("a"), &Value::from(false))
    );
    let odd = record(&call(
        br#"{"text":"\u0000 \n \ud83d\ude00","deep":[[[[{}]]]],"nothing":null}"#,
    ));
    assert_eq!(odd["text"], "\0 \n 😀");
    assert!(matches!(call(br#"{"cpu":1e999}"#), Answer::Record(_)));
    for size in [64 << 10, 1_000_000, 10_000_000, 64] {
        let long = format!(r#"{{"message":"{}","n":{size}}}"#, "x y ".repeat(size / 4));
        let answer = call(long.as_bytes());
        let Answer::Record(answered) = &answer else {
            panic!("{answer:?}")
        };
        if size > 1 << 20 {
            assert!(
                *answered == long.as_bytes(),
                "what is too long to be judged passes as it came"
            );
        } else {
            assert!(answered.starts_with(&long.as_bytes()[..long.len() - 1]));
            assert_eq!(record(&answer)["watchpost"]["anomaly"], false);
        }
    }
}

/// The agent hands over null pointers when it gets no memory, and calls functions in any order.
#[test]
fn a_record_that_was_lost_is_told() {
    let engine = wasmtime::Engine::default();
    let module = wasmtime::Module::new(&engine, module()).unwrap();
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let malloc = instance.get_typed_func::<u32, u32>(&mut store, "malloc").unwrap();
    let free = instance.get_typed_func::<u32, ()>(&mut store, "free").unwrap();
    let function = instance
        .get_typed_func::<(u32, u32, u32, u32, u32, u32), u32>(&mut store, FUNCTION)
        .unwrap();
    let call = |store: &mut wasmtime::Store<()>, at, length| {
        let at = function.call(&mut *store, (0, 0, 1, 2, at, length)).unwrap() as usize;
        let text = &memory.data(&*store)[at..];
        let end = text.iter().position(|byte| *byte == 0).unwrap();
        serde_json::from_slice::<Value>(&text[..end]).unwrap()
    };
    for (at, length) in [(0, 123), (0, 0), (u32::MAX, 123), (1 << 20, u32::MAX)] {
        let told = call(&mut store, at, length)["watchpost"]["problem"].to_string();
        assert!(told.contains(&format!("a record of {length} bytes")), "{told}");
    }
    // More than there is: null, and no trap.
    assert_eq!(malloc.call(&mut store, u32::MAX).unwrap(), 0);
    free.call(&mut store, 0).unwrap();
    free.call(&mut store, 12_345).unwrap();
    let both = [
        malloc.call(&mut store, 10).unwrap(),
        malloc.call(&mut store, 8).unwrap(),
    ];
    assert!(both[0].abs_diff(both[1]) >= 10);
    memory.write(&mut store, both[1] as usize, b"{\"cpu\":1}").unwrap();
    assert_eq!(call(&mut store, both[1], 9)["watchpost"]["anomaly"], false);
    for at in both {
        free.call(&mut store, at).unwrap();
    }
    let again = malloc.call(&mut store, 8).unwrap();
    assert!(both.contains(&again), "memory is used again");
}

#[test]
fn memory_is_flat() {
    let mut filter = filter();
    let mut bytes = Vec::new();
    for n in 0_u64..300_000 {
        let time = Timestamp::from_nanos(1_763_629_200_000_000_000 + n as i64 * 50_000_000);
        let text = format!(
            r#"{{"service":"s{}","level":"info","message":"GET /cart/{} took {} ms"}}"#,
            n % 7,
            n * 37 % 1000,
            10 + n * 13 % 17
        );
        record_only(&filter.call("tag", time, text.as_bytes()));
        if n % 100_000 == 99_999 {
            bytes.push(filter.memory_bytes());
        }
    }
    assert_eq!(bytes[0], bytes[2], "{bytes:?}");
    assert!(bytes[2] < 64 << 20, "{bytes:?}");
}

fn record_only(answer: &Answer) {
    assert!(matches!(answer, Answer::Record(_)), "{answer:?}");
}

#[test]
fn a_configuration_and_a_state_are_written_into_the_module() {
    let folder = TempDir::new().unwrap();
    let module = variable("WATCHPOST_FLUENT_BIT_MODULE");
    let module = module.to_str().unwrap();
    let log = log();
    let end = |line: usize| {
        log.iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .nth(line - 1)
            .unwrap()
            .0
            + 1
    };
    fs::write(folder.path().join("before.ndjson"), &log[..end(345)]).unwrap();
    fs::write(
        folder.path().join("ours.yaml"),
        "detector:\n  false_alarms_per_day: 2\nrelay:\n  pass: anomalous\n  annotate: odd\n",
    )
    .unwrap();
    let run = |arguments: &[&str], input: &[u8]| {
        let output = watchpost(folder.path(), arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    fs::write(folder.path().join("two.yaml"), "detector: {false_alarms_per_day: 2}\n").unwrap();
    run(
        &[
            "score",
            "--quiet",
            "--input=ndjson",
            "--config=two.yaml",
            "--state=its.state",
            "before.ndjson",
        ],
        b"",
    );
    run(
        &[
            "embed",
            "--config=ours.yaml",
            "--state=its.state",
            module,
            "-o",
            "ours.wasm",
        ],
        b"",
    );
    let rest = &log[end(345)..];
    let passed = run(&["run", "--quiet", "ours.wasm"], rest);
    assert!(passed.lines().count() < 5, "{passed}");
    let strange: Value = serde_json::from_str(passed.lines().next().unwrap()).unwrap();
    assert_eq!(strange["odd"]["reports"][0]["severity"], "critical", "{passed}");
    // It is what the state knows: a module that has seen nothing cannot tell.
    run(&["embed", "--config=ours.yaml", "ours.wasm", "-o", "cold.wasm"], b"");
    assert_ne!(run(&["run", "--quiet", "cold.wasm"], rest), passed);

    for (config, told) in [
        ("detector:\n  budget: 3\n", "there is no field `budget`"),
        ("relay:\n  annotate: a b\n", "is no name for a field"),
        ("relay:\n  pass: some\n", "some"),
        ("detector: [", "wrong.yaml:"),
        ("detector: {bounds: {max_series: 7}}\n", "its.state"),
    ] {
        fs::write(folder.path().join("wrong.yaml"), config).unwrap();
        let mut arguments = vec!["embed", "--config=wrong.yaml", module, "-o", "wrong.wasm"];
        if told == "its.state" {
            arguments.push("--state=its.state");
        }
        let output = watchpost(folder.path(), &arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{config}: {}", stderr(&output));
        assert!(stderr(&output).contains(told), "{config}: {}", stderr(&output));
        assert!(!folder.path().join("wrong.wasm").exists());
    }
}

/// Of a module that was given something that it cannot use, every record says so and passes.
#[test]
fn a_module_that_cannot_work_says_so_in_every_record() {
    let given = Given {
        config: "{\"detector\":3}".to_owned(),
        state: None,
    };
    let module = given.write(&module()).unwrap();
    let mut filter = Filter::load(&module, FUNCTION, Limits::default(), None).unwrap();
    for _ in 0..3 {
        let answer = record(&filter.call("tag", Timestamp::default(), b"{\"cpu\":1}"));
        assert_eq!(answer["cpu"], 1);
        let problem = answer["watchpost"]["problem"].as_str().unwrap();
        assert!(problem.starts_with("configuration: "), "{problem}");
    }
}

/// After a trap the agent goes on with the same instance; nothing is judged then, and records say so.
#[test]
fn after_a_trap_records_pass_and_say_so() {
    let mut filter = Filter::load(&module(), FUNCTION, Limits::default(), Some(30_000_000)).unwrap();
    let time = Timestamp::default();
    record_only(&filter.call("tag", time, b"{\"cpu\":1}"));
    let long = format!(r#"{{"message":"{}"}}"#, "word ".repeat(200_000));
    let Answer::Dropped(why) = filter.call("tag", time, long.as_bytes()) else {
        panic!("it takes more than that")
    };
    assert!(why.contains("--fuel"), "{why}");
    let answer = record(&filter.call("tag", time, b"{\"cpu\":1}"));
    assert_eq!(answer["cpu"], 1);
    assert!(
        answer["watchpost"]["problem"]
            .as_str()
            .unwrap()
            .contains("restart the agent")
    );
}

/// The commands of the plugin's README, in a folder with what they need; its configurations name what is there.
#[cfg(unix)]
#[test]
fn the_readme_is_true() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/fluent-bit/README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("app.ndjson"), log()).unwrap();
    fs::write(folder.path().join("last-week.ndjson"), log()).unwrap();
    fs::create_dir_all(folder.path().join("target/wasm")).unwrap();
    let place = folder.path().join("target/wasm/watchpost-fluent-bit.wasm");
    fs::write(place, module()).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_watchpost")).parent().unwrap();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([program.to_owned()].into_iter().chain(env::split_paths(&path))).unwrap();
    let (mut commands, mut agents) = (0, 0);
    for block in readme.split("```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').unwrap();
        match language {
            "sh" => {
                for line in text.lines().filter(|line| line.starts_with("watchpost ")) {
                    let output = Command::new("sh")
                        .args(["-c", line])
                        .env("PATH", &path)
                        .current_dir(folder.path())
                        .output()
                        .unwrap();
                    assert!(output.status.success(), "{line}: {}", stderr(&output));
                    commands += 1;
                }
            }
            // The configuration of the module itself.
            "yaml" if text.contains("relay:") => fs::write(folder.path().join("watchpost.yaml"), text).unwrap(),
            "yaml" if text.starts_with("detector:") => fs::write(folder.path().join("detector.yaml"), text).unwrap(),
            "yaml" => {
                let agent: Value = serde_yaml_ng::from_str(text).unwrap();
                let filter = agent["pipeline"]["filters"].as_array().unwrap();
                let filter = filter.iter().find(|filter| filter["name"] == "wasm").unwrap();
                is_right(&|key: &str| filter[key].as_str().unwrap_or_default().to_owned());
                agents += 1;
            }
            "ini" => {
                let (_, filter) = text.split_once("Name             wasm").unwrap();
                is_right(&|key: &str| {
                    let mut lines = filter
                        .lines()
                        .map(|line| line.trim().split_once(' ').unwrap_or_default());
                    let found = lines.find(|(name, _)| name.eq_ignore_ascii_case(key));
                    found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
                });
                agents += 1;
            }
            _ => {}
        }
    }
    assert!(
        commands > 3 && agents == 2,
        "{commands} commands and {agents} configurations of the agent"
    );
}

fn is_right(value: &dyn Fn(&str) -> String) {
    assert_eq!(value("function_name"), FUNCTION);
    assert_eq!(value("event_format"), "json");
    assert!(value("wasm_path").ends_with(".wasm"));
    assert!(!value("wasm_stack_size").is_empty());
}
