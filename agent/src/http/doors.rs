//! Sockets that are kept open as long as they are wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::Crowd;
use super::serve::{Handler, serve};
use super::socket::listen;

/// A socket and what is answered there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Door<P> {
    /// What is answered.
    pub purpose: P,
    /// Where.
    pub at: SocketAddr,
}

/// Doors that could not be opened, and why.
pub type Failures<P> = BTreeMap<Door<P>, String>;

/// The doors that are open.
#[derive(Debug)]
pub struct Doors<P> {
    open: BTreeMap<Door<P>, JoinHandle<()>>,
}

impl<P: Clone + Ord> Default for Doors<P> {
    fn default() -> Self {
        Self { open: BTreeMap::new() }
    }
}

impl<P: Clone + Ord> Doors<P> {
    /// Closes what is not wanted, with its connections, then opens what is missing; says what could
    /// not be opened. What is open and wanted is not touched.
    pub async fn ensure(
        &mut self,
        wanted: &BTreeSet<Door<P>>,
        staff: impl Fn(&Door<P>) -> (Arc<Crowd>, Arc<dyn Handler>),
    ) -> Failures<P> {
        let unwanted: Vec<_> =
            self.open.keys().filter(|door| !wanted.contains(door)).cloned().collect();
        for door in unwanted {
            self.close(&door).await;
        }
        let mut failures = Failures::new();
        for door in wanted {
            if self.open.contains_key(door) {
                continue;
            }
            match listen(door.at) {
                Ok(listener) => {
                    let (crowd, handler) = staff(door);
                    let serving = async move { match serve(listener, crowd, handler).await {} };
                    self.open.insert(door.clone(), tokio::spawn(serving));
                }
                Err(error) => {
                    failures.insert(door.clone(), error.to_string());
                }
            }
        }
        failures
    }

    /// Waits until the socket is gone, because its port may be wanted for something else.
    async fn close(&mut self, door: &Door<P>) {
        if let Some(serving) = self.open.remove(door) {
            serving.abort();
            let _cancelled = serving.await;
        }
    }
}
