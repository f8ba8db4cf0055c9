//! `waggle cleanup`.

use anyhow::Result;

use super::host::Host;

#[test]
fn cleanup_leaves_nothing_of_ours() -> Result<()> {
    for attach in ["auto", "clsact"] {
        let host = Host::start()?;
        host.agent(&format!("attach: {attach}"))?.kill()?;
        let answer = host.waggle("cleanup")?;
        assert!(answer.is_success && answer.stdout.contains("eth0"), "{answer:?}");
        for (program, arguments) in [
            ("find", vec![host.path("run").display().to_string()]),
            ("find", vec![host.path("bpf/waggle").display().to_string()]),
            ("ip", words("-4 route show proto 87")),
            ("ip", words("-6 route show proto 87")),
            ("tc", words("filter show dev eth0 ingress")),
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
fn cleanup_under_a_running_agent_is_refused_unless_forced() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    let refused = host.waggle("cleanup")?;
    assert!(!refused.is_success && refused.stderr.contains("--force"), "{refused:?}");
    assert_eq!(host.status()?["healthy"], true);
    let forced = host.waggle("cleanup --force")?;
    assert!(forced.is_success && forced.stdout.contains("removed"), "{forced:?}");
    Ok(())
}
