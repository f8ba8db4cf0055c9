//! A table that is lost is made anew from what the kernel has, before an address is given.

use std::fs;

use anyhow::Result;

use super::host::{Host, Pod, ips};

const BOTH: [&str; 2] = ["10.1.1.0/24", "fd01:1::/64"];

/// What is left of a table's text; none when the whole folder is gone.
type Damage = fn(&str) -> Option<String>;

#[test]
fn no_living_pod_loses_its_address_with_the_table() -> Result<()> {
    let damages: [(&str, Damage); 4] = [
        ("deleted", |_| None),
        ("empty", |_| Some(String::new())),
        ("torn", |text| Some(text[..text.len() / 2].to_owned())),
        ("changed", |text| Some(text.replace("lease", "lost"))),
    ];
    for (name, damage) in damages {
        let host = Host::ready(&BOTH)?;
        let (old, new) = (Pod::new("old")?, Pod::new("new")?);
        let before = ips(&host.add(&old)?);
        let text = fs::read_to_string(host.table())?;
        match damage(&text) {
            Some(text) => fs::write(host.table(), text)?,
            None => fs::remove_dir_all(host.run_dir().join("ipam"))?,
        }
        let after = ips(&host.add(&new)?);
        assert!(after.iter().all(|ip| !before.contains(ip)), "{name}: {before:?} {after:?}");
        assert_eq!(host.leases()?, (2, 0), "{name}");
        assert_eq!(host.del(&old)?.code(), 0);
        assert_eq!(host.leases()?, (1, 2), "{name}");
    }
    Ok(())
}

#[test]
fn a_table_of_an_earlier_boot_binds_nobody() -> Result<()> {
    let host = Host::ready(&["10.1.1.0/30"])?;
    let pod = Pod::new("before")?;
    host.add(&pod)?;
    assert_eq!(host.del(&pod)?.code(), 0);
    let other_boot = "boot\t00000000-0000-0000-0000-000000000000\nlease\tx\teth0\t10.1.1.2\tready\t1\t-\t-\t-\t-\n";
    let sum = other_boot.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    fs::write(host.table(), format!("waggle-ipam\t1\t{sum:016x}\n{other_boot}"))?;
    assert_eq!(ips(&host.add(&pod)?), [[10, 1, 1, 2].into()] as [std::net::IpAddr; 1]);
    Ok(())
}
