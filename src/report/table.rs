//! Lines in columns, for people.

use std::io::{self, Write};

/// Columns are lined up to this width. What is wider is not cut (a name must stay one that can be
/// copied), it only pushes the rest of its own line to the right.
const WIDEST: usize = 40;

/// One field of a line.
pub struct Field {
    text: String,
    sgr: Option<&'static str>,
}

impl Field {
    /// A field in the terminal's own colour. What came from outside is made
    /// [visible](crate::model::text::visible) here, so that no caller can forget it.
    #[must_use]
    pub fn plain(text: &str) -> Self {
        Self {
            text: crate::model::text::visible(text).into_owned(),
            sgr: None,
        }
    }

    /// The same field in this colour (an SGR parameter), if there is one.
    #[must_use]
    pub fn coloured(self, sgr: Option<&'static str>) -> Self {
        Self { sgr, ..self }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Writes the lines, columns lined up, two spaces between them. The lines are asked for twice
/// instead of kept: a fleet is long.
///
/// # Errors
/// Those of the writer.
pub fn write<const N: usize, I: Iterator<Item = [Field; N]>>(
    out: &mut dyn Write,
    lines: impl Fn() -> I,
) -> io::Result<()> {
    let mut widths = [0; N];
    for line in lines() {
        for (width, field) in widths.iter_mut().zip(&line) {
            *width = (*width).max(field.width().min(WIDEST));
        }
    }
    for line in lines() {
        let last = line.iter().rposition(|field| !field.text.is_empty());
        for (at, (field, width)) in line.iter().zip(widths).enumerate() {
            match field.sgr {
                Some(sgr) => write!(out, "\x1b[{sgr}m{}\x1b[0m", field.text)?,
                None => out.write_all(field.text.as_bytes())?,
            }
            // No spaces at a line's end.
            if last.is_none_or(|last| at >= last) {
                break;
            }
            let gap = width.saturating_sub(field.width()) + 2;
            write!(out, "{:gap$}", "")?;
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_lined_up_and_one_long_name_does_not_spread_them_all() {
        let long = "x".repeat(200);
        let lines = [["a", "one"], ["bbb", "two"], [&long, "three"], ["c", ""]];
        let mut out = Vec::new();
        write(&mut out, || lines.iter().map(|l| l.map(Field::plain))).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].find("one"), Some(42));
        assert_eq!(lines[1].find("two"), Some(42));
        assert_eq!(lines[2], format!("{long}  three"));
        assert_eq!(lines[3], "c");
    }

    #[test]
    fn colours_take_no_room() {
        let lines = [["stale", "x"], ["ok", "y"]];
        let mut out = Vec::new();
        let coloured = |[a, b]: &[&str; 2]| [Field::plain(a).coloured(Some("31")), Field::plain(b)];
        write(&mut out, || lines.iter().map(coloured)).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\x1b[31mstale\x1b[0m  x\n\x1b[31mok\x1b[0m     y\n"
        );
    }
}
