//! The plugin as a process, without a privilege: what stands on standard output and in the log.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What STATUS is promised to need at most.
const PROMISE: Duration = Duration::from_secs(2);

fn config(folder: &Path) -> Value {
    json!({
        "cniVersion": "1.1.0",
        "name": "waggle",
        "type": "waggle-cni",
        "runDir": folder.join("run"),
        "bpfRoot": folder.join("bpf"),
    })
}

fn start(verb: &str, changes: &[(&str, &str)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waggle-cni"));
    command.env_clear().env("CNI_COMMAND", verb).env("CNI_PATH", "/opt/cni/bin");
    command.env("CNI_CONTAINERID", "never-added").env("CNI_IFNAME", "eth0");
    command.env("CNI_NETNS", "/proc/self/ns/net").envs(changes.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("cargo has built the plugin")
}

fn call(verb: &str, changes: &[(&str, &str)], input: &str) -> Output {
    let mut child = start(verb, changes);
    // One that answers without reading breaks the pipe.
    drop(child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes())));
    child.wait_with_output().expect("it ends")
}

/// The code of a failure, 0 of a success; standard output must hold one object or nothing.
fn code(output: &Output) -> u64 {
    if output.status.success() {
        return 0;
    }
    let json: Value = serde_json::from_slice(&output.stdout).expect("a failure is an object");
    json["code"].as_u64().expect("a failure has a code")
}

fn log(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("run/cni.log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn status_answers_in_time_whatever_hangs() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("run")).unwrap();
    let pipe = folder.path().join("run/node.json");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    for is_input_closed in [false, true] {
        let began = Instant::now();
        let mut child = start("STATUS", &[]);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(config(folder.path()).to_string().as_bytes()).unwrap();
        let held = (!is_input_closed).then_some(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(began.elapsed() < PROMISE, "{:?}", began.elapsed());
        assert_eq!(code(&output), 50, "{output:?}");
        drop(held);
    }
}

#[test]
fn a_node_that_is_not_ready_says_so_at_once() {
    let folder = TempDir::new().unwrap();
    let input = config(folder.path()).to_string();
    assert_eq!(code(&call("STATUS", &[], &input)), 50);
    let own = [("CNI_NETNS_OVERRIDE", "1")];
    assert_eq!(code(&call("ADD", &own, &input)), 11);
    assert_eq!(code(&call("CHECK", &own, &input)), 7, "without a previous result");
    assert_eq!(code(&call("CHECK", &[], &input)), 4, "in the host's own namespace");
}

#[test]
fn del_of_what_never_was_succeeds_without_a_word() {
    let folder = TempDir::new().unwrap();
    for (netns, arguments, key, value) in [
        ("", "", "prevResult", json!(null)),
        ("/run/netns/never-was", "IgnoreUnknown=1", "prevResult", json!({})),
        ("/proc/self/status", "garbage", "prevResult", json!("garbage")),
        ("", "MAC=garbage", "runtimeConfig", json!({ "portMappings": [{ "protocol": "sctp" }] })),
        ("", ";=;", "runtimeConfig", json!({ "mac": 7, "ips": {}, "ipRanges": "x" })),
        ("", "", "unknown", json!({ "a": [1] })),
    ] {
        let mut input = config(folder.path());
        input[key] = value;
        let changes = [("CNI_NETNS", netns), ("CNI_ARGS", arguments)];
        let output = call("DEL", &changes, &input.to_string());
        assert_eq!((code(&output), output.stdout.as_slice()), (0, &b""[..]), "{input}");
    }
}

#[test]
fn a_failed_del_is_never_mistaken_for_a_success() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("run"), "a file where a folder should be").unwrap();
    let output = call("DEL", &[], &config(folder.path()).to_string());
    assert_eq!(code(&output), 5, "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap().to_lowercase();
    assert!(!text.contains("not found") && !text.contains("no such file"), "{text}");
}

#[test]
fn every_failure_names_the_version_of_its_request() {
    for (version, input) in [
        ("0.4.0", r#"{"cniVersion":"0.4.0","name":"bad/name"}"#),
        ("2.0.0", r#"{"cniVersion":"2.0.0","name":"waggle"}"#),
        ("1.0.0", "[]"),
        ("1.0.0", ""),
    ] {
        let output = call("DEL", &[], input);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["cniVersion"], version, "{input}");
        assert!(!output.status.success());
    }
}

#[test]
fn input_without_measure_is_read_or_refused() {
    let folder = TempDir::new().unwrap();
    let mut long = config(folder.path());
    long["runtimeConfig"] = json!({ "annotations": "x".repeat(8 << 20) });
    let deep = "[".repeat(1 << 20);
    let nested = config(folder.path()).to_string().replacen('{', &format!(r#"{{"a":{deep},"#), 1);
    for (input, expected) in [(long.to_string(), 0), (deep, 6), (nested, 6), ("\0".repeat(9), 6)] {
        let start = &input[..input.len().min(20)];
        assert_eq!(code(&call("DEL", &[("CNI_NETNS", "")], &input)), expected, "{start}");
    }
}

#[test]
fn each_request_leaves_a_line_and_status_none_while_all_is_well() {
    let folder = TempDir::new().unwrap();
    let input = config(folder.path()).to_string();
    let arguments = [("CNI_NETNS", ""), ("CNI_ARGS", "K8S_POD_NAME=web-0;K8S_POD_NAMESPACE=shop")];
    call("DEL", &arguments, &input);
    call("STATUS", &[], &input);
    call("VERSION", &[], "");
    let lines = log(folder.path());
    assert_eq!(lines.len(), 2, "{lines:?}");
    let pod = "DEL container=never-added ifname=eth0 pod=shop/web-0 took=";
    assert!(lines[0].contains(pod) && lines[0].ends_with(" ok"), "{lines:?}");
    assert!(lines[1].contains("STATUS") && lines[1].contains(" failed=50 "), "{lines:?}");
}

#[test]
fn requests_at_once_leave_whole_lines() {
    let folder = TempDir::new().unwrap();
    let input = config(folder.path()).to_string();
    let mut children: Vec<_> = (0..20).map(|_| start("DEL", &[("CNI_NETNS", "")])).collect();
    for child in &mut children {
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    }
    for child in children {
        assert_eq!(code(&child.wait_with_output().unwrap()), 0);
    }
    let lines = log(folder.path());
    assert_eq!(lines.len(), 20);
    assert!(lines.iter().all(|line| line.ends_with("ms ok")), "{lines:?}");
}

#[test]
fn a_log_that_cannot_be_written_fails_no_request() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    for path in [pipe.as_path(), folder.path(), Path::new("/proc/none/cni.log"), Path::new("")] {
        let mut input = config(folder.path());
        input["logFile"] = json!(path);
        let output = call("DEL", &[("CNI_NETNS", "")], &input.to_string());
        assert_eq!((code(&output), output.stdout.as_slice()), (0, &b""[..]), "{}", path.display());
    }
}

#[test]
fn a_reader_that_is_gone_is_no_reason_to_panic() {
    let mut child = start("VERSION", &[]);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
