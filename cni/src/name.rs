//! Names that follow from the attachment, so that DEL needs no record to find what ADD made.

use hostnet::Mac;
use hostnet::link::{POD_DIGITS, POD_PREFIX};

use crate::protocol::{Attachment, PodName};

/// Longest alias the kernel keeps.
const ALIAS_LENGTH: usize = 255;

/// The name of an attachment's link on the host.
#[must_use]
pub(crate) fn host_link(attachment: &Attachment) -> String {
    format!("{POD_PREFIX}{:0POD_DIGITS$x}", hash("link", attachment) >> 20)
}

/// The hardware address of the host's end.
#[must_use]
pub(crate) fn host_mac(attachment: &Attachment) -> Mac {
    mac(hash("host", attachment))
}

/// The hardware address of the pod's end.
#[must_use]
pub(crate) fn pod_mac(attachment: &Attachment) -> Mac {
    mac(hash("pod", attachment))
}

/// The alias of the host's end: all that is needed to know whose it is.
#[must_use]
pub(crate) fn alias(network: &str, pod: &PodName, attachment: &Attachment) -> String {
    let Attachment { container, ifname } = attachment;
    let tail = format!("/{container}/{ifname}");
    let mut alias = format!("{network}/{}/{}", pod.namespace, pod.name);
    // The pod's name alone is for people, and may suffer.
    let room = ALIAS_LENGTH.saturating_sub(tail.len());
    alias.truncate(
        (0..=room.min(alias.len())).rev().find(|at| alias.is_char_boundary(*at)).unwrap_or(0),
    );
    alias + &tail
}

/// The attachment that a link of the host is of; none, if the link is not of this network, or not
/// ours at all.
#[must_use]
pub(crate) fn attachment_of(network: &str, link_name: &str, alias: &str) -> Option<Attachment> {
    let (rest, ifname) = alias.rsplit_once('/')?;
    let (rest, container) = rest.rsplit_once('/')?;
    let attachment = Attachment { container: container.to_owned(), ifname: ifname.to_owned() };
    let is_ours = rest.split('/').next() == Some(network) && host_link(&attachment) == link_name;
    is_ours.then_some(attachment)
}

fn mac(hash: u64) -> Mac {
    let [a, b, c, d, e, f, ..] = hash.to_be_bytes();
    Mac::local([a, b, c, d, e, f])
}

/// FNV-1a with a final mix. The standard library's hashes may change between releases, and then an
/// upgraded plugin could not delete what the one before it made.
fn hash(purpose: &str, attachment: &Attachment) -> u64 {
    let Attachment { container, ifname } = attachment;
    let text = format!("{purpose}/{container}/{ifname}");
    let hash = fnv(text.as_bytes());
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// FNV-1a over bytes.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn attachment(container: &str, ifname: &str) -> Attachment {
        Attachment { container: container.into(), ifname: ifname.into() }
    }

    fn pod(name: &str) -> PodName {
        PodName { namespace: "shop".into(), name: name.into() }
    }

    #[test]
    fn names_never_change_between_releases() {
        let attachment = attachment("abc", "eth0");
        assert_eq!(host_link(&attachment), "wagb17848275a6");
    }

    #[test]
    fn names_suit_the_kernel_and_differ() {
        let names: BTreeSet<_> = (0..2000)
            .flat_map(|i| {
                ["eth0", "net1"].map(|ifname| host_link(&attachment(&i.to_string(), ifname)))
            })
            .collect();
        assert_eq!(names.len(), 4000);
        assert!(names.iter().all(|name| name.len() == 14 && name.starts_with(POD_PREFIX)));
    }

    #[test]
    fn hardware_addresses_are_local_and_differ_by_end() {
        let attachment = attachment("abc", "eth0");
        let (host, pod) = (host_mac(&attachment), pod_mac(&attachment));
        assert_ne!(host, pod);
        for mac in [host, pod] {
            assert_eq!(mac.0[0] & 3, 2, "{mac}");
        }
    }

    #[test]
    fn an_alias_leads_back_to_its_attachment() {
        let long = "p".repeat(300);
        let wide = "ü".repeat(200);
        for name in ["web-0", "", long.as_str(), wide.as_str()] {
            let attachment = attachment(&"c".repeat(64), "eth0");
            let alias = alias("waggle", &pod(name), &attachment);
            assert!(alias.len() <= ALIAS_LENGTH, "{alias}");
            let link = host_link(&attachment);
            assert_eq!(attachment_of("waggle", &link, &alias), Some(attachment.clone()), "{alias}");
            assert_eq!(attachment_of("other", &link, &alias), None);
            assert_eq!(attachment_of("waggle", "wag00000000000", &alias), None);
        }
    }

    #[test]
    fn foreign_links_have_no_attachment() {
        for alias in ["", "uplink", "a/b", "waggle///abc/eth0"] {
            assert_eq!(attachment_of("waggle", "eth0", alias), None, "{alias:?}");
        }
    }
}
