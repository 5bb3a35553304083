//! Which numbers each client gives its requests: ranges that never overlap, so that every answer in the log has one addressee.
//!
//! The first of a range is `n << 20` with n from 1: below are the numbers of the screen in the training process, and from
//! `1 << 32` on those of signals. What a client leaves unused the next one gets, so that one who asks how a run is every second
//! for weeks does not use them up.

use std::ops::Range;

const BITS: u32 = 20;
/// Of the ranges there can be.
const END: u64 = 1 << (32 - BITS);
/// A rest smaller than this is not worth giving to anybody.
const WORTH: u64 = 1 << (BITS - 1);

pub(super) struct Ranges {
    next: u64,
    rests: Vec<Range<u64>>,
}

impl Default for Ranges {
    fn default() -> Self {
        Self { next: 1, rests: Vec::new() }
    }
}

impl Ranges {
    pub fn take(&mut self) -> Option<Range<u64>> {
        if let Some(rest) = self.rests.pop() {
            return Some(rest);
        }
        let number = self.next;
        if number == END {
            return None;
        }
        self.next += 1;
        Some(number << BITS..(number + 1) << BITS)
    }

    pub fn give_back(&mut self, rest: Range<u64>) {
        if rest.end.saturating_sub(rest.start) >= WORTH {
            self.rests.push(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_given_twice_and_they_do_not_run_out() {
        let mut ranges = Ranges::default();
        let first = ranges.take().unwrap();
        assert_eq!(first, 1 << 20..2 << 20);
        assert_eq!(ranges.take().unwrap(), 2 << 20..3 << 20);
        ranges.give_back(first.start + 5..first.end);
        assert_eq!(ranges.take().unwrap(), first.start + 5..first.end);
        ranges.give_back(first.end - 5..first.end);
        assert_eq!(ranges.take().unwrap(), 3 << 20..4 << 20);
        for _ in 0..10_000 {
            let range = ranges.take().unwrap();
            ranges.give_back(range);
        }
        let rest: Vec<Range<u64>> = std::iter::from_fn(|| ranges.take()).collect();
        assert_eq!(rest.last().unwrap().end, 1 << 32);
    }
}
