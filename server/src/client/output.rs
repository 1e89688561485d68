//! What commands print: text for people, JSON for programs, or nothing.
//!
//! Values go to standard output, errors to standard error. Text is for eyes and may change; JSON is kept as it is.

use std::io::{self, Write};

use serde::Serialize;

/// The form of what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, clap::ValueEnum)]
pub(crate) enum Output {
    #[default]
    Text,
    /// Indented JSON.
    Json,
    /// JSON, one value a line.
    Jsonl,
    None,
}

/// Writes to standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    pub(crate) output: Output,
}

/// Where a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Side {
    Left,
    Right,
}

impl Printer {
    /// Whether people read it.
    pub(crate) fn text(self) -> bool {
        self.output == Output::Text
    }

    /// A line, if people read it.
    pub(crate) fn line(self, line: &str) -> io::Result<()> {
        if self.text() {
            writeln!(io::stdout(), "{line}")?;
        }
        Ok(())
    }

    /// A value, if programs read it.
    pub(crate) fn value(self, value: &impl Serialize) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self.output {
            Output::Json => serde_json::to_writer_pretty(&mut out, value)?,
            Output::Jsonl => serde_json::to_writer(&mut out, value)?,
            Output::Text | Output::None => return Ok(()),
        }
        writeln!(out)
    }

    /// Names and values under each other, if people read it. Values that are not there are left out.
    pub(crate) fn fields(self, fields: &[(&str, Option<String>)]) -> io::Result<()> {
        if self.text() {
            write!(io::stdout(), "{}", aligned(fields))?;
        }
        Ok(())
    }

    /// Rows under their headings, if people read it.
    pub(crate) fn table(
        self,
        columns: &[(&str, Side)],
        rows: &[Vec<String>],
        head: bool,
    ) -> io::Result<()> {
        if self.text() {
            write!(io::stdout(), "{}", tabled(columns, rows, head))?;
        }
        Ok(())
    }

    /// The beginning of a list whose items come one after the other.
    pub(crate) fn list(self) -> io::Result<List> {
        if self.output == Output::Json {
            write!(io::stdout(), "[")?;
        }
        Ok(List {
            printer: self,
            empty: true,
        })
    }
}

/// A list in the middle of being printed.
#[derive(Debug)]
pub(crate) struct List {
    printer: Printer,
    empty: bool,
}

impl List {
    /// The next item, if programs read it.
    pub(crate) fn item(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self.printer.output {
            Output::Json => {
                writeln!(out, "{}", if self.empty { "" } else { "," })?;
                serde_json::to_writer_pretty(&mut out, value)?;
            }
            Output::Jsonl => {
                serde_json::to_writer(&mut out, value)?;
                writeln!(out)?;
            }
            Output::Text | Output::None => {}
        }
        self.empty = false;
        Ok(())
    }

    /// The end.
    pub(crate) fn end(self) -> io::Result<()> {
        if self.printer.output == Output::Json {
            writeln!(io::stdout(), "\n]")?;
        }
        Ok(())
    }
}

fn aligned(fields: &[(&str, Option<String>)]) -> String {
    let there = || {
        fields
            .iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)))
    };
    let width = there().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = there().map(|(name, value)| format!("  {name:width$}  {value}\n"));
    lines.collect::<Vec<_>>().concat()
}

fn tabled(columns: &[(&str, Side)], rows: &[Vec<String>], head: bool) -> String {
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, (name, _))| {
            let cells = rows.iter().filter_map(|row| row.get(index));
            cells
                .map(|cell| cell.chars().count())
                .chain([name.len()])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let headings = columns
        .iter()
        .zip(&widths)
        .map(|((name, _), width)| format!("  {name:^width$}"))
        .collect::<Vec<_>>()
        .concat();
    let lines = rows.iter().map(|row| {
        row.iter()
            .zip(columns)
            .zip(&widths)
            .map(|((cell, (_, side)), width)| match side {
                Side::Left => format!("  {cell:width$}"),
                Side::Right => format!("  {cell:>width$}"),
            })
            .collect::<Vec<_>>()
            .concat()
    });
    head.then_some(headings)
        .into_iter()
        .chain(lines)
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["Completed".to_owned(), "7".to_owned()],
            vec!["Failed".to_owned(), "12".to_owned()],
        ];
        let columns = [("Status", Side::Left), ("Id", Side::Right)];
        assert_eq!(
            tabled(&columns, &rows, true),
            "   Status    Id\n  Completed   7\n  Failed     12\n"
        );
    }

    #[test]
    fn values_stand_under_each_other() {
        let fields = [
            ("A", Some("1".to_owned())),
            ("Long", Some("2".to_owned())),
            ("Gone", None),
        ];
        assert_eq!(aligned(&fields), "  A     1\n  Long  2\n");
    }
}
