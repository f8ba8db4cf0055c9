//! Mounted file systems, as /proc/mounts lists them.

use std::io;
use std::path::{Path, PathBuf};

/// The process's mounts, in the order they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounts(Vec<Mount>);

/// One mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub target: PathBuf,
    /// The type of file system, such as `bpf`.
    pub kind: String,
}

impl Mounts {
    /// Reads /proc/mounts.
    ///
    /// # Errors
    /// When /proc is not there.
    pub fn read() -> io::Result<Self> {
        std::fs::read_to_string("/proc/mounts").map(|text| Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(parse_line).collect())
    }

    /// The mount that `path` lies on: of those around it the deepest.
    #[must_use]
    pub fn around(&self, path: &Path) -> Option<&Mount> {
        let around = self.reachable().filter(|mount| path.starts_with(&mount.target));
        around.max_by_key(|mount| mount.target.components().count())
    }

    /// The first mount of a type of file system.
    #[must_use]
    pub fn first(&self, kind: &str) -> Option<&Mount> {
        self.reachable().find(|mount| mount.kind == kind)
    }

    /// Those that no later mount covers, in their own place or around it.
    fn reachable(&self) -> impl Iterator<Item = &Mount> {
        self.0.iter().enumerate().filter_map(|(place, mount)| {
            let mut later = self.0.iter().skip(place + 1);
            (!later.any(|later| mount.target.starts_with(&later.target))).then_some(mount)
        })
    }
}

fn parse_line(line: &str) -> Option<Mount> {
    let mut fields = line.split(' ').skip(1);
    let target = unescape(fields.next()?).into();
    Some(Mount { target, kind: fields.next()?.to_owned() })
}

/// Space, tab, line feed and backslash are written as a backslash with three octal digits.
fn unescape(field: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(field.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The deepest part of `path` that exists, with its links resolved.
///
/// # Errors
/// When not even the root can be read, or a part is no folder.
pub fn existing_part(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    for part in absolute.ancestors() {
        match part.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
overlay / overlay rw,lowerdir=/a 0 0
sysfs /sys sysfs rw 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
tmpfs /run tmpfs rw 0 0
bpf /run/with\\040space bpf rw 0 0
tmpfs /both tmpfs rw 0 0
bpf /both bpf rw 0 0
cgroup2 /covered/cgroup cgroup2 rw 0 0
tmpfs /covered tmpfs rw 0 0
short
";

    #[test]
    fn a_path_lies_on_the_deepest_and_latest_mount_around_it() {
        let mounts = Mounts::parse(TEXT);
        for (path, kind) in [
            ("/etc/x", "overlay"),
            ("/sys/fs/bpf/waggle", "sysfs"),
            ("/runner", "overlay"),
            ("/run/with space/waggle", "bpf"),
            ("/both/waggle", "bpf"),
            ("/covered/cgroup", "tmpfs"),
        ] {
            assert_eq!(mounts.around(Path::new(path)).unwrap().kind, kind, "{path}");
        }
    }

    #[test]
    fn the_mount_of_a_type_is_found() {
        let mounts = Mounts::parse(TEXT);
        let target = |kind| mounts.first(kind).map(|mount| mount.target.clone());
        assert_eq!(target("cgroup2"), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(target("nfs"), None);
        let covered =
            "cgroup2 /a/b cgroup2 rw 0 0\nsysfs /a sysfs rw 0 0\ncgroup2 /a/c cgroup2 rw 0 0";
        assert_eq!(Mounts::parse(covered).first("cgroup2").unwrap().target, Path::new("/a/c"));
    }

    #[test]
    fn the_existing_part_of_a_path_is_found() {
        assert_eq!(existing_part(Path::new("/proc/missing/waggle")).unwrap(), Path::new("/proc"));
    }
}
