//! What runs in pods: a server that says who it is over TCP and UDP, and the clients that ask.
//!
//! TCP speaks enough HTTP for `curl`: `GET /` answers `<name> <client address>`, `GET /large` the
//! same and 300,000 blanks, and `GET /stream` sends numbered blocks of a known content, slowly and without end. A UDP datagram is
//! answered as `GET /` is.

mod beside;
mod client;
mod path;
mod peers;
mod server;
mod stream;

pub use beside::{BESIDE, beside_and_tell, beside_told};
pub use client::{ASK, Answer, Protocol, ask, ask_and_tell, fetch, told};
pub use path::{PATH, path_and_tell};
pub use peers::{PEERS, Peers, Talk, peers_and_tell, peers_told};
pub use server::{LARGE, SERVER, serve};
pub use stream::{BLOCK, Progress, receive_stream};
