//! Standard input that can be waited for, and standard error that may be gone.

use std::fmt;
use std::io::Write;
use std::time::Duration;

/// Says something on standard error; when that is gone, nobody is left to be told.
pub(crate) fn tell(what: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{what}");
}

/// Waits until standard input has something or is over, for so long at most; false when nothing came. Where a runtime
/// cannot tell, there is something, and reading waits.
#[cfg(target_os = "wasi")]
pub(crate) fn wait(most: Duration) -> bool {
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
pub(crate) fn wait(_most: Duration) -> bool {
    true
}
