//! What the privileged suites share: packets, what the tables hold, the loaded kernel programs, the
//! host core, which must decide as they do, and a sandbox to run them in.
//!
//! ```text
//! World --+--> Object (maps)    --TEST_RUN-----> Outcome --+
//!         |                                                 +-- must be equal
//!         '--> FakeMaps         --host::Core---> Outcome --'
//! ```

pub mod apart;
pub mod host;
pub mod instructions;
mod net;
pub mod object;
pub mod outcome;
pub mod packet;
pub mod random;
pub mod sandbox;
pub mod sctp;
pub mod tables;
pub mod world;
