//! Routes are replaced and deleted where they are ours, and left alone where they are not.

use anyhow::Result;
use hostnet::{
    Netlink,
    addr::{self, Address, Scope},
    route::{self, Route},
};

use super::bench::{DEVICE, block_on, ip, make_device, on_bench};

const ROWS: [[&str; 4]; 2] = [
    ["10.1.2.0/24", "192.0.2.2", "192.0.2.3", "192.0.2.1/24"],
    ["fd01:2::/64", "fd00::2", "fd00::3", "fd00::1/64"],
];

#[test]
fn a_route_of_ours_is_replaced_listed_and_deleted() -> Result<()> {
    on_bench(|_| {
        let link = make_device()?.index;
        block_on(async {
            let netlink = Netlink::here()?;
            for [destination, first, second, own] in ROWS {
                let network = own.parse()?;
                let own = Address { link, network, scope: Scope::Global };
                addr::ensure(&netlink, own).await?;
                addr::ensure(&netlink, own).await?;
                for via in [first, first, second] {
                    let route = Route::through(destination.parse()?, via.parse()?, link);
                    let route = route.from(network.ip());
                    route::ensure(&netlink, &route).await?;
                    assert_eq!(route::list(&netlink).await?, [route]);
                }
                let ours = Route::on_link(destination.parse()?, link);
                let ours = Route { via: Some(second.parse()?), ..ours };
                assert!(route::delete(&netlink, &ours).await?);
                assert!(!route::delete(&netlink, &ours).await?, "again");
                assert_eq!(route::list(&netlink).await?, []);
            }
            Ok(())
        })
    })
}

#[test]
fn a_route_of_somebody_else_is_left_alone() -> Result<()> {
    on_bench(|_| {
        let link = make_device()?.index;
        for [destination, ..] in ROWS {
            ip(&format!("route add {destination} dev {DEVICE}"))?;
        }
        block_on(async {
            let netlink = Netlink::here()?;
            for [destination, ..] in ROWS {
                let route = Route::on_link(destination.parse()?, link);
                let error = route::ensure(&netlink, &route).await.unwrap_err();
                assert!(error.to_string().contains("another program has a route"), "{error}");
                assert!(!route::delete(&netlink, &route).await?);
            }
            assert_eq!(route::list(&netlink).await?, []);
            Ok(())
        })
    })
}
