//! The WASI command under real runtimes, the wasmtime CLI and Node: it writes what `watchpost` writes, and it can be relied
//! on in a pipe. `cargo xtask test` installs the runtimes and says where they are.

#[allow(dead_code, reason = "shared with the other tests, of which each needs a part")]
mod support;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use support::{fed, piped, stderr, variable};
use tempfile::TempDir;

#[path = "wasi/vector.rs"]
mod vector;

/// What runs the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runtime {
    Wasmtime,
    Node,
}

impl Runtime {
    /// The command in this folder, which is all it may reach.
    fn command(self, folder: &Path, arguments: &[&str]) -> Command {
        let module = variable("WATCHPOST_CLI_MODULE");
        let mut command = match self {
            Runtime::Wasmtime => {
                let mut command = Command::new(variable("WATCHPOST_WASMTIME"));
                command.args(["run", "--dir", "."]).arg(module);
                command
            }
            Runtime::Node => {
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/wasi/node.mjs");
                let mut command = Command::new("node");
                command.arg("--no-warnings").arg(script).arg(module).arg(folder);
                command
            }
        };
        command.args(arguments).current_dir(folder);
        piped(command)
    }
}

fn native(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost"));
    command.args(arguments).current_dir(folder);
    piped(command)
}

/// An hour of a shop's log in which memory runs out once.
fn log() -> String {
    let mut log = String::new();
    for n in 0..400 {
        let time = format!("2026-11-20 {:02}:{:02}:{:02}", 9 + n / 360, n / 6 % 60, n % 6 * 10);
        log += &format!(
            "{time} INFO  GET /cart/{} took {} ms\n",
            n * 37 % 1000,
            10 + n * 13 % 17
        );
        if n == 350 {
            log += &format!("{time} FATAL out of memory: killed process 4242\n");
        }
    }
    log
}

/// Inputs of several kinds, each with the options that it is read with.
fn inputs() -> Vec<(Vec<String>, Vec<u8>)> {
    let mut inputs = vec![
        (vec!["--input=text".to_owned()], log().into_bytes()),
        (
            vec!["--input=auto".to_owned()],
            b"{\"cpu\": 1.5}\n{\"cpu\": \nno json\n\n{\"cpu\": 2.5, \"note\": \"\xff\"}\n{\"cpu\":3}".to_vec(),
        ),
    ];
    for arguments in [
        [
            "simulate",
            "requests",
            "--duration",
            "2h",
            "--seed",
            "3",
            "--anomalies",
            "2/hour",
        ],
        [
            "simulate",
            "logs",
            "--duration",
            "2h",
            "--seed",
            "3",
            "--anomalies",
            "2/hour",
        ],
        [
            "simulate",
            "metrics",
            "--duration",
            "12h",
            "--seed",
            "3",
            "--anomalies",
            "1/hour",
        ],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_watchpost"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        inputs.push((vec!["--input=auto".to_owned()], output.stdout));
    }
    inputs
}

mod real_wasi {
    use super::*;

    #[test]
    fn it_writes_what_watchpost_writes() {
        let folder = TempDir::new().unwrap();
        let modes: [&[&str]; 6] = [
            &["--output=ndjson"],
            &["--scores"],
            &["--annotate"],
            &["--annotate=anomaly", "--pass=anomalous", "--sample=50"],
            &["--pass=normal"],
            &[
                "--output=ndjson",
                "--exit-code",
                "--false-alarms-per-day=5",
                "--year=2026",
            ],
        ];
        let mut lines = 0;
        for (input, bytes) in inputs() {
            for mode in modes {
                let mut arguments = vec!["score", "--quiet"];
                arguments.extend(input.iter().map(String::as_str));
                arguments.extend(mode);
                let expected = fed(native(folder.path(), &arguments), &bytes);
                lines += expected.stdout.iter().filter(|byte| **byte == b'\n').count();
                for runtime in [Runtime::Wasmtime, Runtime::Node] {
                    let found = fed(runtime.command(folder.path(), &arguments), &bytes);
                    assert_eq!(
                        (found.status.code(), found.stdout == expected.stdout),
                        (expected.status.code(), true),
                        "{runtime:?} {arguments:?}: {}\n{}",
                        stderr(&found),
                        stderr(&expected)
                    );
                }
            }
        }
        assert!(lines > 10_000, "only {lines} lines were compared");
    }

