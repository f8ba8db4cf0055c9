//! What every verb works with, and the pieces they share.

use std::net::IpAddr;
use std::path::Path;

use hostnet::link::{self, Link};
use hostnet::{Netlink, route};
use rustix::time::{ClockId, clock_gettime};

use crate::datapath::Datapath;
use crate::host_ports;
use crate::ipam::{Lease, Locked, Phase, Store, Table};
use crate::name;
use crate::protocol::{Attachment, Error, NetConf, PodName};

/// A network on this host.
#[derive(Debug)]
pub(crate) struct Plugin<'a> {
    /// The network.
    pub(crate) config: &'a NetConf,
    /// Its leases.
    pub(crate) store: Store,
    /// The agent's pins.
    pub(crate) datapath: Datapath,
    /// The host's namespace.
    pub(crate) host: Netlink,
    /// This boot.
    pub(crate) boot_id: String,
}

impl<'a> Plugin<'a> {
    /// Opens the network.
    ///
    /// # Errors
    /// When the kernel gives no socket.
    pub(crate) fn new(config: &'a NetConf) -> Result<Self, Error> {
        Ok(Self {
            config,
            store: Store::new(&config.run_dir, &config.name),
            datapath: Datapath::new(&config.bpf_root),
            host: Netlink::here()?,
            boot_id: crate::node::boot_id()?,
        })
    }

    /// The table to change under a lock; rebuilt from the kernel's state where the file is lost,
    /// because an empty table would give away addresses that live pods have.
    ///
    /// # Errors
    /// When the file cannot be read, or the kernel not be asked.
    pub(crate) async fn table(&self, _locked: &Locked<'_>) -> Result<Table, Error> {
        match self.store.read(&self.boot_id)? {
            Ok(table) => Ok(table),
            Err(_lost) => self.rebuild().await,
        }
    }

    /// The links of this network's pods, with the attachments they are of.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) async fn pod_links(&self) -> Result<Vec<(Attachment, Link)>, Error> {
        let links = link::list(&self.host).await?.into_iter();
        let pods = links.filter_map(|link| {
            let alias = link.alias.as_deref()?;
            let attachment = name::attachment_of(&self.config.name, &link.name, alias)?;
            Some((attachment, link))
        });
        Ok(pods.collect())
    }

    /// Whether a link of the host was made for an attachment. One without an alias is known by its
    /// hardware address: ADD was killed before it could say more.
    #[must_use]
    pub(crate) fn is_of(&self, link: &Link, attachment: &Attachment) -> bool {
        match link.alias.as_deref() {
            None | Some("") => link.mac == Some(name::host_mac(attachment)),
            Some(alias) => {
                let owner = name::attachment_of(&self.config.name, &link.name, alias);
                owner.as_ref() == Some(attachment)
            }
        }
    }

    /// Releases the leases of pods that are provably gone: their link went with their namespace, or
    /// they never had one and their namespace went, or they have had none for too long. Each link is
    /// asked for by its name, because a list of all links may lack some while others come and go.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) async fn reap(&self, table: &mut Table) -> Result<(), Error> {
        let now = now();
        let may_be_dead = |(_, lease): &(&Attachment, &Lease)| {
            lease.is_dead(false, may_have_namespace(lease), now)
        };
        let candidates = table.leases.iter().filter(may_be_dead);
        for attachment in candidates.map(|(it, _)| it.clone()).collect::<Vec<_>>() {
            let host_name = name::host_link(&attachment);
            if link::find(&self.host, &host_name).await?.is_some() {
                continue;
            }
            crate::log(&format!(
                "{} has no link any more: its addresses rest",
                attachment.container
            ));
            let lease = table.release(&attachment, now);
            let ips = lease.map(|lease| lease.ips).unwrap_or_default();
            self.forget(&ips)?;
        }
        self.datapath.prune()
    }

    /// The addresses behind a link of the host.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) async fn ips_behind(&self, link: &Link) -> Result<Vec<IpAddr>, Error> {
        let routes = route::list(&self.host).await?.into_iter();
        let by_link = routes.filter(|route| route.link == link.index);
        Ok(by_link.map(|route| route.destination.ip()).collect())
    }

    /// Removes what ADD made beside the lease. What is gone already is well.
    ///
    /// # Errors
    /// The kernel's; then the lease must stay.
    pub(crate) async fn disconnect(&self, link_name: &str, ips: &[IpAddr]) -> Result<(), Error> {
        self.forget(ips)?;
        let Some(link) = link::find(&self.host, link_name).await? else {
            return self.datapath.prune();
        };
        self.datapath.detach(&link)?;
        self.datapath.guard(link.index, true)?;
        link::delete(&self.host, link_name).await?;
        Ok(())
    }

    /// Makes the programs forget addresses, ports that lead to them first.
    fn forget(&self, ips: &[IpAddr]) -> Result<(), Error> {
        host_ports::withdraw(self, ips)?;
        self.datapath.forget(ips)
    }

    async fn rebuild(&self) -> Result<Table, Error> {
        let mut table = Table::new(&self.boot_id);
        let links = self.pod_links().await?;
        let routes = if links.is_empty() { Vec::new() } else { route::list(&self.host).await? };
        for (attachment, link) in links {
            let behind = routes.iter().filter(|route| route.link == link.index);
            let ips: Vec<_> = behind.map(|route| route.destination.ip()).collect();
            if !ips.is_empty() {
                table.leases.insert(attachment, rebuilt(ips));
            }
        }
        Ok(table)
    }
}

/// Milliseconds since boot, those of sleep included.
#[must_use]
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let (seconds, rest) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec / 1_000_000));
    seconds.unwrap_or_default() * 1000 + rest.unwrap_or_default()
}

fn may_have_namespace(lease: &Lease) -> bool {
    !lease.namespace.is_some_and(|namespace| namespace.is_gone(Path::new(&lease.path)))
}

fn rebuilt(ips: Vec<IpAddr>) -> Lease {
    Lease {
        ips,
        phase: Phase::Ready,
        created: now(),
        namespace: None,
        path: String::new(),
        pod: PodName::default(),
    }
}
