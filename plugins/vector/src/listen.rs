//! Events from connections. Vector's `socket` sink opens one and keeps it; after a failure, or when its configuration
//! changes, it opens another one.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags};
use watchpost_detector::wire::MAX_LINE_BYTES;
use watchpost_stream::{CHUNK, PAUSE, Stream, wait};

/// So many may be open at once, since each may hold a line that is not whole; others wait to be accepted.
const MOST_CONNECTIONS: usize = 64;

/// Where the runtime cannot wait, it is asked again after so long.
const AGAIN: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// The start of a line whose end has not come.
    partial: Vec<u8>,
    /// The line that has begun is longer than any event, and is passed on while it comes. Nobody else is heard meanwhile.
    too_long: bool,
}

impl Listener {
    pub(crate) fn bind(address: SocketAddr) -> anyhow::Result<Self> {
        let what = || format!("cannot listen on {address}: does the runtime allow it, as with `-S inherit-network`?");
        let listener = TcpListener::bind(address).with_context(what)?;
        listener.set_nonblocking(true).with_context(what)?;
        Ok(Listener {
            listener,
            connections: Vec::new(),
            buffer: vec![0; CHUNK],
        })
    }

    /// Takes what comes, until something fails.
    pub(crate) fn serve(mut self, stream: &mut Stream<'_>) -> anyhow::Result<()> {
        loop {
            if !self.wait() {
                stream.pause()?;
            }
            self.accept();
            self.read(stream)?;
        }
    }

    /// Waits until somebody has something; false when nobody had for a while.
    fn wait(&self) -> bool {
        let is_heard = |connection: &&Connection| !self.is_held() || connection.too_long;
        let mut these: Vec<PollFd<'_>> = self
            .connections
            .iter()
            .filter(is_heard)
            .map(|connection| PollFd::new(&connection.stream, PollFlags::IN))
            .collect();
        if self.connections.len() < MOST_CONNECTIONS {
            these.push(PollFd::new(&self.listener, PollFlags::IN));
        }
        match wait(&mut these, PAUSE) {
            Ok(ready) => ready > 0,
            Err(_) => {
                sleep(AGAIN);
                true
            }
        }
    }

    fn is_held(&self) -> bool {
        self.connections.iter().any(|connection| connection.too_long)
    }

    /// A connection that cannot be taken is one that its other end has given up.
    fn accept(&mut self) {
        while self.connections.len() < MOST_CONNECTIONS {
            let Ok((stream, _)) = self.listener.accept() else {
                return;
            };
            if stream.set_nonblocking(true).is_ok() {
                self.connections.push(Connection {
                    stream,
                    partial: Vec::new(),
                    too_long: false,
                });
            }
        }
    }

    fn read(&mut self, stream: &mut Stream<'_>) -> anyhow::Result<()> {
        let mut at = 0;
        while at < self.connections.len() {
            let is_held = self.is_held();
            let Some(connection) = self.connections.get_mut(at) else {
                break;
            };
            if is_held && !connection.too_long {
                at += 1;
                continue;
            }
            match connection.stream.read(&mut self.buffer) {
                Ok(count) if count > 0 => {
                    connection.take(self.buffer.get(..count).unwrap_or_default(), stream)?;
                    at += 1;
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => at += 1,
                // It is over, or broken: what has come of its last line is all there will be.
                Ok(_) | Err(_) => {
                    let over = self.connections.swap_remove(at);
                    over.end(stream)?;
                }
            }
        }
        Ok(())
    }
}

impl Connection {
    /// Hands on whole lines.
    fn take(&mut self, bytes: &[u8], stream: &mut Stream<'_>) -> anyhow::Result<()> {
        let lines = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let (lines, rest) = bytes.split_at_checked(lines).unwrap_or((bytes, b""));
        if !lines.is_empty() {
            if !self.partial.is_empty() {
                stream.push(&self.partial)?;
                self.partial.clear();
            }
            stream.push(lines)?;
            self.too_long = false;
        }
        self.partial.extend_from_slice(rest);
        if self.too_long || self.partial.len() > MAX_LINE_BYTES {
            stream.push(&self.partial)?;
            self.partial.clear();
            self.too_long = true;
        }
        Ok(())
    }

    /// A line without its end is an event that was cut off, or the last one of a program that does not end its lines.
    fn end(self, stream: &mut Stream<'_>) -> anyhow::Result<()> {
        if self.too_long || !self.partial.is_empty() {
            stream.push(&self.partial)?;
            stream.push(b"\n")?;
        }
        // Nobody can tell us that Vector stops: its closing the connection is the most that we see of it.
        stream.save()
    }
}
