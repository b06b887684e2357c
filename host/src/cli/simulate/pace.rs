//! Lines at the moments at which they are said to have happened.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use watchpost::simulate::Batch;

/// How event time passes.
pub(super) struct Pace {
    began: Instant,
    /// The event time at that moment, in unix microseconds.
    origin: i64,
    speed: f64,
}

/// A signal is noticed within this time.
const NAP: Duration = Duration::from_millis(50);

impl Pace {
    pub(super) fn new(origin: i64, speed: f64) -> Self {
        Pace {
            began: Instant::now(),
            origin,
            speed,
        }
    }

    /// Writes each line when its time has come, until interrupted, and says how many it were.
    pub(super) fn write(&self, batch: &Batch, out: &mut impl Write, interrupted: &AtomicBool) -> std::io::Result<u64> {
        let mut lines = 0;
        for (time, line) in batch.lines() {
            let due = Duration::from_secs_f64((time - self.origin).max(0) as f64 / 1e6 / self.speed);
            while let Some(rest) = due.checked_sub(self.began.elapsed()).filter(|rest| !rest.is_zero()) {
                // Nobody waits for a line that is in a buffer.
                out.flush()?;
                if interrupted.load(Ordering::Relaxed) {
                    return Ok(lines);
                }
                std::thread::sleep(rest.min(NAP));
            }
            out.write_all(line)?;
            lines += 1;
        }
        out.flush()?;
        Ok(lines)
    }
}
