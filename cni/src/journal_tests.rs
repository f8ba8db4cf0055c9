//! The log: lines, their bounds, and processes that write at once.

use std::thread;

use super::*;
use crate::protocol::Code;

fn journal(folder: &Path, limit: u64) -> Journal {
    Journal { path: folder.join("deep/cni.log"), limit, makes_folder: true }
}

fn environment(container: &str) -> Environment {
    [
        ("CNI_COMMAND", "ADD"),
        ("CNI_CONTAINERID", container),
        ("CNI_IFNAME", "eth0"),
        ("CNI_ARGS", "K8S_POD_NAME=web-0;K8S_POD_NAMESPACE=shop"),
    ]
    .into_iter()
    .collect()
}

fn entry<'a>(environment: &'a Environment, failure: Option<&'a Error>) -> Entry<'a> {
    Entry {
        time: "2026-01-31T12:00:00.123456Z".parse().unwrap(),
        id: 0x1f,
        environment,
        took: Duration::from_micros(6700),
        failure,
    }
}

#[test]
fn a_line_says_what_became_of_which_request() {
    let failure = Error::new(Code::TryAgain, "not ready").details("two\nlines, \"quoted\"");
    let (add, status) = (environment("abc"), [("CNI_COMMAND", "STATUS")].into_iter().collect());
    let start = "2026-01-31T12:00:00.123Z 0000001f";
    for (environment, failure, rest) in [
        (&add, None, "ADD container=abc ifname=eth0 pod=shop/web-0 took=6ms ok"),
        (&status, None, "STATUS took=6ms ok"),
        (
            &status,
            Some(&failure),
            r#"STATUS took=6ms failed=11 "not ready: two\nlines, \"quoted\"""#,
        ),
        (
            &environment("a b\nc"),
            None,
            "ADD container=a?b?c ifname=eth0 pod=shop/web-0 took=6ms ok",
        ),
    ] {
        assert_eq!(entry(environment, failure).to_line(), format!("{start} {rest}\n"));
    }
}

#[test]
fn a_line_is_never_longer_than_it_may_be() {
    let environment = environment(&"ü".repeat(5000));
    let line = entry(&environment, None).to_line();
    assert!(line.len() <= LINE + 1 && line.ends_with("ü\n"), "{}", line.len());
}

#[test]
fn lines_of_many_writers_stay_whole_and_the_files_small() {
    const WRITERS: usize = 8;
    const EACH: usize = 200;
    const LIMIT: u64 = 4096;
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), LIMIT);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let journal = &journal;
            scope.spawn(move || {
                for turn in 0..EACH {
                    let environment = environment(&format!("{writer}-{turn}"));
                    journal.write(&entry(&environment, None)).unwrap();
                }
            });
        }
    });
    let texts = [&journal.path, &journal.older()].map(|path| fs::read_to_string(path).unwrap());
    for text in &texts {
        assert!(text.len() as u64 <= LIMIT + (WRITERS as u64 * 2) * 128, "{}", text.len());
        for line in text.lines() {
            assert!(line.starts_with("2026-") && line.ends_with(" took=6ms ok"), "{line}");
        }
    }
    let files = fs::read_dir(folder.path().join("deep")).unwrap().count();
    assert_eq!(files, 2, "one file beside the current one");
}

#[test]
fn the_older_file_begins_where_the_current_one_was_full() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), 1);
    let lines: Vec<_> = ["one", "two", "three"].map(environment).into();
    for environment in &lines {
        journal.write(&entry(environment, None)).unwrap();
    }
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    assert_eq!(read(&journal.path), entry(&lines[2], None).to_line());
    assert_eq!(read(&journal.older()), entry(&lines[1], None).to_line());
}

#[test]
fn a_log_that_cannot_be_written_is_an_error_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment("a");
    let there = journal(folder.path(), LIMIT);
    let nowhere = Journal { makes_folder: false, ..there.clone() };
    nowhere.write(&entry(&environment, None)).unwrap_err();
    assert!(!folder.path().join("deep").exists());
    fs::create_dir_all(&there.path).unwrap();
    there.write(&entry(&environment, None)).unwrap_err();
}

#[test]
fn a_broken_configuration_makes_no_folder() {
    let usual = Journal { path: "/run/waggle/cni.log".into(), limit: LIMIT, makes_folder: false };
    assert_eq!(Journal::of(b"broken"), Some(usual));
    assert_eq!(Journal::of(br#"{"cniVersion":"1.0.0","name":"a","logFile":""}"#), None);
}
