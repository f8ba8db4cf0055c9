//! A real folder, followed by inotify.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use tokio::time::timeout;
use waggle_agent::k8s::{Change, Object, Resource};
use waggle_agent::manifests::Manifests;

/// What changes say, in words that are easy to compare.
fn words(changes: Vec<Change>) -> Vec<String> {
    let words = changes.into_iter().map(|change| match change {
        Change::Apply(object) => format!("apply {} {}", object.object_ref(), address_of(&object)),
        Change::Delete(object) => format!("delete {object}"),
        Change::SourceProblems(problems) => format!("{} problems", problems.len()),
        Change::Listed { complete } => format!("listed, complete: {complete}"),
    });
    words.collect()
}

fn address_of(object: &Object) -> String {
    match &object.resource {
        Resource::Service(service) => {
            service.spec.clone().unwrap_or_default().cluster_ip.unwrap_or_default()
        }
        other => panic!("{other:?}: only Services are written here"),
    }
}

fn service(name: &str, address: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n\
         spec: {{clusterIP: {address}, ports: [{{port: 80}}]}}\n"
    )
}

async fn next(manifests: &mut Manifests) -> Vec<String> {
    let changes = timeout(Duration::from_secs(20), manifests.next()).await;
    words(changes.expect("the change is seen"))
}

fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// A folder with one file, followed, its first list taken.
async fn followed() -> (TempDir, Manifests) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("web.yaml"), service("web", "10.96.0.1")).unwrap();
    let mut manifests = Manifests::open(folder.path()).unwrap();
    let expected = ["apply Service default/web 10.96.0.1", "listed, complete: true"];
    assert_eq!(next(&mut manifests).await, expected);
    (folder, manifests)
}

#[test]
fn files_that_are_written_moved_and_removed_are_seen() {
    block_on(async {
        let (folder, mut manifests) = followed().await;
        let path = |name: &str| folder.path().join(name);
        fs::write(path("web.yaml"), service("web", "10.96.0.2")).unwrap();
        assert_eq!(next(&mut manifests).await, ["apply Service default/web 10.96.0.2"]);
        fs::write(path(".web.yaml.swp"), service("web", "10.96.0.3")).unwrap();
        fs::write(path("new"), service("web", "10.96.0.4")).unwrap();
        fs::rename(path("new"), path("web.yaml")).unwrap();
        assert_eq!(next(&mut manifests).await, ["apply Service default/web 10.96.0.4"]);
        fs::write(path("web.yaml"), "kind: [").unwrap();
        assert_eq!(next(&mut manifests).await, ["1 problems"]);
        fs::write(
            path("shop.json"),
            r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}"#,
        )
        .unwrap();
        assert_eq!(next(&mut manifests).await, ["apply Service default/shop "]);
        fs::remove_file(path("web.yaml")).unwrap();
        assert_eq!(next(&mut manifests).await, ["delete Service default/web", "0 problems"]);
    });
}

#[test]
fn a_file_that_is_still_being_written_is_not_read() {
    block_on(async {
        let (folder, mut manifests) = followed().await;
        let mut file = fs::File::create(folder.path().join("web.yaml")).unwrap();
        let text = service("web", "10.96.0.2");
        let (first, rest) = text.split_at(text.len() / 2);
        std::io::Write::write_all(&mut file, first.as_bytes()).unwrap();
        fs::write(folder.path().join("shop.yaml"), service("shop", "10.96.0.9")).unwrap();
        assert_eq!(next(&mut manifests).await, ["apply Service default/shop 10.96.0.9"]);
        std::io::Write::write_all(&mut file, rest.as_bytes()).unwrap();
        drop(file);
        assert_eq!(next(&mut manifests).await, ["apply Service default/web 10.96.0.2"]);
    });
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    block_on(async {
        let (folder, mut manifests) = followed().await;
        fs::create_dir(folder.path().join("folder.yaml")).unwrap();
        let (pipe, mode) = (folder.path().join("pipe.yaml"), Mode::RUSR);
        mknodat(CWD, &pipe, FileType::Fifo, mode, 0).unwrap();
        // What makes the watcher look at the pipe.
        fs::rename(&pipe, folder.path().join("web.yaml")).unwrap();
        assert_eq!(next(&mut manifests).await, ["delete Service default/web"]);
    });
}

