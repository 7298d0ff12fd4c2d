//! The one asynchronous runtime, and how threads that are not asynchronous wait for it.

use std::io;
use std::pin::Pin;
use std::sync::LazyLock;

use futures::Stream;
use futures::executor::block_on;
use futures::stream::StreamExt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

/// Threads that drive requests. They only wait and copy.
const THREADS: usize = 2;

static RUNTIME: LazyLock<io::Result<Runtime>> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(THREADS).thread_name("store").enable_all().build());

fn runtime() -> io::Result<&'static Runtime> {
    RUNTIME.as_ref().map_err(|cause| io::Error::new(cause.kind(), format!("no thread for requests: {cause}")))
}

/// Does `work` and waits for it. Safe on any thread, also on one of another runtime (which it keeps from its work).
pub(super) fn wait<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
    let (tell, told) = oneshot::channel();
    runtime()?.spawn(async move {
        // Whoever asked may have gone.
        let _ = tell.send(work.await);
    });
    block_on(told).map_err(|_| io::Error::other("the request was given up"))
}

/// What a stream yields, as it comes; at most `room` elements wait. Dropping it ends the stream.
#[derive(Debug)]
pub(super) struct Feed<T>(mpsc::Receiver<T>);

impl<T: Send + 'static> Feed<T> {
    pub(super) fn start(mut stream: Pin<Box<dyn Stream<Item = T> + Send>>, room: usize) -> io::Result<Self> {
        let (tell, told) = mpsc::channel(room);
        runtime()?.spawn(async move {
            while let Some(element) = stream.next().await {
                if tell.send(element).await.is_err() {
                    break;
                }
            }
        });
        Ok(Feed(told))
    }
}

impl<T> Iterator for Feed<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        block_on(self.0.recv())
    }
}
