//! Objects read here and there, as Parquet files are: in blocks, of which the last few are kept.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::{Object, Store};
use crate::DataError;

/// What is asked for at a time.
const BLOCK: u64 = 4 << 20;
/// Blocks that are kept: as many as columns are read side by side.
const KEPT: usize = 4;

/// An object whose bytes can be had in any order.
#[derive(Clone)]
pub(crate) struct Blocks {
    store: Store,
    object: Arc<Object>,
    kept: Arc<Mutex<VecDeque<(u64, Bytes)>>>,
}

impl Blocks {
    pub(crate) fn new(store: Store, object: Object) -> Self {
        Blocks { store, object: Arc::new(object), kept: Arc::default() }
    }

    /// What there is from byte `at` to the end of its block.
    fn from(&self, at: u64) -> Result<Bytes, DataError> {
        if at >= self.object.bytes {
            return Ok(Bytes::new());
        }
        let start = at - at % BLOCK;
        let mut block = self.block(start)?;
        block.advance(block.len().min((at - start) as usize));
        Ok(block)
    }

    fn block(&self, start: u64) -> Result<Bytes, DataError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, block)) = kept.iter().find(|(at, _)| *at == start) {
            return Ok(block.clone());
        }
        let length = BLOCK.min(self.object.bytes - start);
        let block = Bytes::from(self.store.read_range(&self.object.location, start, length)?);
        kept.truncate(KEPT - 1);
        kept.push_front((start, block.clone()));
        Ok(block)
    }
}

impl Length for Blocks {
    fn len(&self) -> u64 {
        self.object.bytes
    }
}

impl ChunkReader for Blocks {
    type T = Cursor;

    fn get_read(&self, start: u64) -> Result<Cursor, ParquetError> {
        Ok(Cursor { blocks: self.clone(), at: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let first = self.from(start).map_err(|error| ParquetError::External(Box::new(error)))?;
        if first.len() >= length {
            return Ok(first.slice(..length));
        }
        let mut bytes = Vec::new();
        let read = self.get_read(start)?.take(length as u64).read_to_end(&mut bytes);
        match read.map_err(|cause| ParquetError::External(Box::new(cause)))? {
            read if read < length => Err(ParquetError::EOF(format!("{read} bytes where {length} should be"))),
            _ => Ok(bytes.into()),
        }
    }
}

/// The bytes from some place on.
pub(crate) struct Cursor {
    blocks: Blocks,
    at: u64,
}

impl Read for Cursor {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.blocks.from(self.at).map_err(io::Error::other)?;
        let read = bytes.as_ref().read(into)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Location;

    #[test]
    fn bytes_are_those_of_the_object_wherever_they_are_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Local(folder.path().join("x"));
        let bytes: Vec<u8> = (0..2 * BLOCK + 1000).map(|at| (at / 7 % 251) as u8).collect();
        let store = Store::with_settings([]);
        store.put(&location, bytes.clone()).unwrap();
        let blocks = Blocks::new(store.clone(), store.head(&location).unwrap());
        for (start, length) in [(0, 10), (BLOCK - 3, 6), (5, 2 * BLOCK as usize), (2 * BLOCK + 990, 10)] {
            let expected = &bytes[start as usize..start as usize + length];
            assert!(blocks.get_bytes(start, length).unwrap() == expected, "{length} from {start}");
        }
        assert!(blocks.get_bytes(2 * BLOCK + 990, 11).is_err());
        let mut rest = Vec::new();
        blocks.get_read(100).unwrap().read_to_end(&mut rest).unwrap();
        assert!(rest == bytes[100..]);
    }
}
