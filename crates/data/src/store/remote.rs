//! Objects in object stores.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, WriteMultipart,
};

use super::client::explained;
use super::runtime::{Feed, wait};
use super::{Location, Object};
use crate::DataError;

/// What a stream asks for at a time.
const CHUNK: u64 = 4 << 20;
/// Chunks that are asked for before they are needed.
const AHEAD: usize = 2;
/// Listed objects that wait: about a page.
const PAGE: usize = 1000;
/// What is written by one request; more is written in parts, which the store shows only once all are there.
const WHOLE: usize = 64 << 20;
/// A part, where there are several.
const PART: usize = 16 << 20;

/// One object, or all whose names begin with it.
#[derive(Clone)]
pub(super) struct Remote {
    pub(super) client: Arc<dyn ObjectStore>,
    pub(super) base: String,
    pub(super) path: String,
}

impl Remote {
    fn place(&self) -> String {
        Location::Remote { base: self.base.clone(), path: self.path.clone() }.to_string()
    }

    fn key(&self) -> Result<Path, DataError> {
        Path::parse(&self.path).map_err(|error| explained(&self.place(), error.into()))
    }

    /// Does one request, given the client and the name.
    fn ask<T: Send + 'static, W: Future<Output = Result<T, Error>> + Send + 'static>(
        &self,
        work: impl FnOnce(Arc<dyn ObjectStore>, Path) -> W,
    ) -> Result<Result<T, Error>, DataError> {
        wait(work(Arc::clone(&self.client), self.key()?)).map_err(|cause| no_thread(&self.place(), &cause))
    }

    fn explain<T>(&self, result: Result<T, Error>) -> Result<T, DataError> {
        result.map_err(|error| explained(&self.place(), error))
    }

    fn object(&self, meta: ObjectMeta) -> Object {
        let location = Location::Remote { base: self.base.clone(), path: meta.location.to_string() };
        Object { location, bytes: meta.size, version: meta.e_tag.unwrap_or_else(|| meta.last_modified.to_rfc3339()) }
    }

    pub(super) fn head(&self) -> Result<Object, DataError> {
        let meta = self.ask(|client, key| async move { client.head(&key).await })?;
        Ok(self.object(self.explain(meta)?))
    }

    /// What is known of it, if it is there.
    pub(super) fn find(&self) -> Result<Option<Object>, DataError> {
        match self.ask(|client, key| async move { client.head(&key).await })? {
            Err(Error::NotFound { .. }) => Ok(None),
            found => Ok(Some(self.object(self.explain(found)?))),
        }
    }

    pub(super) fn read_range(&self, start: u64, length: u64) -> Result<Vec<u8>, DataError> {
        let end = start.saturating_add(length);
        let bytes = self.ask(move |client, key| async move { client.get_range(&key, start..end).await })?;
        Ok(Vec::from(self.explain(bytes)?))
    }

    /// All bytes, if they are not more than `limit`; else how many there are.
    pub(super) fn read(&self, limit: u64) -> Result<Result<Vec<u8>, u64>, DataError> {
        let read = self.ask(move |client, key| async move {
            let found = client.get(&key).await?;
            if found.meta.size > limit { Ok(Err(found.meta.size)) } else { found.bytes().await.map(Ok) }
        })?;
        Ok(self.explain(read)?.map(Vec::from))
    }

    /// The bytes in order, asked for a little ahead. A change of the object meanwhile is an error.
    pub(super) fn reader(&self) -> Result<Box<dyn Read + Send>, DataError> {
        let meta = self.ask(|client, key| async move { client.head(&key).await })?;
        let meta = self.explain(meta)?;
        let (client, key, tag) = (Arc::clone(&self.client), self.key()?, meta.e_tag);
        let starts = (0..meta.size).step_by(CHUNK as usize);
        let chunks = stream::iter(starts).map(move |start| {
            let range = Some(GetRange::Bounded(start..meta.size.min(start + CHUNK)));
            let options = GetOptions { range, if_match: tag.clone(), ..GetOptions::default() };
            let (client, key) = (Arc::clone(&client), key.clone());
            async move { client.get_opts(&key, options).await?.bytes().await }
        });
        let feed = Feed::start(chunks.buffered(AHEAD).boxed(), 1);
        let feed = feed.map_err(|cause| no_thread(&self.place(), &cause))?;
        Ok(Box::new(Reader { place: self.place(), feed, chunk: Bytes::new() }))
    }

    /// All objects below this name, in the order in which the store lists them: by their names.
    pub(super) fn list(&self) -> Result<impl Iterator<Item = Result<Object, DataError>> + Send + use<>, DataError> {
        let prefix = (!self.path.is_empty()).then(|| self.key()).transpose()?;
        let feed = Feed::start(self.client.list(prefix.as_ref()), PAGE);
        let feed = feed.map_err(|cause| no_thread(&self.place(), &cause))?;
        let this = self.clone();
        Ok(feed.map(move |meta| this.explain(meta).map(|meta| this.object(meta))))
    }

    pub(super) fn put(&self, bytes: Vec<u8>) -> Result<(), DataError> {
        let put = self.ask(move |client, key| async move {
            if bytes.len() <= WHOLE {
                return client.put(&key, bytes.into()).await.map(|_| ());
            }
            let mut parts = WriteMultipart::new_with_chunk_size(client.put_multipart(&key).await?, PART);
            parts.put(bytes.into());
            parts.finish().await.map(|_| ())
        })?;
        self.explain(put)
    }

    /// Whether the object is written: it is not where there is one already.
    pub(super) fn put_if_absent(&self, bytes: Vec<u8>) -> Result<bool, DataError> {
        let put = self.ask(move |client, key| async move {
            let options = PutOptions::from(PutMode::Create);
            client.put_opts(&key, bytes.into(), options).await
        })?;
        match put {
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
            other => self.explain(other).map(|_| true),
        }
    }

    pub(super) fn delete(&self) -> Result<bool, DataError> {
        match self.ask(|client, key| async move { client.delete(&key).await })? {
            Err(Error::NotFound { .. }) => Ok(false),
            other => self.explain(other).map(|()| true),
        }
    }
}

fn no_thread(place: &str, cause: &io::Error) -> DataError {
    let help = "see whether the machine has threads and memory left";
    DataError::Store { place: place.to_string(), problem: cause.to_string(), help }
}

/// The bytes of an object, chunk after chunk.
struct Reader {
    place: String,
    feed: Feed<Result<Bytes, Error>>,
    chunk: Bytes,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.feed.next() {
                None => return Ok(0),
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => return Err(io::Error::other(explained(&self.place, error))),
            }
        }
        let head = self.chunk.split_to(into.len().min(self.chunk.len()));
        into.iter_mut().zip(&head).for_each(|(to, from)| *to = *from);
        Ok(head.len())
    }
}
