//! `watchpost run`: tells modules apart, and drives each as its host would, whatever it does.

#[allow(dead_code, reason = "shared with the other tests, of which each needs a part")]
mod support;

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use support::{fed, variable};
use tempfile::TempDir;

/// Runs `watchpost` to its end, with this on standard input.
fn watchpost(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost"));
    command.args(arguments).current_dir(folder);
    fed(command, input)
}

/// The exit code, standard output and standard error of a module in text form that gets three records, or arguments.
fn run(wat: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("its.wasm"), wat::parse_str(wat).unwrap()).unwrap();
    let mut all = vec!["run"];
    let (options, behind): (Vec<&str>, Vec<&str>) = match arguments.iter().position(|argument| *argument == "--") {
        Some(at) => (arguments[..at].to_vec(), arguments[at..].to_vec()),
        None => (arguments.to_vec(), Vec::new()),
    };
    all.extend(options);
    all.push("its.wasm");
    all.extend(behind);
    let output = watchpost(folder.path(), &all, b"{\"n\":1}\n\nno json\n{\"n\":3}");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A filter with this body, over a memory that begins with `{"a":1}` at 8 and `no json` at 32.
fn filter(body: &str, exports: &str) -> String {
    format!(
        r#"(module
            (memory (export "memory") 1)
            (data (i32.const 8) "{{\"a\":1}}\00")
            (data (i32.const 32) "no json\00")
            {exports}
            (func (export "its_filter")
                (param $tag i32) (param $tags i32) (param $sec i32) (param $nsec i32) (param $at i32) (param $len i32)
                (result i32)
                {body}))"#
    )
}

/// An allocator that never gives anything back.
const MALLOC: &str = r#"
    (global $next (mut i32) (i32.const 1024))
    (func (export "malloc") (param i32) (result i32)
        (global.get $next)
        (global.set $next (i32.add (global.get $next) (local.get 0))))
    (func (export "free") (param i32))"#;

#[test]
fn a_filter_is_driven_as_the_agent_drives_it() {
    // As they came, a line that is no object as the agent's inputs would hand it over, and a blank line not at all.
    assert_eq!(
        run(&filter("local.get $at", MALLOC), &["--quiet"]),
        (
            Some(0),
            "{\"n\":1}\n{\"log\":\"no json\"}\n{\"n\":3}\n".to_owned(),
            String::new()
        )
    );
    // The tag, the time in seconds and its rest are what is asked for: only then is the record another one.
    let asked = "(if (result i32)
            (i32.and
                (i32.and
                    (i32.eq (i32.load8_u (local.get $tag)) (i32.const 120))
                    (i32.eqz (i32.load8_u (i32.add (local.get $tag) (local.get $tags)))))
                (i32.and
                    (i32.eq (local.get $sec) (i32.const 3))
                    (i32.eq (local.get $nsec) (i32.const 0))))
            (then (i32.const 8))
            (else (local.get $at)))";
    let (code, stdout, _) = run(&filter(asked, MALLOC), &["--tag=x", "--interval=1.5", "--quiet"]);
    assert_eq!(
        (code, &*stdout),
        (Some(0), "{\"n\":1}\n{\"log\":\"no json\"}\n{\"a\":1}\n")
    );
    // An empty text leaves a record out, and is no failure.
    let (code, stdout, stderr) = run(&filter("i32.const 16", MALLOC), &[]);
    assert_eq!((code, &*stdout), (Some(0), ""));
    assert!(
        stderr.contains("passed 0 of 3 records on; 3 left out, 0 dropped"),
        "{stderr}"
    );
}

#[test]
fn what_a_filter_does_wrong_drops_the_record_and_is_told() {
    let endless = "(loop (br 0)) i32.const 8";
    let greedy = "(drop (memory.grow (i32.const 65535))) unreachable";
    let late = "(if (i32.eqz (local.get $sec)) (then unreachable)) local.get $at";
    for (body, arguments, passed, told) in [
        (
            "unreachable",
            &[][..],
            0,
            "stdin:1: dropped: it trapped: wasm trap: wasm `unreachable` instruction executed",
        ),
        (
            "i32.const -5",
            &[],
            0,
            "stdin:4: dropped: the filter returned no text within its memory",
        ),
        ("i32.const 32", &[], 0, "no JSON object: \"no json\""),
        (endless, &["--fuel=100000"], 0, "more instructions than it may"),
        (greedy, &["--memory=10"], 0, "more memory than 10 MiB"),
        // The same instance goes on.
        (late, &[], 2, "passed 2 of 3 records on; 0 left out, 1 dropped"),
    ] {
        let (code, stdout, stderr) = run(&filter(body, MALLOC), arguments);
        assert_eq!((code, stdout.lines().count()), (Some(1), passed), "{body}: {stderr}");
        assert!(stderr.contains(told), "{body}: {stderr}");
    }
}

