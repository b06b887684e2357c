//! The program as its users meet it: exit codes, streams, and files that are kept.

mod commands;
mod inputs;
mod streams;
mod told;

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn watchpost(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "COLUMNS"] {
        command.env_remove(variable);
    }
    command
}

/// Runs to the end, with this on standard input.
fn fed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that ends early does not read everything.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

fn run(arguments: &[&str]) -> Output {
    watchpost(arguments).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Ten days of a metric with a day in its course, and a spike of an hour on the ninth.
fn metrics() -> String {
    let mut csv = "timestamp,latency_ms\n".to_owned();
    let mut noise = 1_u32;
    for row in 0..2880_u32 {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wave = (f64::from(row) / 288.0 * std::f64::consts::TAU).sin();
        let mut value = 200.0 + 20.0 * wave + f64::from(noise >> 16) / 6553.6;
        if (2400..2412).contains(&row) {
            value += 400.0;
        }
        let (day, minute) = (row / 288 + 1, row % 288 * 5);
        csv += &format!("2026-03-{day:02} {:02}:{:02}:00,{value:.3}\n", minute / 60, minute % 60);
    }
    csv
}

/// A folder with `metrics.csv` in it, and the file's path.
fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "metrics.csv", metrics().as_bytes());
    (folder, path)
}

fn file(folder: &TempDir, name: &str, content: &[u8]) -> String {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}
