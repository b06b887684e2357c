//! Standard input that can be waited for, standard output that may not be ready, and standard error that may be gone.
//! Runtimes differ: Node leaves pipes as it finds them, and a read or write that would wait is an error there.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::thread::sleep;
use std::time::Duration;

/// A pipe that is not ready is tried again after so long.
const AGAIN: Duration = Duration::from_millis(2);

/// Reads what there is. Nothing came for as long as the pause, if there is one, when it returns `None`.
pub(crate) fn read(input: &mut impl Read, buffer: &mut [u8], pause: Option<Duration>) -> io::Result<Option<usize>> {
    let mut waited = Duration::ZERO;
    loop {
        if pause.is_some_and(|pause| waited >= pause || !wait(pause)) {
            return Ok(None);
        }
        match input.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                sleep(AGAIN);
                waited += AGAIN;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read.map(Some),
        }
    }
}

/// Writes to standard output, and waits where it is not ready.
pub(crate) fn write(bytes: &[u8]) -> io::Result<()> {
    write_to(&mut io::stdout().lock(), bytes)
}

/// Says something on standard error; when that is gone, nobody is left to be told.
pub(crate) fn tell(what: fmt::Arguments<'_>) {
    drop(write_to(&mut io::stderr().lock(), format!("{what}\n").as_bytes()));
}

fn write_to(to: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = again(|| to.write(bytes))?;
        bytes = bytes.get(written..).unwrap_or_default();
    }
    again(|| to.flush())
}

fn again<T>(mut what: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match what() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(AGAIN),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_gone(&error) => return Err(ErrorKind::BrokenPipe.into()),
            done => return done,
        }
    }
}

/// Whether the other end of a pipe is gone. Wasmtime calls it an error of input and output, and nothing more.
fn is_gone(error: &io::Error) -> bool {
    const WASI_EIO: i32 = 29;
    cfg!(target_os = "wasi") && error.raw_os_error() == Some(WASI_EIO)
}

/// Waits until standard input has something or is over, for so long at most; false when nothing came. Where a runtime
/// cannot tell, there is something, and reading waits.
#[cfg(target_os = "wasi")]
fn wait(most: Duration) -> bool {
    const INPUT: u64 = 0;
    const TIME: u64 = 1;
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    let subscriptions = [
        wasip1::Subscription {
            userdata: INPUT,
            u: wasip1::SubscriptionU {
                tag: wasip1::EVENTTYPE_FD_READ.raw(),
                u: wasip1::SubscriptionUU {
                    fd_read: wasip1::SubscriptionFdReadwrite { file_descriptor: 0 },
                },
            },
        },
        wasip1::Subscription {
            userdata: TIME,
            u: wasip1::SubscriptionU {
                tag: wasip1::EVENTTYPE_CLOCK.raw(),
                u: wasip1::SubscriptionUU {
                    clock: wasip1::SubscriptionClock {
                        id: wasip1::CLOCKID_MONOTONIC,
                        timeout: nanos,
                        precision: 0,
                        flags: 0,
                    },
                },
            },
        },
    ];
    let mut events = std::mem::MaybeUninit::<[wasip1::Event; 2]>::uninit();
    #[expect(
        unsafe_code,
        reason = "the standard library has no way to wait for a descriptor or a time"
    )]
    // SAFETY: there are two subscriptions and room for as many events, and both outlive the call. The runtime writes as
    // many events as it returns, of which only those are looked at.
    unsafe {
        let written = wasip1::poll_oneoff(subscriptions.as_ptr(), events.as_mut_ptr().cast(), subscriptions.len());
        let Ok(written) = written else { return true };
        let first = events.as_ptr().cast::<wasip1::Event>();
        (0..written.min(subscriptions.len())).any(|at| first.add(at).read().userdata == INPUT) || written == 0
    }
}

/// Outside of WASI reading waits.
#[cfg(not(target_os = "wasi"))]
fn wait(_most: Duration) -> bool {
    true
}
