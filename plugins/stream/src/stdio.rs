//! Standard input that can be waited for, standard output that may not be ready, and standard error that may be gone.
//! Runtimes differ: Node leaves pipes as it finds them, and a read or write that would wait is an error there.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A stream that is quiet for so long has written what belongs together.
pub const PAUSE: Duration = Duration::from_secs(1);

/// A pipe that is not ready is tried again after so long.
const AGAIN: Duration = Duration::from_millis(2);

/// Reads what there is. Nothing came for as long as the pause, if there is one, when it returns `None`.
///
/// # Errors
/// When it cannot be read.
pub fn read(input: &mut (impl Read + AsFd), buffer: &mut [u8], pause: Option<Duration>) -> io::Result<Option<usize>> {
    let mut waited = Duration::ZERO;
    loop {
        if pause.is_some_and(|pause| waited >= pause || !has_something(input, pause)) {
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
///
/// # Errors
/// When it cannot be written; one of a pipe whose other end is gone is a [`ErrorKind::BrokenPipe`].
pub fn write(bytes: &[u8]) -> io::Result<()> {
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

/// Waits until this has something or is over, for so long at most; false when nothing came. Where a runtime cannot tell,
/// there is something, and reading waits.
fn has_something(input: &impl AsFd, most: Duration) -> bool {
    !matches!(wait(&mut [PollFd::new(input, PollFlags::IN)], most), Ok(0))
}

/// Waits until one of these has something or is over, for so long at most, and tells how many have.
///
/// # Errors
/// When the runtime cannot tell.
pub fn wait(these: &mut [PollFd<'_>], most: Duration) -> io::Result<usize> {
    // A time that is too long to be told is for ever.
    let most = Timespec::try_from(most).ok();
    Ok(poll(these, most.as_ref())?)
}
