//! The detector on its own thread, which takes one batch after the other, and what it has to remember: batches that were
//! judged and not delivered yet, and the state that is saved.
//!
//! The detector learns from what it judges, and cannot take that back. So a batch whose delivery failed is kept with what
//! was said of it, and is not judged again when it comes again. And a state is saved only when every batch that is in it
//! has been delivered: after a crash, what comes again is judged by a state that does not know it.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;
use tonic::Status;
use watchpost::engine::{Engine, EngineError};

use crate::cli::console::Console;
use crate::cli::page::words;
use crate::cli::state;

use super::scoring::{Scoring, Unreadable};

/// So many batches that were judged and not delivered are kept for when they come again, the newest ones, if they have
/// no more bytes than this.
const KEPT: usize = 64;
const KEPT_BYTES: usize = 256 << 20;

/// After so long a batch that was not delivered is not expected to come again as it was: its sender has gone.
const KEPT_FOR: Duration = Duration::from_secs(600);

/// What is asked of the detector's thread.
enum Order {
    Judge {
        request: Bytes,
        reply: oneshot::Sender<Result<Judged, Unreadable>>,
    },
    Settle {
        ticket: u64,
        settled: Settled,
    },
    /// It was not delivered, for this reason.
    Keep {
        batch: Batch,
        why: String,
    },
    End,
}

/// What became of a batch that will not come again.
#[derive(Clone, Copy)]
enum Settled {
    Delivered,
    Refused,
}

/// A batch as it came and as it goes.
struct Batch {
    /// Batches are numbered as they are judged.
    ticket: u64,
    request: Bytes,
    outgoing: Bytes,
}

/// Where batches are brought to be judged.
#[derive(Clone)]
pub(super) struct Desk(Sender<Order>);

impl Desk {
    /// Has a batch judged after those that came before it.
    pub(super) async fn judge(&self, request: Bytes) -> Result<Judged, Status> {
        let gone = || Status::unavailable("the detector has stopped");
        let (reply, judged) = oneshot::channel();
        self.0.send(Order::Judge { request, reply }).map_err(|_| gone())?;
        let judged = judged.await.map_err(|_| gone())?;
        judged.map_err(|unreadable| Status::invalid_argument(unreadable.to_string()))
    }

    /// Ends the detector's thread once everything is done that was asked for before.
    pub(super) fn end(&self) {
        // It may have ended already, and said why.
        let _ = self.0.send(Order::End);
    }
}

/// A batch that was judged. Dropped without a word, it is kept for when it comes again.
pub(super) struct Judged {
    batch: Option<Batch>,
    desk: Desk,
}

impl Judged {
    pub(super) fn outgoing(&self) -> Bytes {
        self.batch
            .as_ref()
            .map(|batch| batch.outgoing.clone())
            .unwrap_or_default()
    }

    /// The downstream has it.
    pub(super) fn delivered(self) {
        self.settle(Settled::Delivered);
    }

    /// The downstream does not want it, now or ever.
    pub(super) fn refused(self) {
        self.settle(Settled::Refused);
    }

    /// The downstream did not take it this time: it is kept for when it comes again.
    pub(super) fn failed(mut self, why: &Status) {
        self.keep(why.message());
    }

    fn keep(&mut self, why: &str) {
        if let Some(batch) = self.batch.take() {
            let why = why.to_owned();
            let _ = self.desk.0.send(Order::Keep { batch, why });
        }
    }

    fn settle(mut self, settled: Settled) {
        if let Some(Batch { ticket, .. }) = self.batch.take() {
            let _ = self.desk.0.send(Order::Settle { ticket, settled });
        }
    }
}

impl Drop for Judged {
    fn drop(&mut self) {
        self.keep("the upstream did not wait for the answer");
    }
}

/// Opens an engine from a state.
pub(super) type Open<'a> = Box<dyn Fn(Option<&[u8]>) -> Result<Engine, EngineError> + Send + 'a>;

