//! Which lines of a comment are its writer's own words, as Markdown shows them: not those of a
//! quotation, of a block of code, or hidden.

/// What a line stands in, where that is more than a paragraph.
enum Within {
    Nothing,
    /// A fenced block of code: its sign, and how many of it opened it.
    Fence(char, usize),
    /// A quotation: lines of its last paragraph belong to it without its sign, too.
    Quote,
    /// HTML up to this.
    Html(&'static str),
}

/// HTML in which nothing is said, with what ends it.
const HTML: [(&str, &str); 5] = [
    ("<!--", "-->"),
    ("<pre", "</pre>"),
    ("<code", "</code>"),
    ("<script", "</script>"),
    ("<style", "</style>"),
];

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
                if closes {
                    within = Within::Nothing;
                }
                continue;
            }
            Within::Html(end) => {
                if lower.contains(end) {
                    within = Within::Nothing;
                }
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
        let fence = ['`', '~'].map(|sign| (sign, run(bare, sign)));
        let fence = fence
            .into_iter()
            .find(|(sign, run)| *run >= 3 && (*sign == '~' || !bare[*run..].contains('`')));
        if let Some((sign, run)) = fence {
            within = Within::Fence(sign, run);
            continue;
        }
        let html = HTML.into_iter().find_map(|(begin, end)| {
            let at = lower.find(begin)?;
            Some((end, lower[at..].contains(end)))
        });
        match html {
            Some((_, true)) => {}
            Some((end, false)) => within = Within::Html(end),
            None if matches!(within, Within::Quote) => {}
            None => own.push(bare),
        }
    }
    own
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
