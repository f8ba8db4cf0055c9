//! From a destination to one backend of its ServicePort: one hash and one array read.

use super::{Env, Tables};
use crate::abi::{
    Address, DropReason, FlowKey, FrontendKey, FrontendKind, Port, Proto, Service, ServiceFlags,
    Slot,
};

/// What a destination came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// It is no frontend.
    NotFrontend,
    /// It is one, and nobody serves it: rejected.
    NoBackend,
    /// It is one that must not be served.
    Refused(DropReason),
    /// It is served by this backend.
    Backend(Service, Slot),
}

/// Chooses a backend for a flow that begins inside the cluster.
#[inline(always)]
pub(super) fn select<A: Address>(
    key: &FlowKey<A>,
    tables: &impl Tables<A>,
    env: &impl Env,
) -> Selection {
    let frontend = FrontendKey {
        addr: key.dst.widen(),
        port: key.dport,
        proto: key.proto,
        kind: FrontendKind::Exact.number(),
    };
    let Some(service) = tables.service(&frontend) else {
        return Selection::NotFrontend;
    };
    let internal_local = service.flags.has(ServiceFlags::INTERNAL_LOCAL);
    let (offset, count) = if internal_local {
        (0, service.local_count)
    } else {
        (service.cluster_offset, service.cluster_count)
    };
    if count == 0 {
        // A Local policy hides backends from a node; that nobody serves is another thing (KEP-2086).
        return if internal_local && service.cluster_count > 0 {
            Selection::Refused(DropReason::NoLocalBackend)
        } else {
            Selection::NoBackend
        };
    }
    let pick = scale(env.random(), count);
    match tables.slot(service.base.wrapping_add(offset).wrapping_add(pick)) {
        Some(slot) => Selection::Backend(service, slot),
        None => Selection::NoBackend,
    }
}

/// Whether an address is none but ours to answer: that of a frontend, or the hairpin's stand-in.
#[inline(always)]
pub(super) fn is_ours<A: Address>(dst: A, tables: &impl Tables<A>) -> bool {
    let key = FrontendKey {
        addr: dst.widen(),
        port: Port::new(0),
        proto: Proto(0),
        kind: FrontendKind::Address.number(),
    };
    dst == A::HAIRPIN || tables.service(&key).is_some()
}

/// Maps 32 random bits onto `0..count`, evenly but for count/2³², without a division.
#[inline(always)]
pub(super) fn scale(random: u32, count: u32) -> u32 {
    (u64::from(random).wrapping_mul(u64::from(count)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::fake::{Fake, FixedEnv, backend_slot};

    const VIP: [u8; 4] = [10, 96, 0, 10];

    fn key() -> FlowKey<[u8; 4]> {
        FlowKey {
            src: [10, 1, 1, 2],
            dst: VIP,
            sport: Port::new(40000),
            dport: Port::new(80),
            proto: Proto::TCP,
            reserved: [0; 3],
        }
    }

    fn pick(service: Service, random: u32) -> Selection {
        let tables = Fake::<[u8; 4]>::default();
        tables.add_service(VIP, 80, Proto::TCP, service);
        for number in 0..8 {
            tables.add_slot(
                u32::from(number),
                backend_slot([10, 1, 1, number], 8080, u32::from(number)),
            );
        }
        select(&key(), &tables, &FixedEnv { now: 0, random })
    }

    #[test]
    fn the_policy_chooses_the_set_and_the_random_number_the_backend() {
        let cluster = Service {
            base: 1,
            local_count: 2,
            cluster_offset: 1,
            cluster_count: 4,
            ..Service::default()
        };
        let local = Service { flags: ServiceFlags::INTERNAL_LOCAL, ..cluster };
        let hidden = Service { local_count: 0, ..local };
        let empty = Service { cluster_count: 0, ..cluster };
        let backend = |service, number: u8| {
            Selection::Backend(service, backend_slot([10, 1, 1, number], 8080, u32::from(number)))
        };
        for (name, service, random, expected) in [
            ("cluster, lowest", cluster, 0, backend(cluster, 2)),
            ("cluster, highest", cluster, u32::MAX, backend(cluster, 5)),
            ("local, lowest", local, 0, backend(local, 1)),
            ("local, highest", local, u32::MAX, backend(local, 2)),
            ("local, none here", hidden, 0, Selection::Refused(DropReason::NoLocalBackend)),
            ("nobody", empty, 0, Selection::NoBackend),
        ] {
            assert_eq!(pick(service, random), expected, "{name}");
        }
    }

    #[test]
    fn choice_is_uniform() {
        // Chi-square over a full walk of the upper 16 random bits: exact for counts that divide it.
        for count in [1, 2, 3, 7, 100] {
            let mut hits = vec![0_u32; count as usize];
            for upper in 0..=u16::MAX {
                hits[scale(u32::from(upper) << 16, count) as usize] += 1;
            }
            let (least, most) = (hits.iter().min().unwrap(), hits.iter().max().unwrap());
            assert!(most - least <= 1, "{count} backends: {least}..{most}");
        }
    }
}