/// Without `malloc` and `free` there are 8 KiB for the tag and the record, and larger records are null pointers.
#[test]
fn a_module_without_an_allocator_has_the_agents_heap() {
    let folder = TempDir::new().unwrap();
    let body = "(if (result i32) (local.get $at) (then (local.get $at)) (else (i32.const 8)))";
    fs::write(
        folder.path().join("its.wasm"),
        wat::parse_str(filter(body, "")).unwrap(),
    )
    .unwrap();
    let short = format!("{{\"x\":\"{}\"}}", "a".repeat(8000));
    let long = format!("{{\"x\":\"{}\"}}", "a".repeat(12_000));
    let output = watchpost(
        folder.path(),
        &["run", "its.wasm"],
        format!("{short}\n{long}\n{short}\n").as_bytes(),
    );
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout, format!("{short}\n{{\"a\":1}}\n{short}\n"));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("does not export `malloc` and `free`"), "{stderr}");
}

#[test]
fn what_is_no_module_that_can_be_run_is_named() {
    let lifted = |exports: &str| {
        format!(
            r#"(component
                (core module $m (func (export "f")))
                (core instance $i (instantiate $m))
                (func $f (canon lift (core func $i "f")))
                {exports})"#
        )
    };
    let all = ["configure", "push", "snapshot"].map(|name| format!("(export \"{name}\" (func $f))"));
    let simd = "(drop (i32x4.splat (i32.const 1))) local.get $at";
    let second = r#"(func (export "other") (param i32 i32 i32 i32 i32 i32) (result i32) i32.const 8)"#;
    for (wat, arguments, code, told) in [
        (
            "(module)".to_owned(),
            &[][..],
            2,
            "this module is no command (it has no _start) and no filter of Fluent Bit; it exports nothing",
        ),
        (
            "(module (func (export \"f\")) (func (export \"g\")))".to_owned(),
            &[],
            2,
            "it exports f, g",
        ),
        (
            lifted("(export \"f\" (func $f))"),
            &[],
            2,
            "this component is no command (it has no wasi:cli/run)",
        ),
        (lifted(&all.concat()), &[], 2, "watchpost score --engine"),
        (
            "(module (func (export \"proxy_abi_version_0_2_1\")))".to_owned(),
            &[],
            2,
            "does not drive yet",
        ),
        (
            filter("local.get $at", second),
            &[],
            2,
            "name one of its functions with `--function`: other, its_filter",
        ),
        (filter("local.get $at", MALLOC), &["--function=x"], 2, "its_filter"),
        (filter("local.get $at", MALLOC), &["--", "x"], 2, "has no arguments"),
        (filter(simd, MALLOC), &[], 1, "SIMD"),
        (
            "(module (import \"env\" \"f\" (func)) (func (export \"_start\")))".to_owned(),
            &[],
            1,
            "env",
        ),
        (
            "(module (func (export \"_start\")))".to_owned(),
            &["--dir=missing"],
            1,
            "missing",
        ),
        (
            "(module (func (export \"_start\")))".to_owned(),
            &["--memory=0"],
            2,
            "--memory",
        ),
    ] {
        let (found, _, stderr) = run(&wat, arguments);
        assert_eq!(found, Some(code), "{wat}: {stderr}");
        assert!(stderr.contains(told), "{wat}: {stderr}");
    }
    let folder = TempDir::new().unwrap();
    for (bytes, told) in [
        (&b""[..], "this is not a wasm file"),
        (b"just a text\n", "this is not a wasm file"),
        (b"\0asm\x01\0\0\0\x01\x90", "no wasm that can be read"),
        (b"\0asm\x09\0\0\0", "no wasm that can be read"),
    ] {
        fs::write(folder.path().join("its.wasm"), bytes).unwrap();
        let output = watchpost(folder.path(), &["run", "its.wasm"], b"");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(told), "{stderr}");
    }
    let output = watchpost(folder.path(), &["run", "missing.wasm"], b"");
    assert_eq!(output.status.code(), Some(1));
}

