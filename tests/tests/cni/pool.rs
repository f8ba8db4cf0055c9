//! Addresses: unique however many ask at once, and never lost for ever.

use std::{collections::BTreeSet, thread};

use anyhow::Result;

use super::{
    host::{Host, Pod, Traces, ips},
    plugin::{Call, Said},
};

const BOTH: [&str; 2] = ["10.1.1.0/24", "fd01:1::/64"];

fn all_at_once(host: &Host, calls: Vec<Call>) -> Result<Vec<Said>> {
    host.run(move || {
        thread::scope(|scope| {
            let start = |call: Call| scope.spawn(|| call.make());
            let threads: Vec<_> = calls.into_iter().map(start).collect();
            threads.into_iter().map(|thread| thread.join().expect("no call panics")).collect()
        })
    })
}

#[test]
fn a_hundred_pods_at_once_get_addresses_of_their_own() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pods: Vec<_> = (0..100).map(|id| Pod::new(&format!("pod-{id}"))).collect::<Result<_>>()?;
    let added = all_at_once(&host, pods.iter().map(|pod| host.call("ADD", pod)).collect())?;
    let mut distinct = BTreeSet::new();
    for said in added {
        distinct.extend(ips(&said.result()?));
    }
    assert_eq!(distinct.len(), 200);
    assert_eq!(
        host.traces()?,
        Traces { links: 100, routes: 200, hooks: 200, filters: 0, pods: 200 }
    );

    let deleted = all_at_once(&host, pods.iter().map(|pod| host.call("DEL", pod)).collect())?;
    assert_eq!(deleted, vec![Said::Done(None); 100]);
    assert_eq!((host.traces()?, host.leases()?), (Traces::default(), (0, 200)));
    Ok(())
}

#[test]
fn an_exhausted_node_says_so_and_reclaims_what_died_without_del() -> Result<()> {
    let host = Host::ready(&["10.1.1.0/30"])?;
    let (first, second) = (Pod::new("first")?, Pod::new("second")?);
    let address = ips(&host.add(&first)?);
    match host.make(host.call("ADD", &second))? {
        Said::Failed { code: 100, text } => {
            assert!(text.starts_with("no IP addresses available in range set"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(host.leases()?, (1, 0));
    drop(first);
    host.wait_for_links(0)?;
    assert_eq!(ips(&host.add(&second)?), address);
    assert_eq!(host.traces()?, Traces { links: 1, routes: 1, hooks: 2, filters: 0, pods: 1 });
    Ok(())
}

#[test]
fn what_no_runtime_lists_is_collected_and_an_absent_list_is_none() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let (kept, stale) = (Pod::new("kept")?, Pod::new("stale")?);
    host.add(&kept)?;
    host.add(&stale)?;
    let both = Traces { links: 2, routes: 4, hooks: 4, filters: 0, pods: 4 };
    let gc = |config| host.make(Call::bare("GC").input(&config));

    assert_eq!(gc(host.config("1.1.0"))?, Said::Done(None));
    assert_eq!((host.traces()?, host.leases()?), (both, (2, 0)));

    let mut config = host.config("1.1.0");
    config["cni.dev/valid-attachments"] =
        serde_json::json!([{ "containerID": "kept", "ifname": "eth0" }]);
    assert_eq!(gc(config)?, Said::Done(None));
    let one = Traces { links: 1, routes: 2, hooks: 2, filters: 0, pods: 2 };
    assert_eq!((host.traces()?, host.leases()?), (one, (1, 2)));
    Ok(())
}
