//! Text to nodes, with bounds on how deep, how many and how much.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::node::{Content, MAX_DEPTH, MAX_FILE, MAX_NODES, MAX_TEXT, Node, Style, after, decode};
use super::problem::{Place, Problem, Problems};

/// A file's text, and none of what is wrong in it yet.
///
/// # Errors
/// What there is to say of bytes that are no text.
pub fn text<'t>(file: &str, bytes: &'t [u8]) -> Result<(&'t str, Problems<'t>), Problems<'t>> {
    match decode(bytes) {
        Ok(text) => Ok((text, Problems::new(file, text))),
        Err((place, message)) => {
            let mut problems = Problems::new(file, "");
            problems.error_outside(place, message);
            Err(problems)
        }
    }
}

/// The one document of a file, which is called so; none where the file is empty, or has comments
/// only.
///
/// # Errors
/// What there is to say of bytes that are no text.
pub fn document<'t>(
    file: &str,
    bytes: &'t [u8],
    called: &str,
) -> Result<(Option<Node>, Problems<'t>), Vec<Problem>> {
    let (text, mut problems) = text(file, bytes).map_err(Problems::into_vec)?;
    let mut documents = load(text, &mut problems).into_iter();
    let first = documents.next().filter(|node| !node.is_null());
    if let Some(second) = documents.next() {
        let message = format!("{called} is one document, and here a second begins");
        problems.error(second.place, message);
    }
    Ok((first, problems))
}

/// Reads a text's documents. What is wrong is added to the problems; the documents before a
/// mistake that ends the reading are still returned, so that their own problems can be told too.
#[must_use]
pub fn load(text: &str, problems: &mut Problems<'_>) -> Vec<Node> {
    if !is_readable(text, problems) {
        return Vec::new();
    }
    let mut loader = Loader {
        problems,
        documents: Vec::new(),
        open: Vec::new(),
        anchors: HashMap::new(),
        next_id: 0,
        spent: Cost::default(),
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(both) => both,
            Err(e) => {
                let help = e
                    .info()
                    .contains("tab")
                    .then(|| "YAML is indented with spaces, never with tabs".to_owned());
                let place = place(e.marker());
                let message = match e.info() {
                    // The parser's own limit, which it meets first where it looks far ahead.
                    "recursion limit exceeded" => format!("nested more than {MAX_DEPTH} deep"),
                    info => format!("this is not YAML: {info}"),
                };
                loader.problems.error_with_help(place, message, help);
                break;
            }
        };
        if let Err((place, message)) = loader.take(event, span) {
            loader.problems.error(place, message);
            break;
        }
    }
    loader.documents
}

/// Looks for what YAML does not allow anywhere; a NUL would make the parser stop as at the end.
fn is_readable(text: &str, problems: &mut Problems<'_>) -> bool {
    if text.len() > MAX_FILE {
        problems.error(Place::START, format!("larger than {MAX_FILE} bytes"));
        return false;
    }
    let mut good = true;
    let (mut at, mut last) = (Place::START, '\n');
    for c in text.chars() {
        let allowed = matches!(c, '\t' | '\n' | '\r' | '\u{85}');
        if (c.is_control() && !allowed) || matches!(c, '\u{fffe}' | '\u{ffff}') {
            good = false;
            problems.error(
                at,
                format!("the character U+{:04X} is not allowed in YAML", c as u32),
            );
            if problems.is_full() {
                break;
            }
        }
        // CRLF is one line's end.
        if !(c == '\n' && last == '\r') {
            at = after(at, c);
        }
        last = c;
    }
    good
}

/// What it takes to write a node out.
#[derive(Clone, Copy, Default)]
struct Cost {
    nodes: usize,
    text: usize,
}

impl Cost {
    fn add(&mut self, other: Cost) {
        // Saturating: an alias of aliases of aliases counts in powers.
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.text = self.text.saturating_add(other.text);
    }
}

/// A node that is complete, with how deep it is and what it costs.
#[derive(Clone)]
struct Whole {
    node: Node,
    height: usize,
    cost: Cost,
}

/// A collection that is being read.
struct Open {
    id: u32,
    place: Place,
    anchor: usize,
    items: Items,
    height: usize,
    cost: Cost,
}

enum Items {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<(Node, Node)>,
        /// The key that waits for its value, and whether the entry is to be kept.
        key: Option<(Node, bool)>,
        /// The line of each key so far.
        seen: HashMap<String, u32>,
    },
}

struct Loader<'p, 't> {
    problems: &'p mut Problems<'t>,
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Whole>,
    next_id: u32,
    spent: Cost,
}

/// A problem that ends the reading.
type Stop = (Place, String);

