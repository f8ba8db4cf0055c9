//! GC: takes away what no container uses.
//!
//! A runtime that sends no list of its containers has not said that it has none. Then only what the
//! kernel proves dead is released.

use std::collections::BTreeSet;

use crate::del;
use crate::ipam::{LOCK_DEADLINE, Table};
use crate::plugin::{Plugin, now};
use crate::protocol::{Attachment, Code, Error};

/// Collects what is left over; `valid` lists containers and their interfaces.
///
/// # Errors
/// What could not be removed, after everything else was.
pub(crate) async fn run(
    plugin: &Plugin<'_>,
    valid: Option<&[(String, String)]>,
) -> Result<(), Error> {
    let start = now();
    let mut failures = Vec::new();
    if let Some(valid) = valid {
        for attachment in stale(plugin, valid, start).await? {
            if let Err(error) = del::run(plugin, &attachment).await {
                failures.push(format!("{}: {error}", attachment.container));
            }
        }
    }
    if let Err(error) = reap(plugin).await {
        failures.push(error.to_string());
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::new(Code::Io, "failed to remove some containers").details(failures.join("; ")))
}

/// What has a link or a lease, and is not in the list. What ADD made after the list was sent could
/// not be in it.
async fn stale(
    plugin: &Plugin<'_>,
    valid: &[(String, String)],
    start: u64,
) -> Result<BTreeSet<Attachment>, Error> {
    let links = plugin.pod_links().await?.into_iter().map(|(attachment, _)| attachment);
    let table = plugin.store.read(&plugin.boot_id)?.unwrap_or_default();
    let known: BTreeSet<_> = links.chain(table.leases.keys().cloned()).collect();
    Ok(known.into_iter().filter(|each| is_stale(&table, valid, start, each)).collect())
}

fn is_stale(
    table: &Table,
    valid: &[(String, String)],
    start: u64,
    attachment: &Attachment,
) -> bool {
    let Attachment { container, ifname } = attachment;
    let is_valid = valid.iter().any(|(id, name)| id == container && name == ifname);
    let is_younger = table.leases.get(attachment).is_some_and(|lease| lease.created >= start);
    !is_valid && !is_younger
}

async fn reap(plugin: &Plugin<'_>) -> Result<(), Error> {
    let locked = plugin.store.lock(LOCK_DEADLINE)?;
    let mut table = plugin.table(&locked).await?;
    plugin.reap(&mut table).await?;
    Ok(locked.write(&table)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipam::{Lease, Phase};
    use crate::protocol::PodName;

    #[test]
    fn what_is_listed_or_younger_than_the_list_is_kept() {
        let attachment = |container: &str, ifname: &str| Attachment {
            container: container.into(),
            ifname: ifname.into(),
        };
        let lease = |created| Lease {
            ips: Vec::new(),
            phase: Phase::Reserved,
            created,
            namespace: None,
            path: String::new(),
            pod: PodName::default(),
        };
        let mut table = Table::new("b");
        table.leases.insert(attachment("old", "eth0"), lease(99));
        table.leases.insert(attachment("young", "eth0"), lease(100));
        let valid = [("listed".to_owned(), "eth0".to_owned())];
        for (container, ifname, expected) in [
            ("old", "eth0", true),
            ("young", "eth0", false),
            ("listed", "eth0", false),
            ("listed", "net1", true),
            ("linked", "eth0", true),
        ] {
            let found = is_stale(&table, &valid, 100, &attachment(container, ifname));
            assert_eq!(found, expected, "{container} {ifname}");
        }
    }
}
