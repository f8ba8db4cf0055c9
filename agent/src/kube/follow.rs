//! Follows one collection, for ever: list, watch, and again.
//!
//! ```text
//!   list page by page --ok--> watch from the list's version --ended--> watch from the last version
//!     ^    ^---- failed: wait ----'   '---- failed: wait, watch ----^            |
//!     '----------------------- version forgotten, or an event unreadable --------'
//! ```

use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::backoff::Backoff;
use super::collection::Collection;
use super::decode::{self, Event, Item, Page};
use super::failure::Failure;
use super::requests::{Part, Requests};

/// How many objects travel at once: what a list takes beyond its text.
const CHUNK: usize = 250;

/// How long a watch shall last, at least; at most half as long again, so that watches spread. A
/// connection that died unnoticed is found out after this time.
const WATCH: Duration = Duration::from_secs(120);

/// How much longer than asked a watch may be silent.
const GRACE: Duration = Duration::from_secs(10);

/// A watch that ends before this is as good as a failure.
const SHORT: Duration = Duration::from_secs(1);

/// What a follower says.
#[derive(Debug)]
pub(super) enum Word {
    ListBegins,
    Items(Vec<Item>),
    /// The list is whole, and of this version.
    ListEnds(String),
    /// A watch has begun.
    Watching,
    Is(Item, String),
    IsGone(crate::model::Name, String),
    /// Nothing changed up to this version.
    Version(String),
    Failed(Failure),
}

/// Follows one collection.
pub(super) struct Follower {
    pub(super) requests: Requests,
    pub(super) words: Sender<(Collection, Word)>,
    pub(super) backoff: Backoff,
}

impl Follower {
    /// Never ends by itself.
    pub(super) async fn follow(mut self) {
        loop {
            match self.list().await {
                Ok(version) => self.watch(version).await,
                Err(failure) => self.fail(failure).await,
            }
        }
    }

    /// Lists all there is; the list's version.
    async fn list(&mut self) -> Result<String, Failure> {
        let mut part = Part::First;
        self.say(Word::ListBegins).await;
        loop {
            let body = match self.requests.page(&part).await {
                // A slow reader's pages may expire; then there is only the list in one piece.
                Err(Failure::Gone) if matches!(part, Part::Next(_)) => {
                    part = Part::Whole;
                    self.say(Word::ListBegins).await;
                    continue;
                }
                page => page?,
            };
            let Page { version, next, items } = decode::page(&body)?;
            self.say_items(&items).await;
            match next {
                Some(token) => part = Part::Next(token),
                None => {
                    self.say(Word::ListEnds(version.clone())).await;
                    return Ok(version);
                }
            }
        }
    }

    /// Watches from a version on, until there is no going on from where it is.
    async fn watch(&mut self, mut version: String) {
        loop {
            match self.watch_once(&mut version).await {
                Ok(time) if time < SHORT => self.rest(None).await,
                Ok(_) => self.backoff.reset(),
                Err(Failure::Gone) => return self.rest(None).await,
                Err(failure @ Failure::Unreadable(_)) => return self.fail(failure).await,
                Err(failure) => self.fail(failure).await,
            }
        }
    }

    /// Watches until the server ends it; how long that took.
    async fn watch_once(&mut self, version: &mut String) -> Result<Duration, Failure> {
        let time = WATCH + self.backoff.part_of(WATCH / 2);
        let mut lines = self.requests.watch(version, time).await?;
        let since = Instant::now();
        self.say(Word::Watching).await;
        loop {
            let line = match lines.next(time + GRACE).await {
                Ok(Some([])) => continue,
                Ok(Some(line)) => line,
                Ok(None) => return Ok(since.elapsed()),
                Err(Failure::Silent(time)) => {
                    debug!(?time, "a watch was silent for too long; it begins anew");
                    return Ok(since.elapsed());
                }
                Err(failure) => return Err(failure),
            };
            let (event, next) = decode::event(self.requests.collection, line)?;
            let word = match event {
                Event::Error(failure) => return Err(failure),
                Event::Bookmark => Word::Version(next.clone()),
                Event::Is(item) => Word::Is(item, next.clone()),
                Event::IsGone(name) => Word::IsGone(name, next.clone()),
            };
            if !next.is_empty() {
                *version = next;
            }
            self.backoff.reset();
            self.say(word).await;
        }
    }

    async fn say_items(&self, items: &[&RawValue]) {
        for chunk in items.chunks(CHUNK) {
            let items = chunk.iter().map(|text| decode::item(self.requests.collection, text));
            self.say(Word::Items(items.collect())).await;
        }
    }

    async fn fail(&mut self, failure: Failure) {
        let failure = if failure.is_of_access() { self.renew(failure).await } else { failure };
        let after = failure.after();
        self.say(Word::Failed(failure)).await;
        self.rest(after).await;
    }

    /// Makes the next request with the credentials that there are now.
    async fn renew(&mut self, failure: Failure) -> Failure {
        match self.requests.entrance.renew().await {
            Ok(()) => failure,
            Err(error) => Failure::Shut(Box::new(failure), error.to_string()),
        }
    }

    async fn rest(&mut self, at_least: Option<Duration>) {
        let wait = self.backoff.next();
        sleep(at_least.map_or(wait, |least| least + wait)).await;
    }

    async fn say(&self, word: Word) {
        // Nobody listens any more only while everything is taken down.
        let _ended = self.words.send((self.requests.collection, word)).await;
    }
}
