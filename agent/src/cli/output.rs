//! Forms of answers: tables for people, JSON for programs.

use clap::ValueEnum;

/// Form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// Columns for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
}

/// Rows as left-aligned columns, three spaces apart, with no space at the ends of lines.
#[must_use]
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let head = head.map(str::to_owned);
    let lines = || std::iter::once(&head).chain(rows);
    let widths: [usize; N] = std::array::from_fn(|column| {
        lines().map(|cells| cells[column].chars().count()).max().unwrap_or_default()
    });
    let line = |cells: &[String; N]| {
        let padded: Vec<_> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", padded.join("   ").trim_end())
    };
    lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["shop/cart", "TCP"], ["a", "UDP"]].map(|row| row.map(str::to_owned));
        let expected = "NAME        PROTO\nshop/cart   TCP\na           UDP\n";
        assert_eq!(table(["NAME", "PROTO"], &rows), expected);
    }
}
