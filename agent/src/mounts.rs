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

    /// The mount that `path` lies on: of those around it the deepest, of two in one place the later.
    #[must_use]
    pub fn around(&self, path: &Path) -> Option<&Mount> {
        let around = self.0.iter().filter(|mount| path.starts_with(&mount.target));
        around.max_by_key(|mount| mount.target.components().count())
    }

    /// Where a type of file system is mounted. Other mounts may lie on some of these.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Path> {
        self.0.iter().filter(move |mount| mount.kind == kind).map(|mount| mount.target.as_path())
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
        ] {
            assert_eq!(mounts.around(Path::new(path)).unwrap().kind, kind, "{path}");
        }
    }

    #[test]
    fn the_mounts_of_a_type_are_found() {
        let mounts = Mounts::parse(TEXT);
        let targets = |kind| mounts.of(kind).map(|path| path.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(targets("bpf"), ["/run/with space", "/both"]);
        assert_eq!(targets("nfs"), Vec::<&str>::new());
    }

    #[test]
    fn the_existing_part_of_a_path_is_found() {
        assert_eq!(existing_part(Path::new("/proc/missing/waggle")).unwrap(), Path::new("/proc"));
    }
}
