//! The clsact qdisc that filters need, when the last of them is gone.

use rtnetlink::packet_route::tc::{TcAttribute, TcHandle};

use super::{Direction, list};
use crate::error::{During as _, Result};
use crate::link::Link;
use crate::netlink::Netlink;

const KIND: &str = "clsact";

/// Deletes the clsact qdisc of a device if it holds no filter of anyone; says whether it did.
///
/// The kernel cannot be told to delete only what is empty. It refuses while a request about a filter
/// is on its way, but a filter that is added whole between the look and the deletion goes with the
/// qdisc: an agent that wanted it attaches it again at its next look, others must do so themselves.
///
/// # Errors
/// The kernel's, unless it says that there is none, that it is of another kind, or in use.
pub async fn delete_unused_qdisc(netlink: &Netlink, link: &Link) -> Result<bool> {
    for direction in Direction::ALL {
        if !list::dump(netlink, link, direction).await?.is_empty() {
            return Ok(false);
        }
    }
    let mut request = netlink.0.qdisc().del(link.index.cast_signed());
    let message = request.message_mut();
    message.header.parent = TcHandle::CLSACT;
    // So that the kernel spares a qdisc of the kind `ingress`, which has the same place.
    message.attributes.push(TcAttribute::Kind(KIND.to_owned()));
    let answer = request.execute().await;
    match answer.during("delete", format_args!("clsact qdisc of {}", link.name)) {
        Ok(()) => Ok(true),
        Err(error) if error.is_absent() => Ok(false),
        Err(error) if matches!(error.errno(), Some(libc::EINVAL | libc::EBUSY)) => Ok(false),
        Err(error) => Err(error),
    }
}
