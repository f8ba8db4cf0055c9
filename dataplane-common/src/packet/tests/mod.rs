//! Tests of the packet views against etherparse, which builds the packets and reads them too.

mod answering;
mod checksums;
mod parsing;
mod quoting;
mod resetting;
mod rewriting;
mod samples;
mod sctp;
