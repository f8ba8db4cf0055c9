//! DEL: take away what is left, and release the addresses last. Nothing being left is a success.

use hostnet::link;

use crate::ipam::{LOCK_DEADLINE, StoreError};
use crate::name;
use crate::plugin::{Plugin, now};
use crate::protocol::{Attachment, Error};

/// Disconnects a container.
///
/// # Errors
/// When the kernel or the store refuses; then the lease stays, and DEL must come again.
pub(crate) async fn run(plugin: &Plugin<'_>, attachment: &Attachment) -> Result<(), Error> {
    let host_name = name::host_link(attachment);
    // Reading needs no lock, and a table that is lost is no reason to keep the link.
    let table = plugin.store.read(&plugin.boot_id)?.unwrap_or_default();
    let mut ips: Vec<_> =
        table.leases.get(attachment).map(|lease| lease.ips.clone()).unwrap_or_default();
    let found = link::find(&plugin.host, &host_name).await?;
    let is_ours = found.as_ref().is_some_and(|found| plugin.is_of(found, attachment));
    if let Some(found) = found.as_ref().filter(|_| is_ours) {
        ips.extend(plugin.ips_behind(found).await?);
    }
    if is_ours || found.is_none() {
        plugin.disconnect(&host_name, &ips).await?;
    }
    match release(plugin, attachment) {
        // Without its link the lease is provably dead, and can be released when there is room.
        Err(error) if error.is_out_of_room() => {
            crate::log(&format!("the lease of {} is kept for now: {error}", attachment.container));
            Ok(())
        }
        other => Ok(other?),
    }
}

/// Under the lock even where the table is lost: whoever rebuilds it may have seen the link that was
/// just deleted.
fn release(plugin: &Plugin<'_>, attachment: &Attachment) -> Result<(), StoreError> {
    let locked = plugin.store.lock(LOCK_DEADLINE)?;
    let Ok(mut table) = plugin.store.read(&plugin.boot_id)? else { return Ok(()) };
    match table.release(attachment, now()) {
        Some(_) => locked.write(&table),
        None => Ok(()),
    }
}
