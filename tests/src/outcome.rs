//! What became of a packet.

/// The fate of a packet as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the program returns.
    pub action: Action,
    /// The packet afterwards.
    pub bytes: Vec<u8>,
    /// Its mark.
    pub mark: u32,
}

/// A tc action, as far as our programs return it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Whoever is attached next, and then the stack.
    Next,
    /// Dropped.
    Drop,
    /// Sent elsewhere by a redirect helper.
    Redirect,
}

impl Action {
    /// The action of a program's return value.
    ///
    /// # Panics
    /// When it is none that our programs may return.
    #[must_use]
    pub fn from_return(value: u32) -> Self {
        match value.cast_signed() {
            -1 => Self::Next,
            2 => Self::Drop,
            7 => Self::Redirect,
            other => unreachable!("the program returned {other}"),
        }
    }
}
