//! What can fail, in words of our own.
//!
//! The kernel's usual texts are avoided on purpose: container runtimes take a failed CNI DEL whose
//! text speaks of a missing file or object for a success, and then the address leaks.

use std::fmt;
use std::io;

use rtnetlink::packet_core::ErrorMessage;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// An action on an object of the host that failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {object}: {cause}")]
pub struct Error {
    /// What was attempted.
    pub action: &'static str,
    /// What it was attempted on.
    pub object: String,
    /// Why it failed. Not a `source`, because a source's text would be printed beside ours.
    pub cause: Cause,
}

/// Why an action failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The kernel's error number.
    Errno(i32),
    /// A sentence, where there is no number.
    Message(String),
}

impl Error {
    /// An error with a sentence for its cause.
    pub fn new(
        action: &'static str,
        object: impl fmt::Display,
        message: impl Into<String>,
    ) -> Self {
        Self { action, object: object.to_string(), cause: Cause::Message(message.into()) }
    }

    /// The kernel's error number, if the kernel was the cause.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self.cause {
            Cause::Errno(errno) => Some(errno),
            Cause::Message(_) => None,
        }
    }

    /// Whether the kernel says that the object does not exist.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        const ABSENT: [i32; 5] =
            [libc::ENOENT, libc::ENODEV, libc::ESRCH, libc::ENXIO, libc::EADDRNOTAVAIL];
        self.errno().is_some_and(|errno| ABSENT.contains(&errno))
    }

    /// Whether the kernel says that the object exists already.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.errno() == Some(libc::EEXIST)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(errno) => f.write_str(&errno_text(*errno)),
            Self::Message(message) => f.write_str(message),
        }
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self::Errno(errno),
            None => Self::Message(error.to_string()),
        }
    }
}

impl From<rustix::io::Errno> for Cause {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Errno(errno.raw_os_error())
    }
}

impl From<rtnetlink::Error> for Cause {
    fn from(error: rtnetlink::Error) -> Self {
        if let rtnetlink::Error::NetlinkError(ErrorMessage { code: Some(code), .. }) = &error {
            return Self::Errno(code.get().saturating_abs());
        }
        Self::Message(error.to_string())
    }
}

/// Names the failed action of a result.
pub(crate) trait During<T> {
    /// Makes an error of ours of any cause.
    fn during(self, action: &'static str, object: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Cause>> During<T> for std::result::Result<T, E> {
    fn during(self, action: &'static str, object: impl fmt::Display) -> Result<T> {
        self.map_err(|cause| Error { action, object: object.to_string(), cause: cause.into() })
    }
}

/// Takes "it does not exist" for `false`, and success for `true`.
pub(crate) fn unless_absent(result: Result<()>) -> Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.is_absent() => Ok(false),
        Err(error) => Err(error),
    }
}

fn errno_text(errno: i32) -> String {
    let ours = match errno {
        libc::ENOENT | libc::ESRCH => "it does not exist",
        libc::ENODEV | libc::ENXIO => "the device does not exist",
        libc::EEXIST => "it exists already",
        libc::EPERM | libc::EACCES => {
            "permission denied, run as root with CAP_NET_ADMIN and CAP_BPF"
        }
        libc::EADDRNOTAVAIL => "the address is not on the device",
        libc::ENETUNREACH => "the next hop cannot be reached from here",
        libc::ENOTDIR => "a part of the path is no directory",
        _ => return format!("{} (errno {errno})", c_text(errno)),
    };
    format!("{ours} (errno {errno})")
}

/// The C library's text for an error number.
fn c_text(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_be_mistaken_for_a_success_of_del() {
        for errno in 1..134 {
            let error = Error { action: "delete", object: "x".into(), cause: Cause::Errno(errno) };
            let text = error.to_string().to_lowercase();
            assert!(!text.contains("not found") && !text.contains("no such file"), "{text}");
        }
    }

    #[test]
    fn a_text_names_action_object_and_cause() {
        let error = Error { action: "delete link", object: "wag0".into(), cause: Cause::Errno(16) };
        assert_eq!(
            error.to_string(),
            "failed to delete link wag0: device or resource busy (errno 16)"
        );
    }
}
