//! A question to the kernel by a netlink socket that nobody else uses, and its answers.

use netlink_sys::Socket;
use rtnetlink::packet_core::{
    NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable,
};

use crate::error::Cause;

type Result<T> = std::result::Result<T, Cause>;

/// Asks, and hands over each answer. `flags` must ask for a list or for an acknowledgement, as the
/// last answer is known by that.
pub(crate) fn ask<Q: NetlinkSerializable, A: NetlinkDeserializable>(
    socket: &Socket,
    question: Q,
    flags: u16,
    mut take: impl FnMut(A),
) -> Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(question));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    loop {
        let (answers, _) = socket.recv_from_full()?;
        for answer in split(&answers) {
            match answer?.payload {
                NetlinkPayload::InnerMessage(answer) => take(answer),
                NetlinkPayload::Error(error) => return outcome(error.raw_code()),
                NetlinkPayload::Done(done) => return outcome(done.code),
                _ => {}
            }
        }
    }
}

/// The messages of one datagram.
fn split<A: NetlinkDeserializable>(
    mut bytes: &[u8],
) -> impl Iterator<Item = Result<NetlinkMessage<A>>> {
    std::iter::from_fn(move || {
        let message = (!bytes.is_empty()).then(|| NetlinkMessage::deserialize(bytes))?;
        let length = message.as_ref().map_or(bytes.len(), |message| message.header.length as usize);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message.map_err(|error| Cause::Message(error.to_string())))
    })
}

fn outcome(code: i32) -> Result<()> {
    if code == 0 { Ok(()) } else { Err(Cause::Errno(code.saturating_abs())) }
}
