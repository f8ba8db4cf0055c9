//! The conversation at one socket.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::{Crowd, Reply};

/// How long a connection may be silent before a request, and a request's head may take.
const HEAD: Duration = Duration::from_secs(30);
/// How long a connection lives at most, however it behaves.
const LIFE: Duration = Duration::from_secs(300);
/// The longest head of a request, in bytes; longer ones are answered with 431.
const LONGEST_HEAD: usize = 8 << 10;
/// How long to wait when the process has no descriptors left.
const RESPITE: Duration = Duration::from_millis(100);

/// Who answers.
pub trait Handler: Send + Sync + 'static {
    /// The answer at a path, whatever the method.
    fn answer(&self, path: &str) -> Reply;
}

impl<F: Fn(&str) -> Reply + Send + Sync + 'static> Handler for F {
    fn answer(&self, path: &str) -> Reply {
        self(path)
    }
}

/// Answers at a socket until dropped, which ends its connections too.
pub(super) async fn serve(
    listener: TcpListener,
    crowd: Arc<Crowd>,
    handler: Arc<dyn Handler>,
) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                while connections.try_join_next().is_some() {}
                crowd.admit(connections.spawn(converse(stream, Arc::clone(&handler))));
            }
            Err(error) => {
                debug!(%error, "failed to accept a connection");
                sleep(RESPITE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, handler: Arc<dyn Handler>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let reply = handler.answer(request.uri().path());
        ready(Ok::<_, Infallible>(reply.into_response(Timestamp::now())))
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(LONGEST_HEAD);
    let connection = server.title_case_headers(true).serve_connection(TokioIo::new(stream), answer);
    if let Ok(Err(error)) = timeout(LIFE, connection).await {
        debug!(%error, "a client did not behave");
    }
}
