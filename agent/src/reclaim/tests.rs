//! Plugins that are scripts.

use std::fs;
use std::thread;

use tempfile::TempDir;

use super::*;

/// A node with a plugin that does what a script says.
fn node(script: &str, networks: &[&str]) -> (TempDir, Reclaim) {
    let folder = tempfile::tempdir().unwrap();
    let (plugin, ipam) = (folder.path().join("plugin"), folder.path().join("ipam"));
    fs::create_dir(&ipam).unwrap();
    for network in networks {
        fs::write(ipam.join(format!("{network}.table")), "").unwrap();
    }
    fs::write(ipam.join("lock"), "").unwrap();
    if !script.is_empty() {
        install(&plugin, script);
    }
    let places = Places { bpf_root: "/bpf".into(), run_dir: folder.path().to_owned() };
    let reclaim = Reclaim::new(&plugin, &places, Duration::from_secs(30));
    (folder, reclaim)
}

/// By a process of its own: a file that a child of another test has inherited open for writing
/// cannot be run.
fn install(plugin: &Path, script: &str) {
    let write = r#"printf '#!/bin/sh\n%s\n' "$1" >"$0" && chmod 755 "$0""#;
    let mut shell = Command::new("sh");
    let status = shell.args(["-c", write]).arg(plugin).arg(script).status().unwrap();
    assert!(status.success(), "{script}");
}

/// Looks until every call that is due is over.
fn finish(reclaim: &mut Reclaim) -> Vec<String> {
    let start = Instant::now();
    reclaim.look(start);
    while reclaim.call.is_some() || !reclaim.waiting.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "a call does not end");
        thread::sleep(Duration::from_millis(2));
        reclaim.look(Instant::now().min(start + Duration::from_secs(20)));
    }
    told(reclaim)
}

fn told(reclaim: &Reclaim) -> Vec<String> {
    reclaim
        .problems()
        .map(|problem| format!("{:?} {}", problem.severity, problem.message))
        .collect()
}

#[test]
fn each_network_with_leases_is_collected_without_a_list() {
    let script = r#"(echo "$CNI_COMMAND $CNI_PATH"; cat; echo) >>"${0}.said""#;
    let (folder, mut reclaim) = node(script, &["b", "a"]);
    assert_eq!(finish(&mut reclaim), Vec::<String>::new());
    let said = fs::read_to_string(folder.path().join("plugin.said")).unwrap();
    let expected = ["a", "b"].map(|name| {
        let run_dir = folder.path().display();
        let configuration = json!({
            "cniVersion": "1.1.0", "name": name, "runDir": run_dir.to_string(),
            "bpfRoot": "/bpf", "logFile": "",
        });
        format!("GC {run_dir}\n{configuration}\n")
    });
    assert_eq!(said, expected.concat());
}

#[test]
fn it_comes_again_when_its_period_is_over() {
    let (_folder, mut reclaim) = node("", &[]);
    let start = reclaim.due;
    for (seconds, expected) in [(0, 30), (1, 30), (29, 30), (30, 60), (95, 125)] {
        reclaim.look(start + Duration::from_secs(seconds));
        assert_eq!(reclaim.due, start + Duration::from_secs(expected), "{seconds}");
    }
}

#[test]
fn what_fails_is_told_with_its_cause_until_it_is_mended() {
    for (script, networks, expected) in [
        ("", vec![], None),
        ("", vec!["a"], Some("Note is not there: ")),
        ("cat; exit 0", vec!["a"], None),
        (
            r#"echo '{"msg":"no","details":"disk full"}'; exit 1"#,
            vec!["a"],
            Some(": no: disk full; "),
        ),
        (r#"echo '{"msg":"no"}'; exit 1"#, vec!["a"], Some("of network a: no; ")),
        ("kill -9 $$", vec!["a"], Some("ended with signal: 9 (SIGKILL) and without a word; ")),
        ("sleep 60 & exit 3", vec!["a"], Some("ended with exit status: 3 and without")),
    ] {
        let (folder, mut reclaim) = node(script, &networks);
        let found = finish(&mut reclaim);
        let is_right = |text: &String| expected.is_some_and(|words| text.contains(words));
        assert_eq!(found.len(), usize::from(expected.is_some()), "{script} {found:?}");
        assert!(found.iter().all(is_right), "{script} {found:?}");

        fs::remove_dir_all(folder.path().join("ipam")).unwrap();
        reclaim.due = Instant::now();
        assert_eq!(reclaim.look(reclaim.due), expected.is_some(), "{script}");
        assert_eq!(told(&reclaim), Vec::<String>::new(), "{script}");
    }
}

#[test]
fn a_call_that_hangs_is_ended_and_the_next_network_has_its_turn() {
    let script = r#"case "$(cat)" in *'"name":"a"'*) exec sleep 600;; esac"#;
    let (_folder, mut reclaim) = node(script, &["a", "b"]);
    reclaim.patience = Duration::from_millis(200);
    let found = finish(&mut reclaim);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("of network a: hangs since 0 s and was ended; "), "{found:?}");
}