/// The detector with what it has to remember.
pub(super) struct Judge<'a> {
    orders: Receiver<Order>,
    desk: Desk,
    console: &'a Console,
    open: Open<'a>,
    scoring: Scoring,
    file: Option<StateFile>,
    next_ticket: u64,
    in_flight: BTreeSet<u64>,
    kept: VecDeque<Kept>,
    /// The last batch was not delivered, which has been said.
    is_stuck: bool,
    totals: Totals,
}

struct Kept {
    batch: Batch,
    since: Instant,
}

/// When the state is saved, and where.
struct StateFile {
    path: PathBuf,
    every: Duration,
    /// When the last state was taken.
    taken: Instant,
    /// Batches have been judged since.
    is_behind: bool,
    /// A state that waits for these batches to be delivered.
    waiting: Option<(Vec<u8>, BTreeSet<u64>)>,
}

#[derive(Default)]
struct Totals {
    delivered: u64,
    refused: u64,
    failed: u64,
    forgotten: u64,
}

impl<'a> Judge<'a> {
    /// The state is taken every so often and saved in this file.
    pub(super) fn new(
        console: &'a Console,
        open: Open<'a>,
        scoring: Scoring,
        file: Option<(PathBuf, Duration)>,
    ) -> (Self, Desk) {
        let (sender, orders) = channel();
        let desk = Desk(sender);
        let judge = Judge {
            orders,
            desk: desk.clone(),
            console,
            open,
            scoring,
            file: file.map(|(path, every)| StateFile {
                path,
                every,
                taken: Instant::now(),
                is_behind: false,
                waiting: None,
            }),
            next_ticket: 0,
            in_flight: BTreeSet::new(),
            kept: VecDeque::new(),
            is_stuck: false,
            totals: Totals::default(),
        };
        (judge, desk)
    }

