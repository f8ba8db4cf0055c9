//! `waggle cleanup`.

use std::fs;

use anyhow::Result;

use super::host::Host;

#[test]
fn cleanup_leaves_nothing_of_ours() -> Result<()> {
    for attach in ["auto", "clsact"] {
        let host = Host::start()?;
        host.agent(&format!("attach: {attach}"))?.kill()?;
        // What an agent leaves that is killed while it writes.
        for name in ["run/state.next", "run/node.next"] {
            fs::write(host.path(name), "{")?;
        }
        let answer = host.waggle("cleanup")?;
        assert!(answer.is_success && answer.stdout.contains("eth0"), "{answer:?}");
        for (program, arguments) in [
            ("find", vec![host.path("run").display().to_string()]),
            ("find", vec![host.path("bpf/waggle").display().to_string()]),
            ("ip", words("-4 route show proto 87")),
            ("ip", words("-6 route show proto 87")),
            ("tc", words("filter show dev eth0 ingress")),
            ("tc", words("filter show dev eth0 egress")),
            ("tc", words("qdisc show dev eth0 clsact")),
            ("tc", words("qdisc show dev wire clsact")),
        ] {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            assert_eq!(host.run(program, &arguments)?.stdout, "", "{program} {arguments:?}");
        }
        assert_eq!(host.waggle("cleanup")?.stdout, "nothing to remove\n");
    }
    Ok(())
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn cleanup_leaves_filters_of_others_with_their_qdisc() -> Result<()> {
    let host = Host::start()?;
    host.agent("attach: clsact")?.kill()?;
    let tc = |line: &str| {
        let answer = host.run("tc", &line.split(' ').collect::<Vec<_>>())?;
        anyhow::ensure!(answer.is_success, "tc {line}: {answer:?}");
        Ok(answer.stdout)
    };
    let program = host.pinned("programs/from_pod");
    let program = program.display();
    tc(&format!("filter add dev eth0 egress prio 7 bpf direct-action object-pinned {program}"))?;
    let answer = host.waggle("cleanup")?;
    assert!(answer.is_success && !answer.stdout.contains("qdisc of eth0"), "{answer:?}");
    assert!(tc("qdisc show dev eth0 clsact")?.contains("qdisc clsact"));
    assert_eq!(tc("filter show dev eth0 ingress")?, "");
    assert!(tc("filter show dev eth0 egress")?.contains("pref 7 bpf"));
    Ok(())
}

#[test]
fn cleanup_under_a_running_agent_is_refused_unless_forced() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    // By the lock of its run directory, and from another one by that of its pins.
    for (run_dir, object) in [("run", "run directory "), ("other", "pins ")] {
        let refused = host.waggle_at(run_dir, "cleanup")?;
        let says = |words: &str| refused.stderr.contains(words);
        assert!(!refused.is_success && says("--force") && says(object), "{refused:?}");
        assert!(says("stop that one first"), "{refused:?}");
        assert_eq!(host.status()?["healthy"], true);
    }
    let forced = host.waggle_at("other", "cleanup --force")?;
    assert!(forced.is_success && forced.stdout.contains("removed"), "{forced:?}");
    Ok(())
}
