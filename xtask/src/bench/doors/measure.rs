//! One door, once.

use std::fs;
use std::io::{BufRead, Read, Write};
use std::process::Child;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::super::envoy::figures::number;
use super::door::Opened;

/// What a pipe holds, written at once.
const CHUNK: usize = 64 * 1024;

/// The unit of times in `/proc`: a constant of the kernel's interface.
const TICKS_A_SECOND: f64 = 100.0;

/// Some lines passed, from the start of the program to the end of what came out.
pub(crate) struct Passed {
    /// That came out.
    pub(crate) lines: u32,
    seconds: f64,
    cpu_seconds: f64,
}

/// How long lines took there and back, in microseconds, in ascending order.
pub(crate) struct Trips(Vec<f64>);

/// All rounds of a door with an input.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Seconds from the start of the program to its end, with one line.
    pub(crate) start: Vec<f64>,
    pub(crate) alarms: Vec<Speed>,
    pub(crate) annotated: Vec<Speed>,
    /// Microseconds.
    pub(crate) trip: Vec<f64>,
    pub(crate) trip_p99: Vec<f64>,
}

/// How fast lines passed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speed {
    pub(crate) lines_a_second: f64,
    /// What the program itself worked.
    pub(crate) cpu_microseconds_a_line: f64,
}

impl Figures {
    /// The start of a round.
    pub(crate) fn add_start(&mut self, start: &Passed) {
        self.start.push(start.seconds);
    }

    /// The rest of it; `lines` are those beyond the first one, whose time is the program's start.
    pub(crate) fn add(
        &mut self,
        lines: u32,
        start: &Passed,
        alarms: Option<&Passed>,
        annotated: &Passed,
        trips: &Trips,
    ) {
        let lines = f64::from(lines);
        let speed = |passed: &Passed| Speed {
            lines_a_second: lines / (passed.seconds - start.seconds),
            cpu_microseconds_a_line: (passed.cpu_seconds - start.cpu_seconds) * 1e6 / lines,
        };
        self.alarms.extend(alarms.map(speed));
        self.annotated.push(speed(annotated));
        self.trip.push(trips.at(50));
        self.trip_p99.push(trips.at(99));
    }
}

impl Trips {
    fn at(&self, percent: usize) -> f64 {
        let at = self.0.len() * percent / 100;
        self.0.get(at).or(self.0.last()).copied().unwrap_or(f64::NAN)
    }
}

/// Lets everything through as fast as it goes. The clock runs from before the program is asked for its first line,
/// so what is told of it includes its start.
pub(crate) fn pass(opened: Opened, text: &[u8]) -> Result<Passed> {
    let Opened {
        mut child,
        mut to,
        mut from,
    } = opened;
    let begin = Instant::now();
    let (lines, seconds) = thread::scope(|scope| -> Result<(u32, f64)> {
        let feeder = scope.spawn(move || text.chunks(CHUNK).try_for_each(|chunk| to.write_all(chunk)));
        let mut buffer = vec![0; CHUNK];
        let mut lines = 0;
        loop {
            let read = from.read(&mut buffer).context("read what comes out")?;
            if read == 0 {
                break;
            }
            let chunk = buffer.get(..read).unwrap_or_default();
            lines += chunk.iter().map(|byte| u32::from(*byte == b'\n')).sum::<u32>();
        }
        let seconds = begin.elapsed().as_secs_f64();
        match feeder.join() {
            Ok(fed) => fed.context("write what goes in")?,
            Err(_) => bail!("the thread that writes has panicked"),
        }
        Ok((lines, seconds))
    })?;
    let cpu_seconds = cpu_seconds(&child)?;
    let status = child.wait()?;
    ensure!(status.success(), "it ended with {status}");
    Ok(Passed {
        lines,
        seconds,
        cpu_seconds,
    })
}

/// Lets lines through one by one. A tenth of them go before, so that the program has started and knows the lines.
pub(crate) fn trips(opened: Opened, text: &[u8], count: u32) -> Result<Trips> {
    let Opened {
        mut child,
        mut to,
        mut from,
    } = opened;
    let before = count as usize / 10 + 1;
    let mut times = Vec::with_capacity(count as usize);
    let mut answer = Vec::new();
    for (n, line) in text
        .split_inclusive(|byte| *byte == b'\n')
        .take(before + count as usize)
        .enumerate()
    {
        answer.clear();
        let begin = Instant::now();
        to.write_all(line).context("write a line")?;
        from.read_until(b'\n', &mut answer).context("read its answer")?;
        if n >= before {
            times.push(begin.elapsed().as_secs_f64() * 1e6);
        }
        ensure!(!answer.is_empty(), "there was no answer to line {n}");
    }
    drop(to);
    let status = child.wait()?;
    ensure!(status.success(), "it ended with {status}");
    times.sort_by(f64::total_cmp);
    Ok(Trips(times))
}

/// What a program has worked that has ended, before it is asked how.
fn cpu_seconds(child: &Child) -> Result<f64> {
    let path = format!("/proc/{}/stat", child.id());
    loop {
        let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        // The name may hold anything, so fields count from behind it: state, parent, …
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        if fields.first() == Some(&"Z") {
            let ticks = |at: usize| fields.get(at).and_then(|field| field.parse().ok()).map(number);
            let (Some(user), Some(system)) = (ticks(11), ticks(12)) else {
                bail!("{path} has no times");
            };
            return Ok((user + system) / TICKS_A_SECOND);
        }
        sleep(Duration::from_millis(1));
    }
}