    /// Does what is asked until the end is, and saves the state.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        loop {
            match self.orders.recv_timeout(self.patience()) {
                Ok(Order::Judge { request, reply }) => {
                    let judged = self.judge(request)?;
                    // When nobody waits for it any more, it is dropped, and so kept.
                    let _ = reply.send(judged);
                }
                Ok(Order::Settle { ticket, settled }) => {
                    match settled {
                        Settled::Delivered => self.totals.delivered += 1,
                        Settled::Refused => self.totals.refused += 1,
                    }
                    if std::mem::take(&mut self.is_stuck) {
                        self.console.note("batches are delivered again");
                    }
                    self.in_flight.remove(&ticket);
                    self.settle(ticket);
                }
                Ok(Order::Keep { batch, why }) => self.keep(batch, &why),
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.forget();
            self.take_now_and_then()?;
        }
        self.conclude()
    }

    fn judge(&mut self, request: Bytes) -> anyhow::Result<Result<Judged, Unreadable>> {
        let known = self.kept.iter().position(|kept| kept.batch.request == request);
        let batch = match known.and_then(|at| self.kept.remove(at)) {
            Some(Kept { batch, .. }) => batch,
            None => {
                let outgoing = match self.scoring.score(&request, self.console) {
                    Ok(Ok(outgoing)) => outgoing,
                    Ok(Err(unreadable)) => return Ok(Err(unreadable)),
                    Err(error) => {
                        self.reopen(&error)?;
                        request.clone()
                    }
                };
                let ticket = self.next_ticket;
                self.next_ticket += 1;
                if let Some(file) = &mut self.file {
                    file.is_behind = true;
                }
                Batch {
                    ticket,
                    request,
                    outgoing,
                }
            }
        };
        self.in_flight.insert(batch.ticket);
        Ok(Ok(Judged {
            batch: Some(batch),
            desk: self.desk.clone(),
        }))
    }

    /// A batch at which the engine fails would come again and again, and nothing would get past it. So it is passed on as
    /// it came, and the engine goes on from the last state that was saved.
    fn reopen(&mut self, error: &EngineError) -> anyhow::Result<()> {
        self.console.problem(format_args!(
            "{error}; this batch is passed on as it came, and what was learned since the state was saved is lost"
        ));
        let state = match &self.file {
            Some(file) => state::load(&file.path)?,
            None => None,
        };
        self.scoring.restart((self.open)(state.as_deref())?)?;
        if let Some(file) = &mut self.file {
            file.waiting = None;
        }
        Ok(())
    }

    fn keep(&mut self, batch: Batch, why: &str) {
        self.totals.failed += 1;
        // Until it goes on, batches come again and again.
        if !std::mem::replace(&mut self.is_stuck, true) {
            let what = "a batch was not delivered and is handed back to the upstream, which sends it again";
            self.console.problem(format_args!("{what}: {why}"));
        }
        self.in_flight.remove(&batch.ticket);
        self.kept.push_back(Kept {
            batch,
            since: Instant::now(),
        });
    }

    /// Forgets batches that do not come again, or are too many.
    fn forget(&mut self) {
        let mut bytes: usize = self
            .kept
            .iter()
            .map(|Kept { batch, .. }| batch.request.len() + batch.outgoing.len())
            .sum();
        while let Some(oldest) = self.kept.front() {
            let size = oldest.batch.request.len() + oldest.batch.outgoing.len();
            if self.kept.len() <= KEPT && bytes <= KEPT_BYTES && oldest.since.elapsed() < KEPT_FOR {
                return;
            }
            bytes -= size;
            let ticket = oldest.batch.ticket;
            self.kept.pop_front();
            self.totals.forgotten += 1;
            self.settle(ticket);
        }
    }

    /// A batch will not come again as it was.
    fn settle(&mut self, ticket: u64) {
        let Some(StateFile {
            waiting: Some((_, tickets)),
            ..
        }) = &mut self.file
        else {
            return;
        };
        tickets.remove(&ticket);
        self.save();
    }

    /// Takes the state when it is time to.
    fn take_now_and_then(&mut self) -> Result<(), EngineError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if file.waiting.is_some() || !file.is_behind || file.taken.elapsed() < file.every {
            return Ok(());
        }
        file.taken = Instant::now();
        file.is_behind = false;
        let kept = self.kept.iter().map(|kept| kept.batch.ticket);
        let tickets = self.in_flight.iter().copied().chain(kept).collect();
        file.waiting = Some((self.scoring.snapshot()?, tickets));
        self.save();
        Ok(())
    }

    /// Saves the state that waits, when it waits for nothing any more.
    fn save(&mut self) {
        let Some(file) = &mut self.file else { return };
        if let Some((snapshot, _)) = file.waiting.take_if(|(_, tickets)| tickets.is_empty())
            && let Err(error) = state::save(&file.path, &snapshot)
        {
            // What comes is delivered all the same, and the next time may be better.
            file.is_behind = true;
            self.console.problem(format_args!("{error:#}"));
        }
    }

    /// How long there is nothing to do when nothing comes.
    fn patience(&self) -> Duration {
        const LONG: Duration = Duration::from_secs(60);
        match &self.file {
            Some(file) if file.is_behind && file.waiting.is_none() => file.every.saturating_sub(file.taken.elapsed()),
            _ => LONG,
        }
    }

    fn conclude(mut self) -> anyhow::Result<()> {
        let undelivered = self.in_flight.len() + self.kept.len();
        if let Some(file) = &mut self.file
            && undelivered == 0
        {
            state::save(&file.path, &self.scoring.snapshot()?)?;
        }
        let Totals {
            delivered,
            refused,
            failed,
            forgotten,
        } = self.totals;
        self.console.summary(self.scoring.summary());
        let were = if refused == 1 { "was" } else { "were" };
        self.console.summary(format_args!(
            "delivered {}; {} the downstream did not take one, {} {were} refused for ever",
            words::counted_as(delivered, "batch", "batches"),
            words::counted_as(failed, "time", "times"),
            words::count(refused),
        ));
        if forgotten > 0 {
            self.console.summary(format_args!(
                "{} did not come again; if their events did, in other batches, they were learned from twice",
                words::counted_as(forgotten, "batch", "batches"),
            ));
        }
        if self.file.is_some() && undelivered > 0 {
            self.console.problem(format_args!(
                "{} not delivered, so the state stays as it was saved last",
                words::counted_as(undelivered as u64, "batch was", "batches were"),
            ));
        }
        Ok(())
    }
}
