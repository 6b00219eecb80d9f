//! Which lines of a comment are its writer's own words, as Markdown shows them: not those of a
//! quotation, of a block of code, or hidden.

/// What a line stands in, where that is more than a paragraph.
enum Within {
    Nothing,
    /// A fenced block of code: its sign, and how many of it opened it.
    Fence(char, usize),
    /// A quotation: lines of its last paragraph belong to it without its sign, too.
    Quote,
    /// HTML up to this: it can hide and quote in many ways.
    Html(String),
}

/// Elements that have no end.
const VOID: [&str; 6] = ["br", "hr", "img", "input", "link", "wbr"];

/// A line that is indented by so many columns is code.
const CODE: usize = 4;

/// The writer's own lines, without the spaces before them.
pub(super) fn own_lines(body: &str) -> Vec<&str> {
    let (mut within, mut own) = (Within::Nothing, Vec::new());
    for line in body.lines() {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        let indent = if line[..indent].contains('\t') {
            CODE
        } else {
            indent
        };
        let lower = bare.to_ascii_lowercase();
        match within {
            Within::Fence(sign, opened) => {
                let run = run(bare, sign);
                let closes = run >= opened && bare[run..].trim().is_empty() && indent < CODE;
                within = match closes {
                    true => Within::Nothing,
                    false => Within::Fence(sign, opened),
                };
                continue;
            }
            Within::Html(end) => {
                within = match lower.contains(&end) {
                    true => Within::Nothing,
                    false => Within::Html(end),
                };
                continue;
            }
            _ if bare.is_empty() => {
                within = Within::Nothing;
                continue;
            }
            Within::Nothing | Within::Quote => {}
        }
        if indent >= CODE {
            continue;
        }
        if bare.starts_with('>') {
            within = Within::Quote;
            continue;
        }
        // A block of code may begin on the line of a list's item.
        let item = item(bare);
        let fence = ['`', '~'].map(|sign| (sign, run(item, sign)));
        let fence = fence
            .into_iter()
            .find(|(sign, run)| *run >= 3 && (*sign == '~' || !item[*run..].contains('`')));
        if let Some((sign, run)) = fence {
            within = Within::Fence(sign, run);
            continue;
        }
        match html(&lower) {
            Some(None) => {}
            Some(Some(end)) => within = Within::Html(end),
            None if matches!(within, Within::Quote) => {}
            None => own.push(bare),
        }
    }
    own
}

/// Whether HTML stands in a line, in lower case; and what ends it, where that is on a later line.
fn html(line: &str) -> Option<Option<String>> {
    let mut found = None;
    for (at, _) in line.match_indices('<') {
        let rest = &line[at + 1..];
        let end = if rest.starts_with("!--") {
            "-->".to_owned()
        } else {
            let name = rest.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
            let after = rest[name.len()..].chars().next();
            let is_tag = name.starts_with(|c: char| c.is_ascii_alphabetic())
                && after.is_none_or(|c| c.is_whitespace() || matches!(c, '>' | '/'));
            match is_tag && !VOID.contains(&name) {
                true => format!("</{name}"),
                false => continue,
            }
        };
        found.get_or_insert(None);
        if !rest.contains(&end) {
            return Some(Some(end));
        }
    }
    found
}

/// What stands on the line of a list's item, or the whole line.
fn item(line: &str) -> &str {
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mark = match digits {
        0 => line.strip_prefix(['-', '*', '+']),
        _ => line[digits..].strip_prefix(['.', ')']),
    };
    let rest = mark.filter(|rest| rest.starts_with([' ', '\t']));
    rest.map_or(line, str::trim_start)
}

/// How many of a sign a text begins with; all are of one byte.
fn run(text: &str, sign: char) -> usize {
    text.chars().take_while(|c| *c == sign).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_quoted_code_or_hidden_is_passed_over() {
        for (body, own) in [
            ("/revive", vec!["/revive"]),
            ("It is dead.\n   /revive\n", vec!["It is dead.", "/revive"]),
            ("    /revive", vec![]),
            ("\t/revive", vec![]),
            ("> /revive\n/skip", vec![]),
            ("> /revive\n\n/skip", vec!["/skip"]),
            ("```\n/revive\n```\n/skip", vec!["/skip"]),
            ("````\n```\n/revive\n```\n````", vec![]),
            ("~~~ sh\n/revive\n```\n/revive\n~~~", vec![]),
            ("``` x\n/revive", vec![]),
            ("<!-- /revive -->", vec![]),
            ("<!--\n/revive\n-->\n/skip", vec!["/skip"]),
            ("a <!-- b\n/revive", vec![]),
            ("<pre>\n/revive\n</PRE>\n/skip", vec!["/skip"]),
            ("`/revive`", vec!["`/revive`"]),
            (
                "<blockquote>\n\n/revive\n\n</blockquote>\n/skip",
                vec!["/skip"],
            ),
            ("<details><summary>x</summary>\n/revive\n", vec![]),
            ("<div hidden>\n/revive\n</div>", vec![]),
            ("a<br>b\n/revive", vec!["a<br>b", "/revive"]),
            (
                "see <https://h/x>\n/revive",
                vec!["see <https://h/x>", "/revive"],
            ),
            ("1 < 2\n/revive", vec!["1 < 2", "/revive"]),
            ("- ```\n  /revive\n  ```\n/skip", vec!["/skip"]),
            ("1. ~~~\n   /revive\n   ~~~\n/skip", vec!["/skip"]),
        ] {
            assert_eq!(own_lines(body), own, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(body in "(\\PC|[ \t\n`~><!-]){0,80}") {
            for line in own_lines(&body) {
                prop_assert!(body.contains(line) && !line.starts_with(['>', ' ', '\t']));
            }
        }
    }
}