    #[test]
    fn files_and_state_are_those_of_watchpost() {
        let log = log();
        let (first, second) = log.split_at(log.match_indices('\n').nth(199).unwrap().0 + 1);
        for runtime in [Runtime::Wasmtime, Runtime::Node] {
            let folder = TempDir::new().unwrap();
            fs::write(folder.path().join("first.log"), first).unwrap();
            let arguments = ["score", "--state", "its.state", "first.log"];
            let output = fed(runtime.command(folder.path(), &arguments), b"");
            assert!(output.status.success(), "{}", stderr(&output));
            let output = fed(
                native(folder.path(), &["score", "--state", "ours.state", "first.log"]),
                b"",
            );
            assert!(output.status.success(), "{}", stderr(&output));
            assert!(
                fs::read(folder.path().join("its.state")).unwrap()
                    == fs::read(folder.path().join("ours.state")).unwrap()
            );
            // Either goes on where the other stopped.
            let arguments = ["score", "--output=ndjson", "--exit-code", "--state", "ours.state", "-"];
            let output = fed(runtime.command(folder.path(), &arguments), second.as_bytes());
            assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
            assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);
        }
    }

    #[test]
    fn mistakes_are_named_and_nothing_is_a_trap() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("wrong.json"), r#"{"detector": {"budget": 3}}"#).unwrap();
        fs::write(folder.path().join("state"), "no state").unwrap();
        for (arguments, code, told) in [
            (&["score", "--config", "wrong.json"][..], 2, "wrong.json"),
            (&["score", "--state", "state"], 2, "--state state"),
            (&["score", "missing.log"], 1, "missing.log"),
            (&["score", "/etc/passwd"], 1, "--dir"),
            (&["score", "--pass", "some"], 2, "anomalous"),
            (&["score", "--sample", "0", "--pass", "all"], 2, "--sample"),
            (&["score", "--annotate=a b"], 2, "is no name for a field"),
            (&["scores"], 2, "score"),
        ] {
            for runtime in [Runtime::Wasmtime, Runtime::Node] {
                let output = fed(runtime.command(folder.path(), arguments), b"x\n");
                let said = stderr(&output);
                assert_eq!(output.status.code(), Some(code), "{runtime:?} {arguments:?}: {said}");
                assert!(
                    said.contains(told) && !said.contains("wasm trap"),
                    "{arguments:?}: {said}"
                );
            }
        }
    }

    /// Ten megabytes without an end are no event, and are passed on; what stands around them is scored.
    #[test]
    fn a_line_of_ten_megabytes_is_ordinary() {
        let folder = TempDir::new().unwrap();
        let mut bytes = b"INFO before\n".to_vec();
        bytes.resize(bytes.len() + 10_000_000, b'x');
        bytes.extend_from_slice(b"\nINFO after\n");
        for runtime in [Runtime::Wasmtime, Runtime::Node] {
            let output = fed(
                runtime.command(folder.path(), &["score", "--pass=all", "--input=text"]),
                &bytes,
            );
            assert!(output.status.success(), "{}", stderr(&output));
            assert!(output.stdout == bytes, "{runtime:?}");
            assert!(
                stderr(&output).contains("stdin:2: the line is longer than"),
                "{}",
                stderr(&output)
            );
        }
    }

    /// A stream that goes on for ever: what was found is told before it goes on, also of a record that may have gone on.
    #[test]
    fn what_is_found_is_told_while_the_stream_stands_still() {
        let folder = TempDir::new().unwrap();
        let log = log();
        let until = log
            .find("FATAL")
            .map(|at| at + log[at..].find('\n').unwrap() + 1)
            .unwrap();
        for runtime in [Runtime::Wasmtime, Runtime::Node] {
            let mut child = runtime
                .command(folder.path(), &["score", "--input=text", "--quiet"])
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(&log.as_bytes()[..until]).unwrap();
            let line = first_line(&mut child);
            assert!(line.contains("\"severity\":\"critical\""), "{runtime:?}: {line}");
            stdin.write_all(&log.as_bytes()[until..]).unwrap();
            drop(stdin);
            assert!(child.wait().unwrap().success());
        }
    }

    #[test]
    fn a_reader_that_goes_is_no_failure() {
        let folder = TempDir::new().unwrap();
        let log = log().repeat(20);
        for runtime in [Runtime::Wasmtime, Runtime::Node] {
            let arguments = ["score", "--scores", "--input=text", "--quiet", "--state", "state"];
            let mut child = runtime.command(folder.path(), &arguments).spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(&log.as_bytes()[..4000]).unwrap();
            first_line(&mut child);
            drop(child.stdout.take());
            // It may be gone before it has read everything.
            drop(stdin.write_all(&log.as_bytes()[4000..]));
            drop(stdin);
            let status = child.wait().unwrap();
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            assert!(status.success(), "{runtime:?}: {status} {said}");
            assert!(folder.path().join("state").is_file());
        }
    }

    /// A runtime that is killed leaves the state of the last save, whole.
    #[test]
    fn a_kill_leaves_a_state_to_go_on_from() {
        let folder = TempDir::new().unwrap();
        let log = log();
        let arguments = ["score", "--scores", "--input=text", "--state=state", "--save-every=0"];
        let mut child = Runtime::Wasmtime.command(folder.path(), &arguments).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let half = log.match_indices('\n').nth(200).unwrap().0 + 1;
        stdin.write_all(&log.as_bytes()[..half]).unwrap();
        first_line(&mut child);
        let state = folder.path().join("state");
        while !state.is_file() {
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let arguments = ["score", "--output=ndjson", "--input=text", "--state=state"];
        let output = fed(
            Runtime::Wasmtime.command(folder.path(), &arguments),
            &log.as_bytes()[half..],
        );
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(String::from_utf8_lossy(&output.stdout).contains("\"severity\":\"critical\""));
    }

    /// rsyslog's `confirmMessages`: one `OK` to begin with, and one for each line once what it gave is written.
    #[test]
    fn every_line_is_confirmed_when_it_is_written() {
        let folder = TempDir::new().unwrap();
        for runtime in [Runtime::Wasmtime, Runtime::Node] {
            let arguments = [
                "score",
                "--input=text",
                "--quiet",
                "--confirm",
                "--scores",
                "--write=verdicts",
            ];
            let written = folder.path().join("verdicts");
            drop(fs::remove_file(&written));
            let mut child = runtime.command(folder.path(), &arguments).spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
            assert_eq!(answers.next().unwrap().unwrap(), "OK");
            for n in 1..=20 {
                stdin.write_all(format!("INFO line {n}\n").as_bytes()).unwrap();
                assert_eq!(answers.next().unwrap().unwrap(), "OK");
                assert_eq!(fs::read_to_string(&written).unwrap().lines().count(), n);
            }
            drop(stdin);
            assert!(child.wait().unwrap().success());
        }
    }

    /// What the plugin's README tells to type, typed in a folder with a log.
    #[test]
    fn the_commands_of_the_readme_run() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("app.log"), log()).unwrap();
        let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/cli/README.md");
        run_readme(&readme, folder.path(), "WATCHPOST_CLI_MODULE");
    }

    /// What cannot be written is an error, and the state does not know what nobody was told.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error() {
        let folder = TempDir::new().unwrap();
        let module = variable("WATCHPOST_CLI_MODULE");
        let mut command = Command::new(variable("WATCHPOST_WASMTIME"));
        command
            .args(["run", "--dir", ".", "--dir", "/dev"])
            .arg(module)
            .args([
                "score",
                "--scores",
                "--input=text",
                "--state=state",
                "--write=/dev/full",
            ])
            .current_dir(folder.path());
        let output = fed(piped(command), log().as_bytes());
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        assert!(said.contains("cannot write to /dev/full"), "{said}");
        assert!(!folder.path().join("state").exists());
    }
}

