//! What is attached, for status and clean-up.

use std::fs;
use std::io;

use dataplane_common::abi::names::{TC_HANDLE, TC_PRIORITY};
use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::tc::{TcAttribute, TcFilterBpfOption, TcMessage, TcOption};

use super::{Direction, Mechanism, device};
use crate::bpf;
use crate::error::{During as _, Result};
use crate::link::Link;
use crate::netlink::Netlink;
use crate::pins::Pins;

/// A program of ours at a device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    /// The device's index.
    pub index: u32,
    /// The device's name; none when the device is gone and only the pin is left.
    pub device: Option<String>,
    /// Which packets the program sees.
    pub direction: Direction,
    /// How it is attached.
    pub mechanism: Mechanism,
    /// The program's identifier in the kernel.
    pub program: u32,
}

/// What is attached by pinned links, in the order of their devices.
///
/// # Errors
/// When a pin cannot be read. A directory that does not exist holds none.
pub fn pinned(pins: &Pins) -> Result<Vec<Attachment>> {
    let directory = pins.links();
    let object = format_args!("pinned links in {}", directory.display());
    let entries = match fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.during("list", object)?,
    };
    let mut attachments = Vec::new();
    for entry in entries {
        let entry = entry.during("list", object)?;
        let Some((index, direction)) = Pins::link_of(&entry.file_name()) else { continue };
        // None: whoever deletes a pod at this moment has removed its pin since it was listed.
        attachments.extend(pinned_at(pins, index, direction)?);
    }
    attachments.sort();
    Ok(attachments)
}

/// What is attached by the pinned link of one device and direction.
///
/// # Errors
/// When the pin cannot be read. One that does not exist is none.
pub fn pinned_at(pins: &Pins, index: u32, direction: Direction) -> Result<Option<Attachment>> {
    let pin = pins.link(index, direction);
    let link = match bpf::tcx_link(&pin) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.during("read", pin.display())?,
    };
    // Only the kernel's word for it makes a device gone: names are those of one namespace.
    let name = || device::name(index).unwrap_or_else(|| format!("device {index}"));
    let device = (link.ifindex == index).then(name);
    let (mechanism, program) = (Mechanism::Tcx, link.program);
    Ok(Some(Attachment { index, device, direction, mechanism, program }))
}

/// What is attached to one device by filters.
///
/// # Errors
/// The kernel's. A device that is gone has none.
pub async fn filters(netlink: &Netlink, link: &Link) -> Result<Vec<Attachment>> {
    let mut attachments = Vec::new();
    for direction in Direction::ALL {
        for message in dump(netlink, link, direction).await? {
            let Some(program) = program_of_ours(&message) else { continue };
            attachments.push(Attachment {
                index: link.index,
                device: Some(link.name.clone()),
                direction,
                mechanism: Mechanism::Filter,
                program,
            });
        }
    }
    Ok(attachments)
}

/// The filters of anyone.
pub(super) async fn dump(
    netlink: &Netlink,
    link: &Link,
    direction: Direction,
) -> Result<Vec<TcMessage>> {
    let request = netlink.0.traffic_filter(link.index.cast_signed()).get();
    let request = match direction {
        Direction::Ingress => request.ingress(),
        Direction::Egress => request.egress(),
    };
    let answer: std::result::Result<Vec<_>, _> = request.execute().try_collect().await;
    match answer.during("list", format_args!("filters of {}", link.name)) {
        Err(error) if error.is_absent() || error.errno() == Some(libc::EINVAL) => Ok(Vec::new()),
        other => other,
    }
}

fn program_of_ours(message: &TcMessage) -> Option<u32> {
    let priority = message.header.info >> 16;
    if priority != u32::from(TC_PRIORITY) || u32::from(message.header.handle) != TC_HANDLE {
        return None;
    }
    let options = message.attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Options(options) => Some(options),
        _ => None,
    })?;
    options.iter().find_map(|option| match option {
        TcOption::Bpf(TcFilterBpfOption::ProgId(id)) => Some(*id),
        _ => None,
    })
}
