//! Starts that are refused, with object, cause and remedy.

use std::fs;

use anyhow::Result;
use aya::maps::{Array, MapData};
use hostnet::{Pins, cgroup};

use super::host::{Answer, Host};

fn refused(answer: &Answer, words: &[&str]) {
    assert!(!answer.is_success, "{answer:?}");
    for word in words {
        assert!(answer.stderr.contains(word), "{word}: {}", answer.stderr);
    }
}

#[test]
fn a_second_agent_on_the_same_folders_is_refused_and_the_first_goes_on() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    let manifests = host.path("manifests");
    let second =
        host.waggle(&format!("agent --node-name a --manifests {}", manifests.display()))?;
    refused(&second, &["run directory", "another agent (process ", "stop that one first"]);
    assert_eq!(host.status()?["healthy"], true);
    Ok(())
}

#[test]
fn starts_that_cannot_work_are_refused_before_anything_is_changed() -> Result<()> {
    let host = Host::start()?;
    let (config, manifests) = (host.path("wrong.yaml"), host.path("manifests"));
    fs::write(&config, "delivery: teleport\n")?;
    let (config, manifests) = (config.display(), manifests.display());
    for (arguments, words) in [
        ("".to_owned(), ["no source of objects", "give --manifests DIR"]),
        ("--kubeconfig /k".to_owned(), ["--kubeconfig /k", "give a kubeconfig"]),
        ("--manifests /missing".to_owned(), ["--manifests /missing", "give an existing folder"]),
        (
            format!("--manifests {manifests} --config {config}"),
            ["wrong.yaml:1:11: ", "expected one of bypass, stack"],
        ),
        (
            format!("--manifests {manifests} --cgroup-root /proc"),
            ["--cgroup-root /proc: it is on a file system of type proc", "mount -t cgroup2"],
        ),
        (
            format!("--manifests {manifests} --kubeconfig /k"),
            ["'--manifests <DIR>'", "'--kubeconfig <FILE>'"],
        ),
    ] {
        refused(&host.waggle(&format!("agent --node-name a {arguments}"))?, &words);
    }
    assert!(!host.path("run/agent.lock").exists());
    Ok(())
}

#[test]
fn a_root_that_is_no_bpf_file_system_is_refused_with_the_command_that_mends_it() -> Result<()> {
    let host = Host::start()?;
    host.run("umount", &[&host.path("bpf").display().to_string()])?;
    let manifests = host.path("manifests");
    let answer =
        host.waggle(&format!("agent --node-name a --manifests {}", manifests.display()))?;
    let remedy = format!("`mount -t bpf bpf {}`", host.path("bpf").display());
    refused(&answer, &["--bpf-root", "pins need one of type bpf", &remedy]);
    Ok(())
}

#[test]
fn a_process_without_capabilities_is_refused_by_their_names() -> Result<()> {
    let host = Host::start()?;
    let manifests = host.path("manifests").display().to_string();
    let waggle = host.waggle("--version")?;
    assert!(waggle.stdout.starts_with("waggle "), "{waggle:?}");
    let answer =
        host.without_capabilities(&["agent", "--node-name", "a", "--manifests", &manifests])?;
    refused(&answer, &["CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON", "run it as root"]);
    Ok(())
}

#[test]
fn pins_of_another_version_are_refused_by_name() -> Result<()> {
    let host = Host::start()?;
    let start = format!("agent --node-name a --manifests {}", host.path("manifests").display());
    let other = host.path("bpf/waggle/abi-9").display().to_string();
    host.run("mkdir", &["-p", &other])?;
    refused(&host.waggle(&start)?, &[&other, "layout 9", "`waggle cleanup`"]);
    host.run("rmdir", &[&other])?;
    let maps = host.pinned("maps");
    host.run("mkdir", &["-p", &maps.display().to_string()])?;
    host.inside(|| {
        let map = Array::<MapData, u64>::create(3, 0)?;
        Ok(map.pin(maps.join("slots"))?)
    })?;
    let words = ["maps/slots", "Array of 3 entries, 4 bytes to 8", "`waggle cleanup`"];
    refused(&host.waggle(&start)?, &words);
    host.waggle("cleanup")?;
    let _agent = host.agent("{}")?;
    Ok(())
}

#[test]
fn a_cgroup_that_the_hosts_processes_are_not_in_is_refused_and_takes_no_program() -> Result<()> {
    let host = Host::start()?;
    let (elsewhere, manifests) = (host.make_cgroup("elsewhere")?, host.path("manifests"));
    let (elsewhere, manifests) = (elsewhere.display(), manifests.display());
    let arguments = format!("agent --node-name a --manifests {manifests} --cgroup-root");
    let pins = Pins::new(&host.path("bpf/waggle"));
    let attached = || host.inside(|| Ok(cgroup::list(&pins)?));
    // At first nothing is attached, then what an agent left that was at the right cgroup.
    for count in [0, 8] {
        let before = attached()?;
        assert_eq!(before.len(), count);
        let answer = host.waggle(&format!("{arguments} {elsewhere}"))?;
        let cause = "do not see the calls of this process";
        refused(&answer, &[&format!("--cgroup-root {elsewhere}: "), cause, "give the root of"]);
        assert_eq!(attached()?, before);
        let links = host.pinned("links").display().to_string();
        let pinned = host.run("find", &[&links, "-name", "cgroup-*"])?.stdout;
        assert_eq!(pinned.lines().count(), count, "{pinned}");
        let agent = host.agent("{}")?;
        let clients = &host.status()?["hostClients"];
        assert_eq!((&clients["attached"], &clients["knowsNamespace"]), (&8.into(), &true.into()));
        assert!(count == 0 || attached()? == before);
        agent.kill()?;
    }
    Ok(())
}
