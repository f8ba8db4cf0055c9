//! Connections, and who answers on them: a fault that waits, or the objects.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::http::{Request, begin_stream, read_request, write_body, write_chunk};
use crate::objects::Objects;
use crate::{Answer, Piece, Query, Resource, Verb};

/// The server. Clones are the same server.
#[derive(Clone, Debug)]
pub struct Server {
    held: Arc<Mutex<Held>>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Held {
    objects: Objects,
    faults: VecDeque<(Resource, Verb, Answer)>,
    requests: Vec<Query>,
    /// The only one that is answered, if there is such.
    authorization: Option<String>,
}

/// Whether the connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Another,
    End,
}

impl Default for Server {
    fn default() -> Self {
        Self { held: Arc::default(), changed: watch::Sender::new(()) }
    }
}

impl Server {
    /// Adds an object or changes it.
    pub fn put(&self, object: Value) {
        self.change(|objects| objects.put(object));
    }

    /// Deletes an object, named `namespace/name` or, for a Node, by its name.
    pub fn remove(&self, resource: Resource, key: &str) {
        self.change(|objects| objects.remove(resource, key));
    }

    /// An object as it is now, named as for [`Self::remove`].
    #[must_use]
    pub fn object(&self, resource: Resource, key: &str) -> Option<Value> {
        self.held().objects.get(resource, key)
    }

    /// Sends a bookmark on every watch.
    pub fn bookmark(&self) {
        self.change(Objects::bookmark);
    }

    /// Forgets what changed until now, so that a watch from before is told to list again.
    pub fn compact(&self) {
        self.change(Objects::compact);
    }

    /// Lists are one page from now on, whatever limit is asked for.
    pub fn ignore_limits(&self) {
        self.change(|objects| objects.is_one_page = true);
    }

    /// From now on only requests with this token are answered.
    pub fn require_token(&self, token: &str) {
        self.held().authorization = Some(format!("Bearer {token}"));
    }

    /// Puts an answer before the next request of its kind; several are taken in turn.
    pub fn fault(&self, resource: Resource, verb: Verb, answer: Answer) {
        self.held().faults.push_back((resource, verb, answer));
    }

    /// What was asked since the last call.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Query> {
        std::mem::take(&mut self.held().requests)
    }

    /// Answers on one connection until its end.
    ///
    /// # Errors
    /// When the client is gone.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream).await? {
            if self.answer(&request, stream.get_mut()).await? == After::End {
                break;
            }
        }
        Ok(())
    }

    /// Answers on every connection, for ever.
    ///
    /// # Errors
    /// When no connection can be accepted.
    pub async fn listen(&self, listener: TcpListener) -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            let server = self.clone();
            tokio::spawn(async move { server.serve(stream).await });
        }
    }

    async fn answer(
        &self,
        request: &Request,
        output: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<After> {
        let Some(query) = Query::parse(&request.method, &request.target) else {
            write_body(output, 404, None, b"404 page not found\n").await?;
            return Ok(After::Another);
        };
        if !self.is_known(request) {
            return play(Answer::refusal(401, "Unauthorized", "Unauthorized"), output).await;
        }
        match self.take(&query) {
            Some(answer) => play(answer, output).await,
            None if query.verb == Verb::List => {
                let page = self.held().objects.page(&query);
                write_body(output, 200, None, page.as_bytes()).await?;
                Ok(After::Another)
            }
            None if query.verb == Verb::Watch => self.watch(&query, output).await,
            None => self.patch(&query, &request.body, output).await,
        }
    }

    /// Makes an object's status otherwise, as far as conditions go.
    async fn patch(
        &self,
        query: &Query,
        body: &[u8],
        output: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<After> {
        let key = query.name.as_deref().unwrap_or_default();
        let patch = serde_json::from_slice(body).unwrap_or_default();
        let patched = self.held().objects.patched(query.resource, key, &patch);
        match patched {
            Some(object) => {
                write_body(output, 200, None, object.to_string().as_bytes()).await?;
                self.put(object);
            }
            None => write_body(output, 404, None, b"{}").await?,
        }
        Ok(After::Another)
    }

    fn is_known(&self, request: &Request) -> bool {
        let required = &self.held().authorization;
        required.is_none() || *required == request.authorization
    }

    /// Notes a request and takes the fault that waits for it.
    fn take(&self, query: &Query) -> Option<Answer> {
        let mut held = self.held();
        held.requests.push(query.clone());
        let at = held
            .faults
            .iter()
            .position(|(resource, verb, _)| (*resource, *verb) == (query.resource, query.verb))?;
        held.faults.remove(at).map(|(_, _, answer)| answer)
    }

    async fn watch(
        &self,
        query: &Query,
        output: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<After> {
        let number = |key| query.get(key).and_then(|text| text.parse::<u64>().ok());
        let end = Instant::now() + Duration::from_secs(number("timeoutSeconds").unwrap_or(1800));
        let mut version = number("resourceVersion").unwrap_or(0);
        let mut changed = self.changed.subscribe();
        begin_stream(output).await?;
        loop {
            changed.mark_unchanged();
            let (lines, next) = self.held().objects.events(query, version);
            for line in lines {
                write_chunk(output, format!("{line}\n").as_bytes()).await?;
            }
            if next == u64::MAX {
                break;
            }
            version = next;
            tokio::select! {
                _ = changed.changed() => {}
                () = sleep_until(end) => break,
            }
        }
        write_chunk(output, b"").await?;
        Ok(After::Another)
    }

    fn change(&self, change: impl FnOnce(&mut Objects)) {
        change(&mut self.held().objects);
        self.changed.send_replace(());
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn play(answer: Answer, output: &mut (impl AsyncWrite + Unpin)) -> io::Result<After> {
    match answer {
        Answer::Body { code, retry_after, body } => {
            write_body(output, code, retry_after.as_deref(), &body).await?;
        }
        Answer::Stream(pieces) => {
            begin_stream(output).await?;
            for piece in pieces {
                match piece {
                    Piece::Text(text) => write_chunk(output, text.as_bytes()).await?,
                    Piece::Bytes(bytes) => write_chunk(output, bytes).await?,
                    Piece::Pause(time) => sleep(time).await,
                    Piece::Silence => pending().await,
                    Piece::Cut => return Ok(After::End),
                }
            }
            write_chunk(output, b"").await?;
        }
        Answer::Silence => pending().await,
        Answer::Reset => return Ok(After::End),
    }
    Ok(After::Another)
}
