//! A file's text, cut into its documents.

/// One document of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Document<'a> {
    /// Its text, marker lines left out.
    pub(super) text: &'a str,
    /// How many lines of the file stand before it.
    pub(super) lines_before: u64,
}

/// Cuts at document markers (YAML 1.2.2, 9.1.2 and 9.1.4), so that a broken document leaves the
/// others readable. Documents that are empty are left out.
pub(super) fn documents(text: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let (mut start, mut lines_before, mut end) = (0, 0, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let begin = end;
        end += line.len();
        let Some(rest) = after_marker(line) else {
            continue;
        };
        push(&mut documents, &text[start..begin], lines_before);
        // What follows a marker on its line belongs to the document, and keeps its line's number.
        let is_bare = rest.trim().is_empty() || rest.trim_start().starts_with('#');
        start = if is_bare { end } else { end - rest.len() };
        lines_before = if is_bare { number } else { number - 1 };
    }
    push(&mut documents, &text[start..], lines_before);
    documents
}

fn push<'a>(documents: &mut Vec<Document<'a>>, text: &'a str, lines_before: u64) {
    let is_empty =
        text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    if !is_empty {
        documents.push(Document { text, lines_before });
    }
}

/// What follows a document marker, if the line begins with one.
fn after_marker(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("---").or_else(|| line.strip_prefix("..."))?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_know_the_lines_before_them() {
        for (text, expected) in [
            ("", &[][..]),
            ("# only a comment\n---\n", &[]),
            ("a: 1\n", &[("a: 1\n", 0)]),
            ("---\na: 1\n---\nb: 1\n", &[("a: 1\n", 1), ("b: 1\n", 3)]),
            ("--- # first\na: 1\n...\n---\n\n---\nb: 1", &[("a: 1\n", 1), ("b: 1", 6)]),
            ("--- {a: 1}\n--- {b: 1}", &[(" {a: 1}\n", 0), (" {b: 1}", 1)]),
            ("a: |\n  ---\n---b: 1\n", &[("a: |\n  ---\n---b: 1\n", 0)]),
            ("a: 1\r\n---\r\nb: 1\r\n", &[("a: 1\r\n", 0), ("b: 1\r\n", 2)]),
        ] {
            let found: Vec<_> = documents(text)
                .into_iter()
                .map(|document| (document.text, document.lines_before))
                .collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
