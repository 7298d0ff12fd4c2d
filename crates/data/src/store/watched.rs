//! What cannot be read of a Parquet file because a disk or a network fails.
//!
//! The Parquet library makes text of what a file says, so that a fault of the network looks like damage of the file.
//! Here the fault is noted before the library gets hold of it.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::{Location, into_data_error};
use crate::DataError;

/// The first fault of a file, if there was one.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    location: Arc<Location>,
    first: Arc<Mutex<Option<DataError>>>,
}

impl Faults {
    /// The fault that was noted; `error` if there was none: then the content is to blame.
    pub(crate) fn or(&self, error: DataError) -> DataError {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or(error)
    }

    fn note(&self, fault: DataError) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
    }

    /// Notes an error of the file; what is left of it tells the library that there was one.
    fn io(&self, cause: io::Error) -> io::Error {
        if cause.kind() == io::ErrorKind::Interrupted {
            return cause;
        }
        let (kind, said) = (cause.kind(), cause.to_string());
        self.note(into_data_error(&self.location, cause));
        io::Error::new(kind, said)
    }

    fn parquet(&self, error: ParquetError) -> ParquetError {
        let ParquetError::External(cause) = error else {
            return error;
        };
        let said = cause.to_string();
        match cause.downcast::<DataError>() {
            Ok(fault) => self.note(*fault),
            Err(cause) => match cause.downcast::<io::Error>() {
                Ok(cause) => drop(self.io(*cause)),
                Err(cause) => return ParquetError::External(cause),
            },
        }
        ParquetError::General(said)
    }
}

/// A file whose faults are noted.
pub(crate) struct Watched<T> {
    inner: T,
    faults: Faults,
}

impl<T> Watched<T> {
    pub(crate) fn new(location: &Location, inner: T) -> Self {
        Watched { inner, faults: Faults { location: Arc::new(location.clone()), first: Arc::default() } }
    }

    pub(crate) fn faults(&self) -> Faults {
        self.faults.clone()
    }
}

impl<T: Length> Length for Watched<T> {
    fn len(&self) -> u64 {
        self.inner.len()
    }
}

impl<T: ChunkReader> ChunkReader for Watched<T> {
    type T = Watched<T::T>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let inner = self.inner.get_read(start).map_err(|error| self.faults.parquet(error))?;
        Ok(Watched { inner, faults: self.faults.clone() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.inner.get_bytes(start, length).map_err(|error| self.faults.parquet(error))
    }
}

impl<T: Read> Read for Watched<T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.inner.read(into).map_err(|cause| self.faults.io(cause))
    }
}
