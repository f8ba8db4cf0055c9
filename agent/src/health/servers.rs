//! The thread of the servers.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::wanted::{doors, family_of};
use super::{Binds, Moment, Purpose, Vitals};
use crate::http::{Crowd, Door, Doors, Failures, Handler};
use crate::model::{HealthCheck, Name};

/// How long after a failure a door is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// How many connections of load balancers are served at once, about all Services.
const MANY: usize = 256;
/// How many of anybody else at each of the other ports.
const FEW: usize = 64;

/// What the servers are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Asked {
    checks: Arc<BTreeMap<Name, HealthCheck>>,
    addresses: BTreeSet<IpAddr>,
}

/// The servers, as the agent's loop sees them.
pub struct Servers {
    vitals: Arc<Vitals>,
    asked: watch::Sender<Asked>,
    failures: watch::Receiver<Failures<Purpose>>,
}

/// What the thread works with.
struct Staff {
    binds: Binds,
    vitals: Arc<Vitals>,
    crowds: [Arc<Crowd>; 3],
    asked: watch::Receiver<Asked>,
    failures: watch::Sender<Failures<Purpose>>,
}

impl Servers {
    /// Begins to answer. What cannot be opened is told and tried again.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(binds: Binds, vitals: Arc<Vitals>) -> io::Result<Self> {
        let (asked, hear) = watch::channel(Asked::default());
        let (tell, failures) = watch::channel(Failures::new());
        let crowds = [FEW, FEW, MANY].map(|most| Arc::new(Crowd::new(most)));
        let staff =
            Staff { binds, vitals: Arc::clone(&vitals), crowds, asked: hear, failures: tell };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new()
            .name("health".to_owned())
            .spawn(move || runtime.block_on(staff.work()))?;
        Ok(Self { vitals, asked, failures })
    }

    /// What load balancers ask about Services from now on.
    pub fn answer(&self, checks: &Arc<BTreeMap<Name, HealthCheck>>) {
        self.vitals.set_checks(Arc::clone(checks));
        self.asked.send_if_modified(|asked| {
            let is_other = asked.checks != *checks;
            asked.checks = Arc::clone(checks);
            is_other
        });
    }

    /// At which addresses they ask.
    pub fn listen(&self, addresses: BTreeSet<IpAddr>) {
        self.asked.send_if_modified(|asked| {
            let is_other = asked.addresses != addresses;
            asked.addresses = addresses;
            is_other
        });
    }

    /// What cannot be opened, and why.
    #[must_use]
    pub fn failures(&self) -> Failures<Purpose> {
        self.failures.borrow().clone()
    }

    /// Waits until that is something else. May be dropped and called again.
    pub async fn changed(&mut self) {
        if self.failures.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Staff {
    /// Opens and closes as it is asked.
    async fn work(mut self) {
        let mut open = Doors::default();
        loop {
            let asked = self.asked.borrow_and_update().clone();
            let wanted = doors(self.binds, &asked.checks, &asked.addresses);
            let failures = open.ensure(&wanted, |door| self.staff(door)).await;
            let all_open = failures.is_empty();
            self.tell(failures);
            let word = self.asked.changed();
            let heard =
                if all_open { word.await } else { timeout(RETRY, word).await.unwrap_or(Ok(())) };
            if heard.is_err() {
                return;
            }
        }
    }

    fn tell(&self, failures: Failures<Purpose>) {
        self.failures.send_if_modified(|told| {
            let is_other = *told != failures;
            *told = failures;
            is_other
        });
    }

    fn staff(&self, door: &Door<Purpose>) -> (Arc<Crowd>, Arc<dyn Handler>) {
        let vitals = Arc::clone(&self.vitals);
        let [health, metrics, checks] = &self.crowds;
        match door.purpose.clone() {
            Purpose::Health => {
                let answer = move |path: &str| vitals.health(path, Moment::now());
                (Arc::clone(health), Arc::new(answer))
            }
            Purpose::Metrics => {
                let answer = move |path: &str| vitals.figures(path);
                (Arc::clone(metrics), Arc::new(answer))
            }
            Purpose::Check(service) => {
                let family = family_of(door.at.ip());
                let answer = move |_: &str| vitals.check(&service, family, Moment::now());
                (Arc::clone(checks), Arc::new(answer))
            }
        }
    }
}