/// Programs in either version of WASI: what they end with, and what they may not exceed.
#[test]
fn a_command_ends_with_its_own_code() {
    let exits = |code: i32| {
        format!(
            r#"(module
                (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1)
                (func (export "_start") (call $exit (i32.const {code}))))"#
        )
    };
    let component = |result: i32| {
        format!(
            r#"(component
                (core module $m (func (export "run") (result i32) i32.const {result}))
                (core instance $i (instantiate $m))
                (func $run (result (result)) (canon lift (core func $i "run")))
                (instance $r (export "run" (func $run)))
                (export "wasi:cli/run@0.2.0" (instance $r)))"#
        )
    };
    let module = |body: &str| format!("(module (memory 1) (func (export \"_start\") {body}))");
    for (wat, arguments, code, told) in [
        (module(""), &[][..], 0, ""),
        (exits(0), &[], 0, ""),
        (exits(42), &[], 42, ""),
        (component(0), &[], 0, ""),
        (component(1), &[], 1, ""),
        (
            module("unreachable"),
            &[],
            1,
            "it trapped: wasm trap: wasm `unreachable` instruction executed",
        ),
        (
            module("(loop (br 0))"),
            &["--fuel=100000"],
            6,
            "more instructions than it may",
        ),
        (
            module("(drop (memory.grow (i32.const 65535))) unreachable"),
            &["--memory=1"],
            6,
            "more memory than 1 MiB",
        ),
    ] {
        let (found, _, stderr) = run(&wat, arguments);
        assert_eq!(found, Some(code), "{wat}: {stderr}");
        assert!(stderr.contains(told), "{wat}: {stderr}");
    }
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("its.wasm"), wat::parse_str(module("")).unwrap()).unwrap();
    let output = watchpost(folder.path(), &["run", "its.wasm", "x"], b"");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("write `-- x`"), "{stderr}");
}

/// The WASI command does here what it does under other runtimes: arguments, streams, folders, exit codes.
#[test]
fn the_command_of_ours_runs() {
    let folder = TempDir::new().unwrap();
    let module = variable("WATCHPOST_CLI_MODULE");
    let module = module.to_str().unwrap();
    let log: String = (0..400)
        .map(|n| match n {
            350 => "2026-11-20 09:58:20 FATAL out of memory: killed process 4242\n".to_owned(),
            n => format!(
                "2026-11-20 {:02}:{:02}:{:02} INFO GET /cart took {} ms\n",
                9 + n / 360,
                n / 6 % 60,
                n % 6 * 10,
                10 + n * 13 % 17
            ),
        })
        .collect();
    let options = [
        "score",
        "--input=text",
        "--output=ndjson",
        "--exit-code",
        "--state=its.state",
    ];
    let mut arguments = vec!["run", "--dir=.", module, "--"];
    arguments.extend(options);
    let found = watchpost(folder.path(), &arguments, log.as_bytes());
    let state = fs::read(folder.path().join("its.state")).unwrap();
    fs::remove_file(folder.path().join("its.state")).unwrap();
    let expected = watchpost(folder.path(), &options, log.as_bytes());
    assert_eq!(
        found.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&found.stderr)
    );
    assert!(found.stdout == expected.stdout && found.stdout.starts_with(b"{"));
    assert!(state == fs::read(folder.path().join("its.state")).unwrap());
    // What it is not given it cannot reach.
    let output = watchpost(folder.path(), &["run", module, "--", "score", "its.state"], b"");
    assert_eq!(output.status.code(), Some(1));
    // A folder under another name.
    fs::create_dir(folder.path().join("logs")).unwrap();
    fs::write(folder.path().join("logs/app.log"), &log).unwrap();
    let arguments = [
        "run",
        "--dir=logs::/in",
        module,
        "--",
        "score",
        "--quiet",
        "--exit-code",
        "/in/app.log",
    ];
    let output = watchpost(folder.path(), &arguments, b"");
    assert_eq!(
        output.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