#[test]
fn a_mounted_volume_that_switches_all_files_at_once_is_seen() {
    fn version(folder: &Path, name: &str, address: &str) {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("web.yaml"), service("web", address)).unwrap();
        symlink(name, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    }
    block_on(async {
        let folder = TempDir::new().unwrap();
        version(folder.path(), "..1", "10.96.0.1");
        symlink("..data/web.yaml", folder.path().join("web.yaml")).unwrap();
        let mut manifests = Manifests::open(folder.path()).unwrap();
        let expected = ["apply Service default/web 10.96.0.1", "listed, complete: true"];
        assert_eq!(next(&mut manifests).await, expected);
        version(folder.path(), "..2", "10.96.0.2");
        assert_eq!(next(&mut manifests).await, ["apply Service default/web 10.96.0.2"]);
    });
}

#[test]
fn a_folder_that_goes_leaves_its_last_state_and_is_followed_when_it_returns() {
    block_on(async {
        let (folder, mut manifests) = followed().await;
        let elsewhere = folder.path().with_extension("elsewhere");
        fs::rename(folder.path(), &elsewhere).unwrap();
        assert_eq!(next(&mut manifests).await, ["1 problems"]);
        fs::write(elsewhere.join("web.yaml"), service("web", "10.96.0.7")).unwrap();
        fs::create_dir(folder.path()).unwrap();
        fs::write(folder.path().join("web.yaml"), service("web", "10.96.0.8")).unwrap();
        let seen = next(&mut manifests).await;
        assert_eq!(seen.last().map(String::as_str), Some("0 problems"), "{seen:?}");
        fs::write(folder.path().join("shop.yaml"), service("shop", "10.96.0.9")).unwrap();
        loop {
            let seen = next(&mut manifests).await;
            assert!(!seen.iter().any(|word| word.contains("10.96.0.7")), "{seen:?}");
            if seen.contains(&"apply Service default/shop 10.96.0.9".to_owned()) {
                break;
            }
        }
        fs::remove_dir_all(elsewhere).unwrap();
    });
}

/// A folder that was followed is no longer what the path leads to, and what does is empty.
#[test]
fn an_empty_folder_in_place_of_another_takes_nothing_out_until_a_file_is_in_it() {
    type Replace = fn(&Path);
    let removed: Replace = |path| {
        fs::remove_dir_all(path).unwrap();
        fs::create_dir(path).unwrap();
    };
    let moved: Replace = |path| {
        fs::rename(path, path.with_extension("old")).unwrap();
        fs::create_dir(path).unwrap();
    };
    // No event tells of this one, nor of a mount that covers the folder or goes away lazily.
    let switched: Replace = |path| {
        fs::rename(path, path.with_extension("link")).unwrap();
        fs::create_dir(path.with_extension("empty")).unwrap();
        symlink(path.with_extension("empty"), path).unwrap();
    };
    for (name, replace) in [("removed", removed), ("moved", moved), ("switched", switched)] {
        block_on(async {
            let above = TempDir::new().unwrap();
            let path = above.path().join("manifests");
            fs::create_dir(&path).unwrap();
            fs::write(path.join("web.yaml"), service("web", "10.96.0.1")).unwrap();
            let mut manifests = Manifests::open(&path).unwrap();
            let expected = ["apply Service default/web 10.96.0.1", "listed, complete: true"];
            assert_eq!(next(&mut manifests).await, expected, "{name}");
            replace(&path);
            assert_eq!(next(&mut manifests).await, ["1 problems"], "{name}");
            fs::write(path.join("none.yaml"), "").unwrap();
            let expected = ["delete Service default/web", "0 problems"];
            assert_eq!(next(&mut manifests).await, expected, "{name}");
            fs::write(path.join("shop.yaml"), service("shop", "10.96.0.9")).unwrap();
            let expected = ["apply Service default/shop 10.96.0.9"];
            assert_eq!(next(&mut manifests).await, expected, "{name}");
            fs::remove_file(path.join("shop.yaml")).unwrap();
            fs::remove_file(path.join("none.yaml")).unwrap();
            assert_eq!(next(&mut manifests).await, ["delete Service default/shop"], "{name}");
        });
    }
}

