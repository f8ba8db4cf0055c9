//! A folder of manifests as the source of objects.
//!
//! ```text
//! inotify --Manifests-> file contents --parse_file--> objects --Library--> changes
//! ```
//!
//! Files named `*.yaml`, `*.yml` and `*.json` directly in the folder count, unless their name
//! begins with a dot. A file may hold several documents, and documents of kind `List`.

mod direct;
mod document;
mod folder;
mod header;
mod known;
mod library;
mod medium;
mod parse;
mod unique;
mod watcher;

pub use known::Found;
pub use library::Library;
pub use parse::{Parsed, parse_file};
pub use watcher::{Manifests, WatchError};
