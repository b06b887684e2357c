//! Access logs of Apache and nginx: common, combined, and what is often added behind them.

use super::record::Exchange;

/// The exchange of a line, if it is one of an access log.
pub(super) fn exchange(_line: &str) -> Option<Exchange<'_>> {
    None
}
