//! GC: takes away what no container uses.
//!
//! A runtime that sends no list of its containers has not said that it has none. Then only what the
//! kernel proves dead is released.

use std::collections::BTreeSet;

use crate::del;
use crate::ipam::LOCK_DEADLINE;
use crate::plugin::Plugin;
use crate::protocol::{Attachment, Code, Error};

/// Collects what is left over.
///
/// # Errors
/// What could not be removed, after everything else was.
pub(crate) async fn run(plugin: &Plugin<'_>) -> Result<(), Error> {
    let mut failures = Vec::new();
    if let Some(valid) = &plugin.config.valid {
        for attachment in stale(plugin, valid).await? {
            if let Err(error) = del::run(plugin, &attachment).await {
                failures.push(format!("{}: {error}", attachment.container));
            }
        }
    }
    reap(plugin).await?;
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::new(Code::Io, "failed to remove some containers").details(failures.join("; ")))
}

/// What has a link or a lease, and is not in the list.
async fn stale(
    plugin: &Plugin<'_>,
    valid: &[(String, String)],
) -> Result<BTreeSet<Attachment>, Error> {
    let links = plugin.pod_links().await?.into_iter().map(|(attachment, _)| attachment);
    let table = plugin.store.read(&plugin.boot_id)?.unwrap_or_default();
    let known: BTreeSet<_> = links.chain(table.leases.into_keys()).collect();
    let is_valid = |attachment: &Attachment| {
        let Attachment { container, ifname } = attachment;
        valid.iter().any(|(id, name)| id == container && name == ifname)
    };
    Ok(known.into_iter().filter(|attachment| !is_valid(attachment)).collect())
}

async fn reap(plugin: &Plugin<'_>) -> Result<(), Error> {
    let locked = plugin.store.lock(LOCK_DEADLINE)?;
    let mut table = plugin.table(&locked).await?;
    plugin.reap(&mut table).await?;
    Ok(locked.write(&table)?)
}