#[test]
fn a_link_that_is_switched_to_another_folder_is_followed() {
    block_on(async {
        let above = TempDir::new().unwrap();
        let [one, two, link] = ["one", "two", "link"].map(|name| above.path().join(name));
        for (folder, address) in [(&one, "10.96.0.1"), (&two, "10.96.0.2")] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("web.yaml"), service("web", address)).unwrap();
        }
        symlink(&one, &link).unwrap();
        let mut manifests = Manifests::open(&link).unwrap();
        let expected = ["apply Service default/web 10.96.0.1", "listed, complete: true"];
        assert_eq!(next(&mut manifests).await, expected);
        symlink(&two, above.path().join("draft")).unwrap();
        fs::rename(above.path().join("draft"), &link).unwrap();
        assert_eq!(next(&mut manifests).await, ["apply Service default/web 10.96.0.2"]);
        fs::write(two.join("web.yaml"), service("web", "10.96.0.3")).unwrap();
        assert_eq!(next(&mut manifests).await, ["apply Service default/web 10.96.0.3"]);
    });
}

#[test]
fn a_file_that_cannot_be_read_keeps_its_objects_and_is_tried_again() {
    type Spoil = fn(&Path);
    let circle: Spoil = |file| symlink(file, file).unwrap();
    let dangling: Spoil = |file| symlink(file.with_file_name("absent"), file).unwrap();
    let binary: Spoil = |file| fs::write(file, [0xff, 0xfe]).unwrap();
    for (name, spoil) in [("circle", circle), ("dangling", dangling), ("binary", binary)] {
        block_on(async {
            let (folder, mut manifests) = followed().await;
            let web = folder.path().join("web.yaml");
            fs::remove_file(&web).unwrap();
            spoil(&web);
            assert_eq!(next(&mut manifests).await, ["1 problems"], "{name}");
            // Everything is read again.
            fs::write(folder.path().join("..switched"), "").unwrap();
            fs::write(folder.path().join("shop.yaml"), service("shop", "10.96.0.9")).unwrap();
            let expected = ["apply Service default/shop 10.96.0.9"];
            assert_eq!(next(&mut manifests).await, expected, "{name}");
            fs::remove_file(&web).unwrap();
            let expected = ["delete Service default/web", "0 problems"];
            assert_eq!(next(&mut manifests).await, expected, "{name}");
        });
    }
}

#[test]
fn a_link_whose_target_appears_is_read_though_no_event_tells_of_it() {
    block_on(async {
        let (folder, mut manifests) = followed().await;
        let elsewhere = TempDir::new().unwrap();
        symlink(elsewhere.path().join("it"), folder.path().join("shop.yaml")).unwrap();
        assert_eq!(next(&mut manifests).await, ["1 problems"]);
        fs::write(elsewhere.path().join("it"), service("shop", "10.96.0.9")).unwrap();
        let expected = ["apply Service default/shop 10.96.0.9", "0 problems"];
        assert_eq!(next(&mut manifests).await, expected);
    });
}

#[test]
fn a_first_list_with_a_broken_file_is_completed_when_it_is_mended() {
    block_on(async {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("web.yaml"), "kind: [").unwrap();
        let mut manifests = Manifests::open(folder.path()).unwrap();
        assert_eq!(next(&mut manifests).await, ["1 problems", "listed, complete: false"]);
        fs::write(folder.path().join("web.yaml"), service("web", "10.96.0.1")).unwrap();
        let expected =
            ["apply Service default/web 10.96.0.1", "0 problems", "listed, complete: true"];
        assert_eq!(next(&mut manifests).await, expected);
    });
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    block_on(async {
        let (folder, mut manifests) = followed().await;
        fs::write(folder.path().join("web.yaml"), service("web", "10.96.0.2")).unwrap();
        let mut seen = Vec::new();
        for _ in 0..10_000 {
            if let Ok(changes) = timeout(Duration::from_millis(3), manifests.next()).await {
                seen = words(changes);
                break;
            }
        }
        assert_eq!(seen, ["apply Service default/web 10.96.0.2"]);
    });
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    block_on(async {
        let error = Manifests::open(Path::new("/nowhere/at/all")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to watch the folder of manifests /nowhere/at/all: No such file or directory \
             (os error 2); check --manifests"
        );
    });
}
