//! How fast messages find their templates, and in how much memory: `templates [LINES [FILE]]` mines so many lines (ten
//! million) with 100 templates, with 50,000, and with ten times more templates than there may be; or the lines of a file,
//! again and again.
//!
//! Prints, for each, nanoseconds per line and what is allocated after each tenth of the lines.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use watchpost_detector::Miner;

struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator that counts is an allocator")]
// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MOST: NonZeroU32 = NonZeroU32::new(50_000).unwrap();

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Ok(lines) = arguments.next().map_or(Ok(10_000_000), |lines| lines.parse()) else {
        eprintln!("usage: templates [LINES [FILE]]");
        return ExitCode::from(2);
    };
    let Some(path) = arguments.next() else {
        for templates in [100, 50_000, 500_000] {
            let name = format!("{templates} templates");
            mine(&name, lines, vec![String::new(); 1_000], |n, batch| {
                (n..).zip(batch).for_each(|(n, line)| write(line, n, templates));
            });
        }
        return ExitCode::SUCCESS;
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let batch = text.lines().map(str::to_owned).collect();
            mine(&path, lines, batch, |_, _| {});
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{path}: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Mines batches of lines, each written before it is read, beginning with the line of this number.
fn mine(name: &str, lines: u64, mut batch: Vec<String>, mut write: impl FnMut(u64, &mut [String])) {
    let before = ALLOCATED.load(Ordering::Relaxed);
    let mut miner = Miner::new(MOST);
    let (mut evicted, mut time, mut kib, mut n) = (0, Duration::ZERO, Vec::new(), 0);
    // The lines themselves need no more memory later.
    write(lines, &mut batch);
    while n < lines {
        write(n, &mut batch);
        let (gone, took) = timed(|| batch.iter().filter(|line| miner.observe(line).evicted).count());
        evicted += gone;
        time += took;
        let tenth = n * 10 / lines;
        n += batch.len().max(1) as u64;
        if n * 10 / lines > tenth {
            kib.push((ALLOCATED.load(Ordering::Relaxed) - before) / 1024);
        }
    }
    let each = time.as_secs_f64() * 1e9 / n as f64;
    println!(
        "{name}: {each:.0} ns per line, {} templates kept, {evicted} evicted, KiB {kib:?}",
        miner.len()
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "an example may know the time; the detector must not"
)]
fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = std::hint::black_box(run());
    (result, start.elapsed())
}

/// A line of one of so many templates: its words tell which, its values never come again.
fn write(line: &mut String, n: u64, templates: u64) {
    // A bijection of 64 bits, so that templates come in no order; then five letters of it for each of four words.
    let kind = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % templates;
    let mut letters = (kind + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    letters = (letters ^ letters >> 31).wrapping_mul(0x94d0_49bb_1331_11eb);
    line.clear();
    for _ in 0..4 {
        for _ in 0..5 {
            line.push(char::from(b'g' + (letters % 8) as u8));
            letters = letters.rotate_right(3);
        }
        line.push(' ');
    }
    write!(
        line,
        "of block blk_{n} from 10.0.{}.{}:{} took {} ms",
        n % 200,
        n % 251,
        1024 + n % 50_000,
        n % 977
    )
    .expect("a String takes every character");
}
