//! Connected UDP sockets of all processes in a network namespace, and their end by our hand.
//!
//! A socket that is destroyed has no peer any longer: who receives, or waits for something to
//! receive, gets `ECONNABORTED` once; who sends gets `EDESTADDRREQ`. The kernel can do so since
//! Linux 4.9 (5d77dca82839) where it was built with `CONFIG_INET_DIAG_DESTROY`.

use std::fmt;
use std::net::SocketAddr;

use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_UDP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_packet_sock_diag::{SockDiagDestroy, SockDiagMessage};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_DUMP};

use crate::error::{Cause, During as _, Error, Result};
use crate::question::ask;

const LIST: &str = "connected UDP sockets";

/// The sockets of the namespace in which this was opened.
pub struct Sockets(netlink_sys::Socket);

/// A UDP socket with a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The kernel's number of the socket, which no other socket ever gets.
    pub cookie: u64,
    /// The peer as the kernel has it; IPv4 also where the socket is of IPv6.
    pub peer: SocketAddr,
    id: SocketId,
}

impl Sockets {
    /// Asks about the calling thread's namespace.
    ///
    /// # Errors
    /// When the kernel does not tell about sockets, or for want of file descriptors.
    pub fn here() -> Result<Self> {
        netlink_sys::Socket::new(NETLINK_SOCK_DIAG).map(Self).during("open", LIST)
    }

    /// All UDP sockets that have a peer. One that gets it meanwhile may be missing.
    ///
    /// # Errors
    /// The kernel's, as where it was built without `CONFIG_INET_UDP_DIAG`.
    pub fn connected(&self) -> Result<Vec<Connected>> {
        let mut found = Vec::new();
        for id in [SocketId::new_v4(), SocketId::new_v6()] {
            let states = StateFlags::ESTABLISHED;
            let question = SockDiagMessage::InetRequest(request(id, states));
            let take = |answer| found.extend(connected(answer));
            ask(&self.0, question, NLM_F_DUMP, take).during("list", LIST)?;
        }
        Ok(found)
    }

    /// Ends a socket; says whether it was still there, with the same peer.
    ///
    /// # Errors
    /// The kernel's, for want of `CAP_NET_ADMIN`, or because it cannot.
    pub fn destroy(&self, socket: &Connected) -> Result<bool> {
        let question = destruction(socket.id.clone());
        match ask(&self.0, question, NLM_F_ACK, nothing) {
            Ok(()) => Ok(true),
            // It is gone, or its tuple is another socket's.
            Err(Cause::Errno(libc::ENOENT | libc::ESTALE)) => Ok(false),
            Err(cause) => Err(Error { action: "destroy", object: socket.to_string(), cause }),
        }
    }

    /// Whether the kernel can list sockets and destroy them, tried on none.
    #[must_use]
    pub fn can_destroy(&self) -> bool {
        let none = request(SocketId::new_v4(), StateFlags::empty());
        let none = SockDiagMessage::InetRequest(none);
        let lists = ask(&self.0, none, NLM_F_DUMP, nothing).is_ok();
        // Nobody's socket is at port 0.
        let nobody = ask(&self.0, destruction(SocketId::new_v4()), NLM_F_ACK, nothing);
        lists && nobody == Err(Cause::Errno(libc::ENOENT))
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sockets")
    }
}

impl fmt::Display for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the UDP socket connected to {}", self.peer)
    }
}

fn nothing(_: SockDiagMessage) {}

fn request(socket_id: SocketId, states: StateFlags) -> InetRequest {
    let family = if socket_id.source_address.is_ipv4() { AF_INET } else { AF_INET6 };
    let extensions = ExtensionFlags::empty();
    InetRequest { family, protocol: IPPROTO_UDP, extensions, states, socket_id }
}

fn destruction(socket: SocketId) -> SockDiagDestroy {
    let request = request(socket, StateFlags::ESTABLISHED);
    SockDiagDestroy::new(SockDiagMessage::InetRequest(request))
}

fn connected(answer: SockDiagMessage) -> Option<Connected> {
    let SockDiagMessage::InetResponse(answer) = answer else { return None };
    let id = answer.header.socket_id;
    let peer = SocketAddr::new(id.destination_address.to_canonical(), id.destination_port);
    Some(Connected { cookie: u64::from_ne_bytes(id.cookie), peer, id })
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::UdpSocket;

    use super::*;

    fn pair(own: &str, peer: &str) -> UdpSocket {
        let socket = UdpSocket::bind(own).unwrap();
        socket.connect(peer).unwrap();
        socket
    }

    #[test]
    fn sockets_with_a_peer_are_listed_and_others_are_not() {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = peer.local_addr().unwrap();
        let mapped = format!("[::ffff:127.0.0.1]:{}", at.port());
        let four = pair("127.0.0.1:0", &at.to_string());
        let six = pair("[::]:0", &mapped);
        let listed = Sockets::here().unwrap().connected().unwrap();
        let ours: Vec<_> = listed.iter().filter(|socket| socket.peer == at).collect();
        let cookie = |socket: &UdpSocket| rustix::net::sockopt::socket_cookie(socket).unwrap();
        let mut cookies: Vec<_> = ours.iter().map(|socket| socket.cookie).collect();
        cookies.sort_unstable();
        let mut expected = [cookie(&four), cookie(&six)];
        expected.sort_unstable();
        assert_eq!(cookies, expected, "{ours:?}");
    }

    #[test]
    fn a_socket_that_is_destroyed_says_so_once_and_can_be_connected_again() {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = peer.local_addr().unwrap();
        let socket = pair("127.0.0.1:0", &at.to_string());
        let sockets = Sockets::here().unwrap();
        let ours = sockets.connected().unwrap().into_iter().find(|it| it.peer == at).unwrap();
        match sockets.destroy(&ours) {
            Ok(true) => {
                assert!(!sockets.destroy(&ours).unwrap(), "it has no peer any longer");
                let error = socket.send(b"?").unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EDESTADDRREQ));
                let error = socket.recv(&mut [0]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
                socket.connect(at).unwrap();
                socket.send(b"?").unwrap();
            }
            // By whoever is not root.
            Err(error) if error.errno() == Some(libc::EPERM) => assert!(socket.send(b"?").is_ok()),
            other => panic!("{other:?}"),
        }
    }
}
