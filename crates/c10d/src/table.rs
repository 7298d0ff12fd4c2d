//! Where ranks of one process leave word for each other, and whoever serves those of others.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::group::{Rendezvous, RendezvousError};

/// A table of keys and values in memory. Whoever asks for a key waits until it is there, for a while.
#[derive(Debug)]
pub struct Table {
    words: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
    news: Condvar,
    patience: Duration,
}

impl Table {
    /// An empty table. A key that is not there within `patience` is an error.
    pub fn new(patience: Duration) -> Table {
        Table { words: Mutex::default(), news: Condvar::new(), patience }
    }
}

impl Rendezvous for Table {
    fn set(&self, key: &[u8], value: &[u8]) -> Result<(), RendezvousError> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_vec(), value.to_vec());
        self.news.notify_all();
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Vec<u8>, RendezvousError> {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |words: &mut BTreeMap<Vec<u8>, Vec<u8>>| !words.contains_key(key);
        let waited = self.news.wait_timeout_while(words, self.patience, missing);
        let (words, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let late = || format!("a training node did not come within {} s", self.patience.as_secs_f64());
        words.get(key).cloned().ok_or_else(|| late().into())
    }
}
