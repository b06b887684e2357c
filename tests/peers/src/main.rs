//! `watchpost-peers logs FILE`: how fast templates are mined from the lines of a file, natively and in wasm, as one
//! object of JSON: `{"lanes": {NAME: {"ns_per_item": …, "check": …}}, "bytes": {…}}`.
//!
//! Programs that do the same work are measured in the same form, so that their figures can be put side by side: CPU time
//! of the thread that works, the median of a few passes over the whole file in which the lanes take turns. `check` is
//! a number that changes when the result does: how many templates there are.

mod guest;

use std::fs;
use std::time::Duration;

use cpu_time::ThreadTime;
use guest::{Guest, MODULE};
use serde_json::{Map, Value, json};
use wasmtime::error::Context;
use wasmtime::{Result, bail};
use watchpost_kernels::Mine;

const PASSES: usize = 5;

/// As much as the command line hands to the engine at once.
const CHUNK: usize = 64 << 10;

/// A way to do the work; does all of it, and tells its check.
type Lane<'a> = (&'static str, Box<dyn FnMut() -> Result<usize> + 'a>);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, path] = &arguments[..] else {
        bail!("usage: watchpost-peers logs FILE");
    };
    let input = fs::read(path).with_context(|| format!("read {path}"))?;
    let mut guest = Guest::load()?;
    let mut sizes = json!({ "module": MODULE.len(), "precompiled": guest.precompiled()? });
    let (items, lanes) = match mode.as_str() {
        "logs" => logs(&input, &mut guest),
        _ => bail!("there is no {mode} here: logs alone"),
    };
    let lanes = measure(items, lanes)?;
    sizes["input"] = input.len().into();
    println!("{}", json!({ "lanes": lanes, "bytes": sizes }));
    Ok(())
}

/// Templates of the lines of a log.
fn logs<'a>(input: &'a [u8], guest: &'a mut Guest) -> (usize, Vec<Lane<'a>>) {
    let native = || {
        let mut mine = Mine::default();
        Ok(chunks(input).map(|lines| mine.lines(lines)).last().unwrap_or(0))
    };
    let wasm = || {
        guest.mine_anew()?;
        let mut templates = 0;
        for lines in chunks(input) {
            templates = guest.mine_lines(lines)?;
        }
        Ok(templates)
    };
    let lanes: Vec<Lane<'a>> = vec![("native_mine", Box::new(native)), ("wasmtime_mine", Box::new(wasm))];
    (input.split_inclusive(|byte| *byte == b'\n').count(), lanes)
}

/// Whole lines, as many as fit a chunk, or one that is longer.
fn chunks(mut input: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let fitting = memchr::memrchr(b'\n', &input[..input.len().min(CHUNK)]);
        let end = match fitting.or_else(|| memchr::memchr(b'\n', input)) {
            Some(end) if input.len() > CHUNK => end + 1,
            _ => input.len(),
        };
        let (lines, rest) = input.split_at(end);
        input = rest;
        (!lines.is_empty()).then_some(lines)
    })
}

/// Nanoseconds per item of every lane, and its check.
fn measure(items: usize, mut lanes: Vec<Lane<'_>>) -> Result<Map<String, Value>> {
    let mut times = vec![Vec::with_capacity(PASSES); lanes.len()];
    let mut checks = vec![0; lanes.len()];
    for _ in 0..PASSES {
        for (((_, run), times), check) in lanes.iter_mut().zip(&mut times).zip(&mut checks) {
            let began = ThreadTime::now();
            *check = run()?;
            times.push(began.elapsed());
        }
    }
    let lanes = lanes
        .iter()
        .zip(times)
        .zip(checks)
        .map(|(((name, _), mut times), check)| {
            times.sort();
            let median = times.get(PASSES / 2).map_or(f64::NAN, Duration::as_secs_f64);
            let lane = json!({ "ns_per_item": median * 1e9 / items as f64, "check": check });
            ((*name).to_owned(), lane)
        });
    Ok(lanes.collect())
}
