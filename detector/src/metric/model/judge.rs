//! How strange a reading is, by all the looks at it together.

use super::super::channel::Look;
use super::{
    ALLOWANCE, LEAST_KNOWN, MOST_BEYOND, MOST_OF_A_VALUE, MOST_SUM, Metric, Reading, SAYS_MORE, SHARE_OF_SHAPE,
    SHARE_OF_VARIANCE, SUM_SLOPE, UNREMARKABLE,
};
use crate::number::Bounded;
use crate::threshold::within;

/// What more than this share of values reaches is ordinary.
const COMMON: f64 = 0.25;

impl Metric {
    pub(super) fn judge(&self, reading: &mut Reading) {
        // What is known of so many values, where it can matter.
        let known = |surprise: f64| {
            if surprise > LEAST_KNOWN {
                libm::log10(self.seen as f64 + 1.0)
            } else {
                f64::INFINITY
            }
        };
        // Bonferroni, weighted, half for the shape, which sees most kinds of trouble. What it costs to look more than once
        // is charged at half, since looks find much the same: that is measured, and no bound that holds by itself.
        let looking = |look: Look, deviation: f64| {
            // Before a whole day was seen, a drift may be the time of the day.
            deviation != 0.0 && (look != Look::Drift || self.drifting)
        };
        let active = Look::ALL
            .into_iter()
            .zip(reading.deviations)
            .filter(|(look, deviation)| !matches!(look, Look::Shape | Look::Variance) && looking(*look, *deviation))
            .count();
        let share_of_others = (2.0 - SHARE_OF_SHAPE - SHARE_OF_VARIANCE) / (active.max(1) as f64);
        // The distribution of counts is known: what was measured may fall off more slowly, but a curve between whole
        // numbers must not make it fall off faster.
        let as_count = reading.count.unwrap_or(f64::INFINITY);
        // What is at least as likely as this is not more surprising than what was found; what more than one value in
        // four reaches is not surprising at all, and not worth the work to tell how little it is.
        let mut least = COMMON;
        for (look, channel) in Look::ALL.into_iter().zip(&self.looks) {
            let k = look as usize;
            if !looking(look, reading.deviations[k]) {
                continue;
            }
            let share = match look {
                Look::Shape => SHARE_OF_SHAPE,
                Look::Variance => SHARE_OF_VARIANCE,
                _ => share_of_others,
            };
            let most = match look {
                // A value that is less surprising than the allowance leaves a sum of nothing at nothing.
                Look::Lasting if self.sum == 0.0 => UNREMARKABLE,
                Look::Lasting => f64::INFINITY,
                _ => least * share,
            };
            let (nominal, reached) = match reading.nominals[k] {
                Some(nominal) => (nominal, channel.tail.reached_below(nominal, most)),
                None => channel.reached_below(reading.deviations[k], reading.floors[k], most),
            };
            reading.nominals[k] = Some(nominal);
            let reached = if look == Look::Lasting {
                let surprise = reached.map_or(0.0, |reached| -libm::log10(reached));
                let surprise = surprise.at_most(as_count);
                let bound = known(surprise).at_most(MOST_OF_A_VALUE);
                reading.sum = self.sum + surprise.at_most(bound) - ALLOWANCE;
                reading.sum = within(reading.sum, 0.0, MOST_SUM);
                self.sums.reached_below(SUM_SLOPE * reading.sum, least * share)
            } else {
                reached
            };
            let Some(reached) = reached else { continue };
            let found = -libm::log10(reached);
            let mut surprise = found;
            if look != Look::Lasting && self.wide == 0.0 {
                // It never varied, and for how many values is all that is known (Laplace's rule of succession).
                surprise = surprise.at_most(known(surprise));
            }
            if matches!(look, Look::Point | Look::Shape) {
                // One value, or one shape, can be only so much stranger than there were values to tell.
                surprise = surprise.at_most(known(surprise) + MOST_BEYOND);
            }
            if look == Look::Point {
                surprise = surprise.at_most(as_count);
            }
            if look == Look::Variance {
                // Nor can some values scatter more strangely than there were values to tell.
                surprise = surprise.at_most(known(surprise));
            }
            let bounded = surprise < found;
            surprise += libm::log10(share);
            if surprise > reading.surprise {
                reading.surprise = surprise;
                reading.look = look;
                if !bounded {
                    least = reached / share;
                }
            }
        }
        if reading.surprise > self.told + SAYS_MORE {
            reading.news = reading.surprise;
        }
    }
}
