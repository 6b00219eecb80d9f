//! What a template may not do. It is for filling in names: nothing in it may grow beyond all
//! bounds, whatever it is given. The language's own bound is on instructions, and one of those can
//! ask for gigabytes.

use minijinja::{Environment, Error, ErrorKind};

/// How long what a filter makes may be, in bytes.
const LONGEST: usize = 64 * 1024;

/// Filters that make much of little, and that nobody fills in a name with.
const NO_FILTERS: [&str; 5] = ["batch", "format", "indent", "slice", "zip"];
/// The same, of functions.
const NO_FUNCTIONS: [&str; 4] = ["debug", "dict", "namespace", "range"];
/// The statements that there are: those with which text is chosen, and none with which it grows.
const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "raw", "endraw"];

/// Takes from a language what has no bound.
pub(super) fn bind(environment: &mut Environment<'_>) {
    for name in NO_FILTERS {
        environment.remove_filter(name);
    }
    for name in NO_FUNCTIONS {
        environment.remove_global(name);
    }
    environment.add_filter("replace", replace);
    environment.add_filter("join", join);
}

fn too_long() -> Error {
    let message = format!("it would become longer than {LONGEST} bytes");
    Error::new(ErrorKind::InvalidOperation, message)
}

fn replace(text: String, from: String, to: String) -> Result<String, Error> {
    let grown = text.matches(from.as_str()).count().saturating_mul(to.len());
    if grown.saturating_add(text.len()) > LONGEST {
        return Err(too_long());
    }
    Ok(text.replace(&from, &to))
}

fn join(list: Vec<String>, between: Option<String>) -> Result<String, Error> {
    let between = between.unwrap_or_default();
    let texts: usize = list.iter().map(String::len).sum();
    if list
        .len()
        .saturating_mul(between.len())
        .saturating_add(texts)
        > LONGEST
    {
        return Err(too_long());
    }
    Ok(list.join(&between))
}

/// What of the language a template uses and may not, as a sentence.
pub(super) fn refused(source: &str) -> Option<String> {
    let (mut rest, mut products) = (source, 0);
    loop {
        let begin = rest
            .find("{{")
            .into_iter()
            .chain(rest.find("{%"))
            .chain(rest.find("{#"));
        let begin = begin.min()?;
        let (kind, inner) = (&rest[begin..begin + 2], &rest[begin + 2..]);
        if kind == "{#" {
            rest = inner.find("#}").map_or("", |end| &inner[end + 2..]);
            continue;
        }
        let statement = kind == "{%";
        if statement {
            let word = inner.trim_start_matches(['-', '+']).trim_start();
            let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let word = &word[..end.unwrap_or(word.len())];
            if !STATEMENTS.contains(&word) {
                return Some(format!(
                    "`{word}` is no statement of templates in plans: there are `if`, `elif`, `else`, `endif` and `raw`"
                ));
            }
            if word == "raw" {
                rest = inner.find("endraw").map_or("", |end| &inner[end..]);
                continue;
            }
        }
        let (after, found) = expression(inner, if statement { "%}" } else { "}}" });
        products += found;
        if products > 1 {
            return Some("it multiplies more than once".to_owned());
        }
        rest = after;
    }
}

/// What follows an expression, and how many `*` it has outside its texts.
fn expression<'s>(source: &'s str, end: &str) -> (&'s str, usize) {
    let (mut quote, mut escaped, mut products) = (None, false, 0);
    for (at, c) in source.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(q) => quote = (c != q).then_some(q),
            None if source[at..].starts_with(end) => return (&source[at + end.len()..], products),
            None if c == '"' || c == '\'' => quote = Some(c),
            None => products += usize::from(c == '*'),
        }
    }
    ("", products)
}

#[cfg(test)]
mod tests {
    use crate::plan::Template;

    /// Each of these took gigabytes, or minutes.
    #[test]
    fn no_template_takes_all_memory() {
        let doubling = format!(
            "{{% set a = 'x' %}}{}{{{{ a | length }}}}",
            "{% set a = a ~ a %}".repeat(60)
        );
        for bomb in [
            doubling.as_str(),
            "{% for i in range(10000000) %}x{% endfor %}",
            "{{ ('x' * 60000) | replace('x', 'x' * 60000) }}",
            "{{ range(100000) | list | join('x' * 10000) }}",
            "{{ range(10) | slice(100000000) | list }}",
            "{{ 'a\\nb' | indent(1000000000) }}",
            "{{ '%1000000000d' | format(1) }}",
            "{{ ('x' * 100000000) ~ ('x' * 100000000) }}",
            "{{ 'x' ** 9 }}",
            "{%- set a = 1 -%}{{ a }}",
            "{% if true %}{% macro m() %}{% endmacro %}{% endif %}",
            "{{ 'x' * 99999999 }}",
        ] {
            assert!(Template::parse(bomb).is_err(), "{bomb}");
        }
    }

    #[test]
    fn what_fills_in_names_is_there() {
        for good in [
            "{{ cell.id | upper }}-{{ cell.labels.team | default('none') }}",
            "{% if attempt > 1 %}again{% else %}first{% endif %}",
            "{{ cell.id | replace('-', '_') }}",
            "{{ [cell.id, agent.name] | join('/') }}",
            "sleep {{ attempt * 30 }}",
            "{{ '* * * * *' }} {# a * b * c #} {% raw %}{% set x %}{{ * * }}{% endraw %}",
            "{{ cell.id ~ ':' ~ agent.name }}",
            "{%- if cell.id is startingwith('a') -%}a{%- endif -%}",
        ] {
            assert_eq!(Template::parse(good).map(|_| ()), Ok(()), "{good}");
        }
    }
}
