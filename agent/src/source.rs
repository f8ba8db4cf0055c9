//! Where objects come from: a folder of manifests or an API server. What follows is the same.

use std::path::PathBuf;

use crate::k8s::{Change, Event};
use crate::kube::{ApiServer, Entrance, Health};
use crate::manifests::{Manifests, WatchError};
use crate::metrics::Requests;

/// A source that can be opened.
pub enum Origin {
    /// The files of a folder.
    Folder(PathBuf),
    /// An API server.
    Api(Entrance),
}

/// A source that is followed.
pub enum Source {
    /// The files of a folder.
    Folder(Box<Manifests>),
    /// An API server.
    Api(Box<ApiServer>),
}

impl Origin {
    /// Begins to follow it, and to count its requests if it is asked by requests. To be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// When a folder cannot be watched.
    pub fn open(self, requests: Requests) -> Result<Source, WatchError> {
        Ok(match self {
            Self::Folder(folder) => Source::Folder(Box::new(Manifests::open(&folder)?)),
            Self::Api(entrance) => {
                let entrance = Entrance { figures: Some(requests), ..entrance };
                Source::Api(Box::new(ApiServer::follow(entrance)))
            }
        })
    }

    /// Its path or address.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Folder(folder) => folder.display().to_string(),
            Self::Api(entrance) => entrance.address.clone(),
        }
    }
}

impl Source {
    /// Waits for changes. May be dropped and called again.
    pub async fn next(&mut self) -> Vec<Change> {
        match self {
            Self::Folder(manifests) => manifests.next().await,
            Self::Api(server) => server.next().await,
        }
    }

    /// Says what happened to an object, where there is anybody to read it.
    pub fn announce(&self, event: Event) {
        match self {
            Self::Folder(_) => {}
            Self::Api(server) => server.announce(event),
        }
    }

    /// Takes back the condition `NetworkUnavailable` of this Node, or of none any longer, where there
    /// is an API server.
    pub fn make_available(&self, node: Option<String>) {
        match self {
            Self::Folder(_) => {}
            Self::Api(server) => server.make_available(node),
        }
    }

    /// How it stands with the API server, if it is one.
    #[must_use]
    pub fn health(&self) -> Option<Health> {
        match self {
            Self::Folder(_) => None,
            Self::Api(server) => Some(server.health()),
        }
    }
}
