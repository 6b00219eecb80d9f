//! Names that services allow, and texts that are as good as a password.

/// What services allow in the names of users, repositories and topics.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !text.is_empty() && text.len() <= 100 && text.chars().all(allowed)
}

/// True for addresses that are as good as a password.
pub(super) fn holds_a_key(url: &str) -> bool {
    let lower = url.to_ascii_lowercase();
    let query = lower.split_once('?').map_or("", |(_, query)| query);
    let named = ["token", "secret", "key", "passw", "sig"];
    lower.contains("://hooks.slack.com/")
        || (lower.contains("discord") && lower.contains("/api/webhooks/"))
        || named.iter().any(|word| query.contains(word))
}

/// True for headers by which a client shows who it is.
pub(super) fn is_secret_header(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    [
        "authorization",
        "cookie",
        "token",
        "secret",
        "key",
        "passw",
        "signature",
    ]
    .iter()
    .any(|word| lower.contains(word))
        && lower != "idempotency-key"
}
