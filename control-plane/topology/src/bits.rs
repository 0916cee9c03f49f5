//! A set of item numbers, a bit each: for a million items it fits into a processor's second cache.

use crate::place;
use model::decision::Number;

const WORD_BITS: usize = 64;

/// A set of numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

const fn parts(number: Number) -> (usize, u64) {
    let number = place(number);
    (number / WORD_BITS, 1 << (number % WORD_BITS))
}

impl Bits {
    pub(crate) fn contains(&self, number: Number) -> bool {
        let (word, bit) = parts(number);
        self.words.get(word).is_some_and(|held| held & bit != 0)
    }

    /// Adds a number; tells whether it was not there.
    pub(crate) fn insert(&mut self, number: Number) -> bool {
        let (word, bit) = parts(number);
        if self.words.len() <= word {
            self.words.resize(word.saturating_add(1), 0);
        }
        let Some(held) = self.words.get_mut(word) else { return false };
        let is_new = *held & bit == 0;
        *held |= bit;
        is_new
    }

    pub(crate) fn remove(&mut self, number: Number) {
        let (word, bit) = parts(number);
        if let Some(held) = self.words.get_mut(word) {
            *held &= !bit;
        }
    }

    pub(crate) fn set(&mut self, number: Number, is_in: bool) {
        if is_in {
            self.insert(number);
        } else {
            self.remove(number);
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.words.capacity().saturating_mul(size_of::<u64>())
    }
}
