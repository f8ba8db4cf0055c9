//! The few instructions that the bench's own programs are written in.
//!
//! A program that writes a frame *is* the frame, store by store, so it is made when the frame is
//! known and not compiled from a source.

/// A register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Register(u8);

/// What a helper or the program itself returns.
pub(super) const R0: Register = Register(0);
/// The context, or a helper's first argument.
pub(super) const R1: Register = Register(1);
/// A helper's second argument.
pub(super) const R2: Register = Register(2);
pub(super) const R3: Register = Register(3);
pub(super) const R4: Register = Register(4);
pub(super) const R5: Register = Register(5);

/// Instructions as the kernel reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Assembly(pub(super) Vec<u64>);

impl Assembly {
    fn push(mut self, code: u8, to: Register, from: Register, offset: i16, value: i32) -> Self {
        let bytes = [code, to.0 | from.0 << 4];
        let offset = offset.to_le_bytes();
        let value = value.to_le_bytes();
        self.0.push(u64::from_le_bytes([
            bytes[0], bytes[1], offset[0], offset[1], value[0], value[1], value[2], value[3],
        ]));
        self
    }

    /// `to = value`
    pub(super) fn set(self, to: Register, value: i32) -> Self {
        self.push(0xb7, to, R0, 0, value)
    }

    /// `to = from`
    pub(super) fn copy(self, to: Register, from: Register) -> Self {
        self.push(0xbf, to, from, 0, 0)
    }

    /// `to += value`
    pub(super) fn add(self, to: Register, value: i32) -> Self {
        self.push(0x07, to, R0, 0, value)
    }

    /// `to ^= value`
    pub(super) fn flip(self, to: Register, value: i32) -> Self {
        self.push(0xa7, to, R0, 0, value)
    }

    /// `to = htons(to)`
    pub(super) fn swap_to_network(self, to: Register) -> Self {
        self.push(0xdc, to, R0, 0, 16)
    }

    /// `to = *(u32 *)(from + offset)`
    pub(super) fn load_word(self, to: Register, from: Register, offset: i16) -> Self {
        self.push(0x61, to, from, offset, 0)
    }

    /// `to = *(u64 *)from`
    pub(super) fn load_double(self, to: Register, from: Register) -> Self {
        self.push(0x79, to, from, 0, 0)
    }

    /// `*(u32 *)(to + offset) = value`
    pub(super) fn store_word(self, to: Register, offset: i16, value: [u8; 4]) -> Self {
        self.push(0x62, to, R0, offset, i32::from_le_bytes(value))
    }

    /// `*(u16 *)(to + offset) = from`
    pub(super) fn store_half(self, to: Register, offset: i16, from: Register) -> Self {
        self.push(0x6b, to, from, offset, 0)
    }

    /// `*(u64 *)to += from`, atomically
    pub(super) fn count(self, to: Register, from: Register) -> Self {
        self.push(0xdb, to, from, 0, 0)
    }

    /// `to = &map[0]`
    pub(super) fn point(self, to: Register, map: i32) -> Self {
        self.push(0x18, to, Register(2), 0, map).push(0, R0, R0, 0, 0)
    }

    /// `if left > right` skips the next instructions.
    pub(super) fn skip_if_greater(self, left: Register, right: Register, count: i16) -> Self {
        self.push(0x2d, left, right, count, 0)
    }

    /// `if left != value` skips the next instructions.
    pub(super) fn skip_unless(self, left: Register, value: i32, count: i16) -> Self {
        self.push(0x55, left, R0, count, value)
    }

    /// Calls a helper.
    pub(super) fn call(self, helper: i32) -> Self {
        self.push(0x85, R0, R0, 0, helper)
    }

    /// Returns.
    pub(super) fn exit(self) -> Self {
        self.push(0x95, R0, R0, 0, 0)
    }

    /// Appends other instructions.
    pub(super) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Assembly, R0, R2, R3};

    #[test]
    fn fields_are_where_the_kernel_looks_for_them() {
        let code = Assembly::default().load_word(R2, R3, -4).set(R0, 0x0102_0304).exit();
        assert_eq!(code.0, [0x0000_0000_fffc_3261, 0x0102_0304_0000_00b7, 0x95]);
    }
}