impl Loader<'_, '_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let at = place(&span.start);
        match event {
            Event::DocumentStart(_) => self.anchors.clear(),
            Event::Alias(anchor) => {
                let Some(whole) = self.anchors.get(&anchor).cloned() else {
                    return Err((at, "this alias lies within what it stands for".into()));
                };
                self.spend(at, whole.cost)?;
                if self.open.len() + whole.height > MAX_DEPTH {
                    return Err((at, format!("nested more than {MAX_DEPTH} deep")));
                }
                self.done(whole);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let cost = Cost {
                    nodes: 1,
                    text: text.len(),
                };
                self.spend(at, cost)?;
                let text_tag = self.tag(at, tag.as_deref(), "str");
                let style = match style {
                    ScalarStyle::Plain if !text_tag => Style::Plain,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                    _ => Style::Quoted,
                };
                let unwritten = text.is_empty() && style == Style::Plain;
                let end = &span.end;
                // A block scalar ends where the next line begins.
                let end_line = end.line().saturating_sub(usize::from(end.col() == 0));
                let node = Node {
                    id: self.id(),
                    place: self.waiting_key().filter(|_| unwritten).unwrap_or(at),
                    end_line: u32::try_from(end_line).unwrap_or(u32::MAX).max(at.line),
                    content: Arc::new(Content::Scalar {
                        text: text.into_owned(),
                        style,
                    }),
                };
                let whole = Whole {
                    node,
                    height: 0,
                    cost,
                };
                self.anchor(anchor, &whole);
                self.done(whole);
            }
            Event::SequenceStart(anchor, tag) => {
                self.tag(at, tag.as_deref(), "seq");
                self.begin(at, anchor, Items::Sequence(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.tag(at, tag.as_deref(), "map");
                let (entries, key, seen) = Default::default();
                self.begin(at, anchor, Items::Mapping { entries, key, seen })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    fn spend(&mut self, at: Place, cost: Cost) -> Result<(), Stop> {
        self.spent.add(cost);
        if self.spent.nodes > MAX_NODES {
            let what = format!("more than {MAX_NODES} values, aliases written out");
            return Err((at, what));
        }
        if self.spent.text > MAX_TEXT {
            let what = format!("more than {MAX_TEXT} bytes of text, aliases written out");
            return Err((at, what));
        }
        Ok(())
    }

    /// True where the node is tagged, by the one tag that it may have.
    fn tag(&mut self, at: Place, tag: Option<&Tag>, allowed: &str) -> bool {
        let Some(tag) = tag else { return false };
        let known = tag.is_yaml_core_schema() && tag.suffix == allowed;
        if !known {
            self.problems
                .error(at, format!("tags such as `{tag}` are not supported"));
        }
        known
    }

    /// The place of the key whose value comes next: where a value that is not written is placed.
    fn waiting_key(&self) -> Option<Place> {
        match &self.open.last()?.items {
            Items::Mapping { key, .. } => key.as_ref().map(|(key, _)| key.place),
            Items::Sequence(_) => None,
        }
    }

    fn anchor(&mut self, anchor: usize, whole: &Whole) {
        // The parser counts anchors from 1; 0 is none.
        if anchor > 0 {
            self.anchors.insert(anchor, whole.clone());
        }
    }

    fn begin(&mut self, place: Place, anchor: usize, items: Items) -> Result<(), Stop> {
        let cost = Cost { nodes: 1, text: 0 };
        self.spend(place, cost)?;
        if self.open.len() >= MAX_DEPTH {
            return Err((place, format!("nested more than {MAX_DEPTH} deep")));
        }
        let id = self.id();
        self.open.push(Open {
            id,
            place,
            anchor,
            items,
            height: 0,
            cost,
        });
        Ok(())
    }

    fn end(&mut self, span: &Span) {
        let Some(open) = self.open.pop() else { return };
        let content = match open.items {
            Items::Sequence(items) => Content::Sequence(items),
            Items::Mapping { entries, .. } => Content::Mapping(entries),
        };
        let whole = Whole {
            node: Node {
                id: open.id,
                place: open.place,
                end_line: place(&span.end).line,
                content: Arc::new(content),
            },
            height: open.height + 1,
            cost: open.cost,
        };
        self.anchor(open.anchor, &whole);
        self.done(whole);
    }

    /// Puts a complete node where it belongs.
    fn done(&mut self, whole: Whole) {
        let Whole { node, height, cost } = whole;
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return;
        };
        open.height = open.height.max(height);
        open.cost.add(cost);
        match &mut open.items {
            Items::Sequence(items) => items.push(node),
            Items::Mapping { entries, key, seen } => match key.take() {
                Some((key, true)) => entries.push((key, node)),
                Some((_, false)) => {}
                None => {
                    let keep = check_key(&node, seen, self.problems);
                    *key = Some((node, keep));
                }
            },
        }
    }
}

/// True if the entry of this key is to be kept.
fn check_key(key: &Node, seen: &mut HashMap<String, u32>, problems: &mut Problems<'_>) -> bool {
    let wrong = match &*key.content {
        Content::Scalar { text, style } => match (text.as_str(), style) {
            ("", Style::Plain) => Some("a key is missing here".to_owned()),
            ("<<", Style::Plain) => {
                Some("merge keys (`<<`) are not supported; write the keys out".to_owned())
            }
            (text, _) => match seen.get(text) {
                Some(line) => Some(format!("the key `{text}` stands on line {line} already")),
                None => {
                    seen.insert(text.to_owned(), key.place.line);
                    None
                }
            },
        },
        _ => Some("a key must be plain text".to_owned()),
    };
    match wrong {
        Some(message) => {
            problems.key_error(key.place, key.text().unwrap_or_default(), message);
            false
        }
        None => true,
    }
}

fn place(mark: &saphyr_parser::Marker) -> Place {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place {
        line: count(mark.line()),
        column: count(mark.col()).saturating_add(1),
    }
}
