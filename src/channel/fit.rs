//! Messages as texts that have room where they go.

use crate::model::channel::Message;

/// A message as one text: its title, and below it the rest.
pub(super) fn whole(message: &Message) -> String {
    match message.text.is_empty() {
        true => message.title.clone(),
        false => format!("{}\n\n{}", message.title, message.text),
    }
}

/// The same, with how to answer before the lines that say where to look further; `most` and `size` as
/// in [`fitted`].
pub(super) fn answerable(
    message: &Message,
    how: &str,
    most: usize,
    size: impl Fn(char) -> usize,
) -> String {
    let (text, closing) = message.parts();
    let end = match closing.is_empty() {
        true => format!("\n\n{how}"),
        false => format!("\n\n{how}\n\n{closing}"),
    };
    let room = most.saturating_sub(end.chars().map(&size).sum());
    let text = format!("{}\n\n{text}", message.title);
    format!("{}{end}", fitted(text.trim_end(), room, size))
}

/// What stands at the end of a text that was cut.
pub(super) const CUT: &str = "\n… (cut here: it was too long for this channel)";

/// The text, where `size` of all its characters is no more than `most`; else as much of it as has
/// room, with a note that it was cut.
pub(super) fn fitted(text: &str, most: usize, size: impl Fn(char) -> usize) -> String {
    let of = |text: &str| text.chars().map(&size).sum::<usize>();
    if of(text) <= most {
        return text.to_owned();
    }
    let (mut taken, room) = (0, most.saturating_sub(of(CUT)));
    let end = text.char_indices().find_map(|(at, c)| {
        taken += size(c);
        (taken > room).then_some(at)
    });
    format!("{}{CUT}", &text[..end.unwrap_or(text.len())])
}
