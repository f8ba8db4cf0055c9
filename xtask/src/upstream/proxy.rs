//! Where Go modules are fetched from, as Go itself reads it.

use std::env;

/// Used where GOPROXY is not set.
const DEFAULT: &str = "https://proxy.golang.org,direct";

/// The proxies that the environment names, in order.
pub(super) fn proxies() -> Vec<String> {
    let named = env::var("GOPROXY").ok().filter(|value| !value.is_empty());
    listed(named.as_deref().unwrap_or(DEFAULT))
}

/// Those of a list: `direct`, the version control of each module, is none; nothing is asked after
/// `off`.
fn listed(list: &str) -> Vec<String> {
    let entries = list.split([',', '|']).map(str::trim).take_while(|entry| *entry != "off");
    let proxies = entries.filter(|entry| !entry.is_empty() && *entry != "direct");
    proxies.map(|proxy| proxy.trim_end_matches('/').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT, listed};

    #[test]
    fn proxies_are_read_as_go_reads_them() {
        let rows: [(&str, &[&str]); 6] = [
            (DEFAULT, &["https://proxy.golang.org"]),
            ("http://a/,https://b|direct", &["http://a", "https://b"]),
            ("http://a,off,http://b", &["http://a"]),
            ("file:///srv/modules", &["file:///srv/modules"]),
            ("direct", &[]),
            ("off", &[]),
        ];
        for (list, expected) in rows {
            assert_eq!(listed(list), expected, "{list}");
        }
    }
}