/// The first line on standard output.
fn first_line(child: &mut Child) -> String {
    let stdout = child.stdout.take().unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        let read = reader.read_line(&mut line);
        drop(sender.send((read.map(|_| line), reader.into_inner())));
    });
    let (line, stdout) = receiver.recv().unwrap();
    child.stdout = Some(stdout);
    line.unwrap()
}

/// Types what a plugin's README tells to type, in a folder in which this module is built: each command prints something.
fn run_readme(readme: &Path, folder: &Path, module: &str) {
    let modules = folder.join("target/wasm");
    fs::create_dir_all(&modules).unwrap();
    let module = variable(module);
    // It is called as it is released.
    fs::copy(&module, modules.join(module.file_name().unwrap())).unwrap();
    let wasmtime = variable("WATCHPOST_WASMTIME");
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(
        wasmtime
            .parent()
            .map(Path::to_owned)
            .into_iter()
            .chain(env::split_paths(&path)),
    )
    .unwrap();
    let readme = fs::read_to_string(readme).unwrap();
    let mut is_shell = false;
    let mut run = 0;
    for line in readme.lines() {
        is_shell = if line.starts_with("```") {
            line == "```sh"
        } else {
            is_shell
        };
        if !is_shell || !line.contains("wasmtime ") {
            continue;
        }
        // What follows a file never ends by itself.
        let command = line.replace("tail -n 0 -F", "cat");
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).env("PATH", &path).current_dir(folder);
        let output = fed(piped(shell), b"");
        assert!(output.status.success(), "{command}: {}", stderr(&output));
        assert!(
            !output.stdout.is_empty() || !command.contains(" run "),
            "{command} prints nothing: {}",
            stderr(&output)
        );
        run += 1;
    }
    assert!(run > 1, "the README has no commands");
}
