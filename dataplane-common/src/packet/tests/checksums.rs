//! Checksums: published vectors, and updates against sums taken anew.

use proptest::prelude::*;

use crate::{
    abi::Proto,
    packet::{Checksum, Sum},
};

/// RFC 1071, 3: the bytes and their sum.
const RFC_1071: [u8; 8] = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];

#[test]
fn the_example_of_rfc_1071_adds_up() {
    assert_eq!(Sum::of(&RFC_1071).checksum(), Checksum((!0xddf2_u16).to_be_bytes()));
}

#[test]
fn updates_give_what_rfc_1624_says() {
    // Section 4: equation 3 must give 0x0000 here, where RFC 1141's gives 0xffff.
    let rows = [
        ("RFC 1624, 4", 0xdd2f, 0x5555, 0x3285, 0x0000),
        ("nothing changes", 0xdd2f, 0x5555, 0x5555, 0xdd2f),
        ("a carry", 0x0001, 0x0000, 0xffff, 0x0001),
    ];
    for (name, old, from, to, new) in rows {
        let diff = Sum::diff(&u16::to_be_bytes(from), &u16::to_be_bytes(to));
        let updated = Checksum(u16::to_be_bytes(old)).updated(diff);
        assert_eq!(updated, Checksum(u16::to_be_bytes(new)), "{name}");
    }
}

#[test]
fn zero_means_no_checksum_in_udp_alone() {
    let diff = Sum::diff(&[0x55, 0x55], &[0x32, 0x85]);
    let field = Checksum([0xdd, 0x2f]);
    assert_eq!(field.updated_for(Proto::TCP, diff), Checksum([0, 0]));
    assert_eq!(field.updated_for(Proto::UDP, diff), Checksum([0xff, 0xff]));
    assert_eq!(Checksum::NONE.updated_for(Proto::UDP, diff), Checksum::NONE);
    assert_ne!(Checksum::NONE.updated_for(Proto::TCP, diff), Checksum::NONE);
}

/// The checksum as RFC 1071 words it, with nothing shared with the code under test.
fn plain(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| match pair {
        [a, b] => u32::from(*a) << 8 | u32::from(*b),
        [a] => u32::from(*a) << 8,
        _ => unreachable!("chunks of two"),
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

proptest! {
    #[test]
    fn a_sum_is_that_of_16_bit_words_at_every_length(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let checksum = Sum::of_slice(&bytes).checksum();
        prop_assert_eq!(u16::from_be_bytes(checksum.0), plain(&bytes));
    }

    #[test]
    fn an_update_equals_a_sum_taken_anew(
        bytes in any::<[u8; 32]>(),
        word in any::<[u8; 4]>(),
        at in 0..7_usize,
    ) {
        let mut changed = bytes;
        changed[at * 4..at * 4 + 4].copy_from_slice(&word);
        let diff = Sum::diff(&bytes, &changed);
        let small = Sum::diff(bytes[at * 4..].first_chunk::<4>().unwrap(), &word);
        let old = Sum::of(&bytes).checksum();
        // All zeroes have a sum of their own: nothing that carries an address is all zeroes.
        prop_assume!(changed != [0; 32]);
        prop_assert_eq!(old.updated(diff), Sum::of(&changed).checksum());
        prop_assert_eq!(old.updated(small), Sum::of(&changed).checksum());
    }

    #[test]
    fn a_sum_survives_the_kernels_form(bytes in any::<[u8; 40]>()) {
        let sum = Sum::of(&bytes);
        prop_assert_eq!(Sum::from_wsum(sum.wsum()).checksum(), sum.checksum());
    }
}
