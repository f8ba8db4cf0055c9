//! What a decision holds while it is made.

use super::{Choice, Exit, source::Ports};
use crate::abi::{Address, FlowEntry, FlowFlags, FlowKey, NetnsId};

/// The caller keeps it: these are more than the 512 bytes of stack that kernel programs have.
///
/// Its fields are meaningless between two packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work<A> {
    /// The packet's tuple, with the hairpin undone.
    pub(super) key: FlowKey<A>,
    /// The entry of that key.
    pub(super) entry: FlowEntry<A>,
    /// What the flow is given, where it begins.
    pub(super) choice: Choice,
    /// Whether its backend takes no new flows.
    pub(super) is_left: bool,
    /// What a flow that begins has in its reverse entry alone.
    pub(super) reverse: FlowFlags,
    /// Where its client's sockets are, if one of those may be in its way.
    pub(super) netns: NetnsId,
    /// The source ports it may have.
    pub(super) ports: Ports,
    /// The key of the flow's other direction.
    pub(super) sibling_key: FlowKey<A>,
    /// The entry of that key.
    pub(super) sibling: FlowEntry<A>,
    /// A key whose flow is to end.
    pub(super) judged_key: FlowKey<A>,
    /// The entry of that key, as it was judged.
    pub(super) judged: FlowEntry<A>,
    /// The key of the judged flow's other direction.
    pub(super) judged_sibling: FlowKey<A>,
    /// Whether a bypass flow's packet takes the stack's way all the same.
    pub(super) by_stack: bool,
    /// The key that guards a flow while it ends or is mended.
    pub(super) guard: FlowKey<A>,
    /// What the verdict is carried out with.
    pub exit: Exit<A>,
}

impl<A: Address> Work<A> {
    /// Fills in the other direction from this one.
    #[inline(always)]
    pub(super) fn derive_sibling(&mut self) {
        self.sibling_key = self.entry.sibling(self.key.proto);
        self.sibling = self.entry.sibling_entry(&self.key);
    }

    /// Judges the flow at hand.
    #[inline(always)]
    pub(super) fn judge(&mut self) {
        self.judged_key = self.key;
        self.judged = self.entry;
    }
}
